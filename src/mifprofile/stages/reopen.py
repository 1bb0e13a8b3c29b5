"""A finished result folder, taken up again."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from mifprofile.errors import UsageError
from mifprofile.io.config import parse_options, parse_panel
from mifprofile.io.results import Results
from mifprofile.options import STAGES, Stage
from mifprofile.stages.job import Job
from mifprofile.stages.run import fingerprint_of

if TYPE_CHECKING:
    from pathlib import Path

    from mifprofile.arguments import StrPath

# They read the folder alone, so that their fingerprints can be made again.
AFTER_PHENOTYPE = STAGES[STAGES.index("phenotype") + 1 :]


def open_results(folder: StrPath) -> Job:
    """Take up a finished result folder: its panel, options, gates and drawn regions.

    Stages after ``measure`` can be run on the job again; ``ingest`` and ``segment``
    would need the slide and masks, which the folder does not hold.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    Job
        Quiet, with one worker.

    Raises
    ------
    MissingError
        The folder was not finished.
    FormatError, UsageError
        Its records are damaged, or from before its last, unfinished run.
    """
    results = Results(folder)
    content = results.read_provenance()
    records = results.records()
    sections: dict[str, Any] = {s: r["options"] for s, r in records.items()}
    job = Job(
        results=results,
        panel=parse_panel(content["panel"], results.provenance),
        options=parse_options(sections, results.folder / "provenance"),
        gates=_kept(results, records.get("phenotype"), "gates"),
        regions=_kept(results, records.get("landscape"), "regions"),
        quiet=True,
    )
    _refuse_unfinished(job)
    return job


def _kept(results: Results, record: dict[str, Any] | None, name: str) -> Path | None:
    """Where the copy of a stage's input lies; None if it was given none."""
    kept = (record or {}).get("inputs", {}).get(name)
    return None if kept is None else results.input_copy(kept["name"])


def _refuse_unfinished(job: Job) -> None:
    """Raise UsageError if what is on record did not lead to the results."""
    if not all(_holds(job, stage) for stage in AFTER_PHENOTYPE):
        raise UsageError(
            f"{job.results.folder}: its last run did not finish; "
            "run 'mifprofile run' to the end first"
        )


def _holds(job: Job, stage: Stage) -> bool:
    record = job.results.read_record(stage)
    if record is None or record["version"] != version("mifprofile"):
        # Another version's fingerprints cannot be compared.
        return record is not None
    return bool(record["fingerprint"] == fingerprint_of(job, stage))
