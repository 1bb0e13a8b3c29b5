"""A finished result folder, taken up again."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from mifprofile.errors import UsageError
from mifprofile.io.config import parse_options, parse_panel
from mifprofile.io.results import Results
from mifprofile.stages.job import Job
from mifprofile.stages.run import fingerprint_of


def open_results(folder: str | Path) -> Job:
    """Take up a finished result folder: its panel, its options and its gate table.

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
    results = Results(Path(folder))
    content = results.read_provenance()
    records = results.records()
    sections = {stage: record["options"] for stage, record in records.items()}
    table = records.get("phenotype", {}).get("inputs", {}).get("gates")
    job = Job(
        results=results,
        panel=parse_panel(content["panel"], results.provenance),
        options=parse_options(dict(sections), results.folder / "provenance"),
        gates=None if table is None else results.input_copy(table["name"]),
        quiet=True,
    )
    _refuse_unfinished(job)
    return job


def _refuse_unfinished(job: Job) -> None:
    """Raise UsageError if the panel on record is not the one of the results."""
    record = job.results.read_record("report")
    if record is None or (
        record["version"] == version("mifprofile")
        and record["fingerprint"] != fingerprint_of(job, "report")
    ):
        raise UsageError(
            f"{job.results.folder}: its last run did not finish; "
            "run 'mifprofile run' to the end first"
        )
