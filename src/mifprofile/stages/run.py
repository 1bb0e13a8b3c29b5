"""Runs stages, and skips what is there already and still holds."""

from __future__ import annotations

import hashlib
import json
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mifprofile.errors import MissingError, UsageError
from mifprofile.io.atomic import storage_errors
from mifprofile.io.results import Results, slide_identity
from mifprofile.io.store import Scratch
from mifprofile.options import STAGES, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mifprofile.stages.job import Job

UPSTREAM: dict[Stage, tuple[Stage, ...]] = {
    "ingest": (),
    "quality": ("ingest",),
    "segment": ("ingest", "quality"),
    "measure": ("segment",),
    "phenotype": ("quality", "measure"),
    "landscape": ("quality", "phenotype"),
    "export": ("landscape",),
    "report": ("export",),
}
# What of the panel a stage depends on; the others depend on all of it.
PANEL_PART: dict[Stage, set[str]] = {
    "ingest": {"channels"},
    "quality": {"nucleus", "membrane", "markers", "impossible"},
    "segment": {"nucleus", "membrane"},
    "measure": {"markers"},
}
# Of a stage before, what alone a stage depends on, by the name of the fact that tells.
UPSTREAM_PART: dict[tuple[Stage, Stage], str] = {
    # Other exclusions leave the cells as they are.
    ("segment", "quality"): "tissue_sha256",
}
# Options that cannot change a result.
WITHOUT_EFFECT = {"block_px"}


def run_all(job: Job, *, force: bool = False) -> None:
    """Run every stage on one slide; finished ones that still hold are kept."""
    from mifprofile.stages.landscape import check_landscape
    from mifprofile.stages.verdict import read_verdict, verdict_lines

    # A file that only a late stage reads is missed now, not after hours.
    for stage in STAGES:
        _refuse_missing(job, stage)
    check_landscape(job.options, job.panel, job.regions)
    for stage in STAGES:
        run_stage(job, stage, force=force)
        # What comes after takes hours: of a bad slide one wants to hear now.
        if stage == "quality" and (found := read_verdict(job.results, stage)):
            for line in verdict_lines(found):
                job.say(f"  {line}")


def run_stage(job: Job, stage: Stage, *, force: bool = False) -> None:
    """Run one stage, unless its outputs are there and nothing before has changed."""
    if stage == "ingest":
        _refuse_other_slide(job)
    for before in UPSTREAM[stage]:
        job.results.require(before)
    _refuse_missing(job, stage)
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
        facts = _function(stage)(job)
    seconds = time.time() - started
    job.results.write_record(stage, _record(job, stage, fingerprint, seconds, facts))
    scratch.remove()
    job.say(f"{stage}: done in {seconds:.1f} s")


def _function(stage: Stage) -> Callable[[Job], dict[str, Any]]:
    """Import a stage when it is needed: torch, anndata and the like are heavy."""
    module = import_module(f"mifprofile.stages.{stage}")
    function: Callable[[Job], dict[str, Any]] = getattr(module, stage)
    return function


def _holds(job: Job, stage: Stage, fingerprint: str) -> bool:
    record = job.results.read_record(stage)
    there = all(path.exists() for path in job.results.outputs(stage))
    return there and record is not None and record["fingerprint"] == fingerprint


def fingerprint_of(job: Job, stage: Stage) -> str:
    """Digest of all that a stage's result depends on."""
    records = {name: job.results.read_record(name) for name in UPSTREAM[stage]}
    content = {
        "version": version("mifprofile"),
        "options": getattr(job.options, stage).model_dump(
            mode="json", exclude=WITHOUT_EFFECT
        ),
        "panel": job.panel.model_dump(mode="json", include=PANEL_PART.get(stage)),
        "inputs": {name: slide_identity(path) for name, path in _inputs(job, stage)},
        "upstream": {n: r and _mark(stage, n, r) for n, r in records.items()},
    }
    # Unsorted: of the panel's phenotypes the first that fits wins.
    text = json.dumps(content)
    return hashlib.sha256(text.encode()).hexdigest()


def _mark(stage: Stage, before: Stage, record: dict[str, Any]) -> str:
    """What of a stage's record tells another that nothing has changed."""
    fact = UPSTREAM_PART.get((stage, before))
    part = record["facts"].get(fact) if fact else None
    return str(part or record["fingerprint"])


def _inputs(job: Job, stage: Stage) -> list[tuple[str, Path]]:
    """Files from outside the result folder that a stage reads."""
    correct, control = job.options.measure.correct, job.options.phenotype.control
    files: dict[Stage, Mapping[str, Path | None]] = {
        "ingest": {"slide": job.slide},
        "quality": {"exclusions": job.exclusions},
        "segment": {
            "nuclei": job.nuclei,
            "cells": job.cells,
            "model": _file(job.options.segment.model),
        },
        "measure": {
            "unmixing": _file(correct.unmixing),
            "flat_field": _file(correct.flat_field_file),
        },
        "phenotype": job.gate_tables | _of_control(control),
        "landscape": {"regions": job.regions},
    }
    mine = files.get(stage, {})
    return [(name, path) for name, path in mine.items() if path is not None]


def _of_control(folder: str | None) -> dict[str, Path]:
    """Files that tell whether a control slide's cells are still the same."""
    if folder is None:
        return {}
    control = Results(Path(folder))
    files = {
        "control": control.measurements,
        "control_quality": control.record_path("quality"),
    }
    return {name: path for name, path in files.items() if path.is_file()}


def _refuse_missing(job: Job, stage: Stage) -> None:
    for name, path in _inputs(job, stage):
        if not path.exists():
            raise MissingError(f"{path}: no such file, given as {name}")


def _file(name: str | None) -> Path | None:
    """Path of an option's file; None if it names none that is there."""
    return Path(name) if name is not None and Path(name).is_file() else None


def _record(
    job: Job, stage: Stage, fingerprint: str, seconds: float, facts: dict[str, Any]
) -> dict[str, Any]:
    return {
        "stage": stage,
        "fingerprint": fingerprint,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(seconds, 2),
        "version": version("mifprofile"),
        "options": getattr(job.options, stage).model_dump(mode="json"),
        "inputs": {name: slide_identity(path) for name, path in _inputs(job, stage)},
        "facts": facts,
    }


def _refuse_other_slide(job: Job) -> None:
    record = job.results.read_record("ingest")
    if record is None or job.slide is None or not job.slide.exists():
        return
    before, now = record["inputs"].get("slide"), slide_identity(job.slide)
    if before != now:
        raise UsageError(
            f"{job.results.folder}: holds the results of another slide "
            f"({before['name']}, not {now['name']}); choose another folder with -o"
        )
