"""A finished result folder, taken up again."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from mifprofile.errors import UsageError
from mifprofile.io.config import parse_options, parse_panel
from mifprofile.io.results import Results
from mifprofile.stages.job import Job
from mifprofile.stages.run import fingerprint_of

if TYPE_CHECKING:
    from mifprofile.arguments import StrPath
    from mifprofile.options import Stage


def open_results(folder: StrPath) -> Job:
    """Take up a finished result folder: its panel, options, gates and drawn regions.

    Stages from ``phenotype`` on can be run on the job again; those before it would
    need the slide, masks or table, which the folder does not hold.

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
    sections: dict[str, Any] = {s: r["options"] for s, r in results.records().items()}
    job = Job(
        results=results,
        panel=parse_panel(content["panel"], results.provenance),
        options=parse_options(sections, results.folder / "provenance"),
        areas=results.kept_input("landscape", "areas"),
        gates=results.kept_input("phenotype", "gates"),
        regions=results.kept_input("landscape", "regions"),
        quiet=True,
    )
    _refuse_unfinished(job)
    return job


def _refuse_unfinished(job: Job) -> None:
    """Raise UsageError if what is on record did not lead to the results."""
    stages = list(job.steps)
    # These read the folder alone, so that their fingerprints can be made again.
    if not all(_holds(job, s) for s in stages[stages.index("phenotype") + 1 :]):
        command = "landscape --from-table" if job.of_table else "run"
        raise UsageError(
            f"{job.results.folder}: its last run did not finish; "
            f"run 'mifprofile {command}' to the end first"
        )


def _holds(job: Job, stage: Stage) -> bool:
    record = job.results.read_record(stage)
    if record is None:
        return False
    if record.get("version") != version("mifprofile"):
        # Another version's fingerprints cannot be compared.
        return True
    return bool(record["fingerprint"] == fingerprint_of(job, stage))
