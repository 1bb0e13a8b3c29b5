"""A synthetic trial → a folder with slides, sample sheet, panels, config and truth."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib.resources import files as package_files
from typing import TYPE_CHECKING

from mifprofile.arguments import APath, Converted, as_path
from mifprofile.errors import UsageError
from mifprofile.io.atomic import atomic_output
from mifprofile.io.synthetic import write_synthetic_slide
from mifprofile.io.tables import read_csv
from mifprofile.panels import panel_text
from mifprofile.synthetic import synthetic_areas_mm2
from mifprofile.synthetic.example import (
    HUMAN_PANEL,
    MOUSE_PANEL,
    ExampleOptions,
    example_trial,
    with_drawn,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mifprofile.synthetic import SynthOptions
    from mifprofile.synthetic.example import ExampleTrial

PANELS = {HUMAN_PANEL: "demo", MOUSE_PANEL: "demo-mouse"}


@dataclass(frozen=True)
class ExampleJob:
    """A trial that is drawn.

    Attributes
    ----------
    out : Path
        Its folder, which must be new or empty.
    options : ExampleOptions
    quiet : bool
    """

    out: APath = Converted(as_path)
    options: ExampleOptions = field(default_factory=ExampleOptions)
    quiet: bool = False

    def say(self, line: str) -> None:
        """Print one line for the user, on stderr."""
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)  # noqa: T201


def example(job: ExampleJob) -> str:
    """Draw a trial and write its folder whole or not at all; returns a summary."""
    if job.out.exists() and not (job.out.is_dir() and not any(job.out.iterdir())):
        raise UsageError(f"{job.out}: holds something else; choose another folder")
    trial = example_trial(job.options)
    with atomic_output(job.out) as partial:
        _write(job, trial, partial)
    slides, people = len(trial.slides), len(trial.truth)
    missing = int(trial.samples["sample_id"].isna().sum())
    return (
        f"{slides} slides of {people} patients and mice; {missing} biopsies missing\n"
        f"sample sheet: {job.out / 'samples.tsv'}\n"
        f"truth: {job.out / 'truth.csv'}"
    )


def _write(job: ExampleJob, trial: ExampleTrial, folder: Path) -> None:
    (folder / "panels").mkdir(parents=True)
    for path, name in PANELS.items():
        (folder / path).write_text(panel_text(name), encoding="utf-8")
    for name in ("config.yaml", "endpoints.yaml"):
        packaged = package_files("mifprofile.io") / f"example_{name}"
        text = packaged.read_text(encoding="utf-8")
        (folder / name).write_text(text, encoding="utf-8")
    trial.samples.to_csv(folder / "samples.tsv", sep="\t", index=False)
    slides = dict(zip(trial.samples["sample_id"], trial.samples["slide"], strict=True))
    drawn = {}
    for nth, (name, options) in enumerate(trial.slides.items(), start=1):
        drawn[name] = _draw(folder / slides[name], options)
        job.say(f"  slide {nth} of {len(trial.slides)}")
    truth = with_drawn(trial.truth, drawn)
    truth.to_csv(folder / "truth.csv", index=False, float_format="%.4g")


def _draw(path: Path, options: SynthOptions) -> float:
    """Write a slide and its truth; returns CTL per mm² of true nest."""
    files = write_synthetic_slide(path, options)
    cells = read_csv(files.table, {"phenotype", "region"})
    found = (cells["phenotype"] == "CTL") & (cells["region"] == "tumour")
    return float(found.sum() / synthetic_areas_mm2(options)["tumour"])
