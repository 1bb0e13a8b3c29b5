"""A batch of two samples in a folder of its own, and Snakemake to run it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mifprofile.io.results import Results
from mifprofile.options import STAGES
from mifprofile.panels import demo_panel_path

ROOT = Path(__file__).parents[2]
SAMPLES = ("A", "B")
HEADER = "sample_id patient_id species arm timepoint slide panel batch"

if importlib.util.find_spec("snakemake") is None:
    collect_ignore = ["test_workflow.py", "test_real_run.py"]


@dataclass(frozen=True)
class Batch:
    """A working directory of the workflow."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config" / "config.yaml"

    def results(self, sample: str) -> Results:
        return Results(self.folder / "results" / sample)

    def snakemake(self, *args: str, snakefile: str = "workflow/Snakefile") -> str:
        """Run Snakemake and return what it said."""
        tools = Path(sys.executable).parent
        done = subprocess.run(
            [tools / "snakemake", "-s", ROOT / snakefile, *args],
            cwd=self.folder,
            env=os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def planned(self, *args: str, **kwargs: str) -> dict[str, int]:
        """How many jobs of which rule a run would start."""
        said = self.snakemake("-n", *args, **kwargs)
        if "Nothing to be done" in said:
            return {}
        table = said.partition("Job stats:\n")[2].partition("\n\n")[0]
        jobs = {k: int(n) for k, n in re.findall(r"^(\w+) +(\d+)$", table, re.M)}
        return {k: n for k, n in jobs.items() if k in STAGES}

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text that occurs once in one of the files."""
        file = self.folder / path
        text = file.read_text()
        assert text.count(old) == 1
        file.write_text(text.replace(old, new))


def make_batch(folder: Path) -> Batch:
    """Write config, sheet and panel for two samples, and empty files for slides."""
    shutil.copytree(ROOT / "config", folder / "config")
    with demo_panel_path() as panel:
        shutil.copyfile(panel, folder / "config" / "panel.yaml")
    rows = [
        [name, "P1", "human", "demo", "baseline", f"my slides/{name}.ome.tiff"]
        for name in SAMPLES
    ]
    lines = [HEADER.split(), *([*row, "config/panel.yaml", "1"] for row in rows)]
    text = "".join("\t".join(line) + "\n" for line in lines)
    (folder / "config" / "samples.tsv").write_text(text)
    (folder / "my slides").mkdir()
    for name in SAMPLES:
        (folder / "my slides" / f"{name}.ome.tiff").touch()
    return Batch(folder)


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    """Two samples whose slides are empty files: enough to plan."""
    return make_batch(tmp_path / "batch")


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """The same after a run, as far as Snakemake can tell."""
    made = make_batch(tmp_path_factory.mktemp("finished") / "batch")
    for sample in SAMPLES:
        for stage in STAGES:
            for path in made.results(sample).outputs(stage):
                if path.suffix == ".zarr":
                    path.mkdir(parents=True)
                else:
                    path.touch()
    made.snakemake("--touch", "--forceall", "--cores", "1")
    return made


@pytest.fixture
def finished_batch(finished_once: Batch, tmp_path: Path) -> Batch:
    """A copy of the finished batch, to be changed by a test."""
    folder = tmp_path / "batch"
    shutil.copytree(finished_once.folder, folder)
    return Batch(folder)
