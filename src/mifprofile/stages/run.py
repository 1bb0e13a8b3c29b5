"""Runs stages, and skips what is there already and still holds."""

from __future__ import annotations

import hashlib
import json
import time
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from mifprofile.errors import MissingError, UsageError
from mifprofile.io.atomic import storage_errors
from mifprofile.io.results import slide_identity
from mifprofile.io.store import Scratch
from mifprofile.pipeline import step_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mifprofile.options import Stage
    from mifprofile.pipeline import Step
    from mifprofile.stages.job import Job

# Options that cannot change a result.
WITHOUT_EFFECT = {"block_px"}
# Small input files that are copied, so that a folder can be taken up without them.
KEPT = {"gates", "regions", "areas"}


def run_all(job: Job, *, force: bool = False) -> None:
    """Run every stage on one slide; finished ones that still hold are kept."""
    from mifprofile.stages.landscape import check_landscape
    from mifprofile.stages.verdict import read_verdict, verdict_lines

    # A file that only a late stage reads is missed now, not after hours.
    for step in job.steps.values():
        _refuse_missing(job, step)
    if not job.of_table:
        check_landscape(job.options, job.panel, job.regions)
    for stage in job.steps:
        run_stage(job, stage, force=force)
        # What comes after takes hours: of a bad slide one wants to hear now.
        if stage == "quality" and (found := read_verdict(job.results, stage)):
            for line in verdict_lines(found):
                job.say(f"  {line}")


def run_stage(job: Job, stage: Stage, *, force: bool = False) -> None:
    """Run one stage, unless its outputs are there and nothing before has changed."""
    step = step_of(stage, of_table=job.of_table)
    if stage == "ingest":
        _refuse_source(job)
    for before in step.upstream:
        job.results.require(before)
    _refuse_missing(job, step)
    fingerprint = fingerprint_of(job, stage)
    if not force and _holds(job, stage, fingerprint):
        job.say(f"{stage}: up to date")
        return
    job.say(f"{stage} ...")
    scratch = Scratch(job.results.scratch(stage))
    if force:
        scratch.remove()
    started = time.time()
    job.results.record_path(stage).unlink(missing_ok=True)
    with storage_errors(job.results.folder):
        facts = _function(step)(job)
        for name in KEPT & job.inputs(step).keys():
            job.results.keep_input(job.files[name])
    seconds = time.time() - started
    job.results.write_record(stage, _record(job, step, fingerprint, seconds, facts))
    scratch.remove()
    job.say(f"{stage}: done in {seconds:.1f} s")


def _function(step: Step) -> Callable[[Job], dict[str, Any]]:
    """Import a stage when it is needed: torch, anndata and the like are heavy."""
    module, _, name = (step.code or f"{step.name}.{step.name}").partition(".")
    function: Callable[[Job], dict[str, Any]]
    function = getattr(import_module(f"mifprofile.stages.{module}"), name)
    return function


def _holds(job: Job, stage: Stage, fingerprint: str) -> bool:
    record = job.results.read_record(stage)
    there = all(path.exists() for path in job.results.outputs(stage))
    return there and record is not None and record.get("fingerprint") == fingerprint


def fingerprint_of(job: Job, stage: Stage) -> str:
    """Digest of all that a stage's result depends on."""
    step = step_of(stage, of_table=job.of_table)
    records = {name: job.results.read_record(name) for name in step.upstream}
    content = {
        "version": version("mifprofile"),
        "options": getattr(job.options, stage).model_dump(
            mode="json", exclude=WITHOUT_EFFECT
        ),
        "panel": job.panel.model_dump(mode="json", include=set(step.panel) or None),
        "inputs": _identities(job, step),
        "upstream": {n: r and _mark(step, n, r) for n, r in records.items()},
    }
    # Unsorted: of the panel's phenotypes the first that fits wins.
    text = json.dumps(content)
    return hashlib.sha256(text.encode()).hexdigest()


def _mark(step: Step, before: Stage, record: dict[str, Any]) -> str:
    """What of a stage's record tells another that nothing has changed."""
    part = record["facts"].get(step.only.get(before))
    return str(part or record["fingerprint"])


def _identities(job: Job, step: Step) -> dict[str, dict[str, Any]]:
    return {name: slide_identity(path) for name, path in job.inputs(step).items()}


def _refuse_missing(job: Job, step: Step) -> None:
    for name, path in job.inputs(step).items():
        if not path.exists():
            raise MissingError(f"{path}: no such file, given as {name}")


def _record(
    job: Job, step: Step, fingerprint: str, seconds: float, facts: dict[str, Any]
) -> dict[str, Any]:
    return {
        "stage": step.name,
        "fingerprint": fingerprint,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(seconds, 2),
        "version": version("mifprofile"),
        "options": getattr(job.options, step.name).model_dump(mode="json"),
        "inputs": _identities(job, step),
        "facts": facts,
    }


def _refuse_source(job: Job) -> None:
    """Raise UsageError without a source, or if the folder holds another's results."""
    results, other = job.results, None
    if job.slide is None and job.table is None:
        source = "table of cells" if job.of_table else "slide's file"
        raise UsageError(f"ingest needs the {source}")
    if job.slide is not None and results.of_table:
        other = "a table of cells"
    elif job.table is not None and results.slide.exists():
        other = "a slide"
    elif (record := results.read_record("ingest")) and job.slide and job.slide.exists():
        before, now = record["inputs"].get("slide"), slide_identity(job.slide)
        if before != now:
            other = f"another slide ({before['name']}, not {now['name']})"
    if other is not None:
        raise UsageError(
            f"{results.folder}: holds the results of {other}; choose another folder "
            "with -o"
        )
