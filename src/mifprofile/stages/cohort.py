"""Sample sheet and landscapes of a cohort → tables and report."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.resources import as_file
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mifprofile.arguments import (
    APath,
    Converted,
    MaybePath,
    as_path,
    as_path_or_none,
)
from mifprofile.core.cohort.analyse import analyse
from mifprofile.core.cohort.observe import SampleResult
from mifprofile.core.landscape import Row
from mifprofile.errors import FormatError, MissingError, UsageError
from mifprofile.io.atomic import atomic_output
from mifprofile.io.cell_tables import read_rows
from mifprofile.io.config import (
    parse_panel,
    read_panel,
    read_protocol,
    read_study,
)
from mifprofile.io.results import Results, slide_identity, write_json
from mifprofile.io.tables import read_csv, read_features, text_columns, write_table
from mifprofile.options import Options
from mifprofile.report.cohort import CohortContent, drawings_of, render_cohort
from mifprofile.stages.job import Job
from mifprofile.stages.report import software
from mifprofile.stages.run import run_stage

if TYPE_CHECKING:
    import pandas as pd

    from mifprofile.core.cohort.analyse import Analysis
    from mifprofile.core.cohort.endpoints import Protocol
    from mifprofile.core.cohort.sheet import Study
    from mifprofile.model import Panel
    from mifprofile.options import Stage

PACKAGES = ("mifprofile", "numpy", "pandas", "scipy", "statsmodels", "lifelines")
PAGE = "cohort.html"
ALONE: tuple[Stage, ...] = ("ingest", "phenotype", "landscape")
PROVENANCE = "provenance.json"


@dataclass(frozen=True)
class CohortJob:
    """A cohort that is asked.

    Attributes
    ----------
    samples : Path
        Sample sheet.
    results : Path
        Folder with a result folder per sample.
    out : Path
        Folder for tables and report.
    options : Options
    table : Path or None
        Cells of all samples, made elsewhere, with a column ``sample_id``: samples
        without a landscape in `results` get theirs from it.
    panel : Path or None
        Of that table.
    quiet : bool
    """

    samples: APath = Converted(as_path)
    results: APath = Converted(as_path)
    out: APath = Converted(as_path)
    options: Options = field(default_factory=Options)
    table: MaybePath = Converted(as_path_or_none, None)
    panel: MaybePath = Converted(as_path_or_none, None)
    quiet: bool = False

    def __post_init__(self) -> None:
        """Refuse a table without panel."""
        if (self.table is None) != (self.panel is None):
            raise UsageError("cohort: --from-table and --panel belong together")

    @property
    def report(self) -> Path:
        """The page."""
        return self.out / PAGE

    def say(self, line: str) -> None:
        """Print one line for the user, on stderr."""
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)  # noqa: T201


def cohort(job: CohortJob) -> dict[str, pd.DataFrame]:
    """Ask a cohort, and write tables and report whole or not at all.

    Returns
    -------
    dict
        Name of each table, without its suffix → table.
    """
    study = read_study(job.samples)
    options = job.options.cohort
    protocol = protocol_of(options.endpoints)
    features = None if options.features is None else read_features(options.features)
    if job.table is not None and job.panel is not None:
        landscapes_of_table(job, study, job.table, read_panel(job.panel))
    samples = _samples(job, study)
    analysis = analyse(study, samples, protocol, options, features)
    _refuse_foreign(job.out)
    with atomic_output(job.out) as partial:
        _write(partial, analysis, _provenance(job, study, samples))
    return dict(analysis.tables)


def _write(folder: Path, analysis: Analysis, provenance: dict[str, Any]) -> None:
    figures = folder / "figures"
    figures.mkdir(parents=True)
    for name, table in analysis.tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    drawings = drawings_of(analysis)
    for name, drawing in drawings.items():
        if drawing.svg:
            (figures / f"{name}.svg").write_text(drawing.svg, encoding="utf-8")
        drawing.table.to_csv(figures / f"{name}.csv", index=False)
    content = CohortContent(
        title=Path(provenance["inputs"]["samples"]["name"]).stem,
        analysis=analysis,
        drawings=drawings,
        software=provenance["packages"],
        inputs=provenance["inputs"],
    )
    (folder / PAGE).write_text(render_cohort(content), encoding="utf-8")
    write_json(provenance, folder / PROVENANCE)


def landscapes_of_table(
    job: CohortJob, study: Study, table: Path, panel: Panel
) -> None:
    """Make the landscapes that are not there yet from one table of all cells."""
    names = [str(slide.sample_id) for slide in study.slides]
    todo = [n for n in names if not Results(job.results / n).landscape.is_file()]
    if not todo:
        return
    rows = read_rows(table)
    if "sample_id" not in rows:
        raise UsageError(f"{table}: no column sample_id, which tells samples apart")
    job.say(f"  {len(rows)} cells in {table}; {len(todo)} landscapes to make")
    parts = dict(list(rows.groupby(rows["sample_id"].astype(str))))
    for name in todo:
        if name in parts:
            _landscape_alone(job, Results(job.results / name), panel, parts[name])


def _landscape_alone(
    job: CohortJob, results: Results, panel: Panel, rows: pd.DataFrame
) -> None:
    """Stages of one sample as far as a cohort needs them: no report."""
    path = results.input_copy("cells.parquet")
    write_table(rows, path)
    one = Job(results, panel, job.options, table=path, quiet=True)
    for stage in ALONE:
        run_stage(one, stage)
    records = {str(stage): record for stage, record in results.records().items()}
    content = {
        "sample_id": results.sample_id,
        "packages": software(records),
        "panel": panel.model_dump(mode="json"),
        "stages": records,
    }
    write_json(content, results.provenance)


def protocol_of(path: str | None) -> Protocol:
    """Endpoints of a file, or those that come with the package."""
    if path is not None:
        return read_protocol(path)
    with as_file(package_files("mifprofile.io") / "endpoints.yaml") as packaged:
        return read_protocol(packaged)


def read_sample(results: Results) -> SampleResult | None:
    """Read what the cohort needs of a sample; None if it has no landscape.

    Raises
    ------
    MissingError
        The landscape is there, but not what says how it was made.
    """
    if not results.landscape.is_file():
        return None
    provenance = results.read_provenance()
    if not set(provenance) >= {"panel", "stages"}:
        raise FormatError(f"{results.provenance}: damaged; run the report again")
    verdict = _verdict(provenance)
    return SampleResult(
        sample_id=results.sample_id,
        landscape=read_csv(results.landscape, text_columns(Row)),
        panel=parse_panel(provenance["panel"], results.provenance),
        verdict=verdict["word"],
        reasons=tuple(verdict["reasons"]),
        facts={"landscape": slide_identity(results.landscape)},
    )


def _verdict(provenance: dict[str, Any]) -> dict[str, Any]:
    """The last verdict that a stage has given."""
    facts = [stage.get("facts", {}) for stage in provenance["stages"].values()]
    given = [f["verdict"] for f in facts if f.get("verdict")]
    return given[-1] if given else {"word": "pass", "reasons": ()}


def _samples(job: CohortJob, study: Study) -> dict[str, SampleResult]:
    """Results of the sheet's samples; raises MissingError if there are none."""
    if not job.results.is_dir():
        raise MissingError(f"{job.results}: no such folder of results")
    names = [str(slide.sample_id) for slide in study.slides]
    read = {name: read_sample(Results(job.results / name)) for name in names}
    found = {name: result for name, result in read.items() if result is not None}
    lacking = [name for name in names if name not in found]
    if not found:
        raise MissingError(
            f"{job.results}: holds no landscape of any of the {len(names)} samples of "
            f"{job.samples}, such as {job.results / names[0] / 'landscape.csv'}"
        )
    job.say(f"  {len(found)} of {len(names)} samples have a landscape")
    if lacking:
        job.say(f"  without: {', '.join(lacking)}")
    return found


def _refuse_foreign(out: Path) -> None:
    """Never replace a folder that holds anything but a cohort."""
    if out.exists() and not (out.is_dir() and _is_cohort(out)):
        raise UsageError(f"{out}: holds something else; choose another folder with -o")


def _is_cohort(out: Path) -> bool:
    return not any(out.iterdir()) or (out / "endpoints.csv").is_file()


def _provenance(
    job: CohortJob, study: Study, samples: dict[str, SampleResult]
) -> dict[str, Any]:
    named = job.options.cohort.endpoints, job.options.cohort.features
    files = dict(zip(("endpoints", "features"), named, strict=True))
    inputs = {"samples": job.samples} | {k: Path(v) for k, v in files.items() if v}
    return {
        "mifprofile": version("mifprofile"),
        "packages": {name: version(name) for name in PACKAGES},
        "options": job.options.cohort.model_dump(mode="json"),
        "inputs": {name: slide_identity(path) for name, path in inputs.items()},
        "patients": len(study.patients),
        "samples": {name: dict(sample.facts) for name, sample in samples.items()},
    }
