"""Evaluable cells of several samples → one ``gates.csv`` for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mifprofile.arguments import (
    APath,
    Converted,
    MaybePath,
    SomePaths,
    as_path,
    as_path_or_none,
    as_paths,
)
from mifprofile.core.phenotype.gate_layouts import to_layout
from mifprofile.core.phenotype.gates import grade_of
from mifprofile.core.phenotype.shared_gates import Levels, shared_gates, with_figures
from mifprofile.errors import UsageError
from mifprofile.io.config import read_panel, read_samples
from mifprofile.io.results import Results
from mifprofile.io.tables import read_gates, write_table
from mifprofile.model import nearest
from mifprofile.options import Options
from mifprofile.stages.phenotype import control_levels, evaluable_cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mifprofile.core.phenotype.gate_layouts import Layout
    from mifprofile.model import Panel, Sample
    from mifprofile.options import GatesOptions


@dataclass(frozen=True)
class GatesJob:
    """Samples that are gated together.

    Attributes
    ----------
    folders : tuple of Path
        Result folders in which the stages up to ``measure`` have run.
    out : Path
        The table to write.
    options : Options
    panel : Path or None
        By default, each sample's own from the sheet.
    samples : Path or None
        Sample sheet; scopes beyond the slide and locks need it.
    source : Path or None
        Take the gates from this table, in any layout, instead of finding them.
    in_use : bool
        Collect each folder's own ``gates.csv`` instead of finding gates.
    layout : str
        Of the table that is written.
    """

    folders: SomePaths = Converted(as_paths)
    out: APath = Converted(as_path)
    options: Options = field(default_factory=Options)
    panel: MaybePath = Converted(as_path_or_none, None)
    samples: MaybePath = Converted(as_path_or_none, None)
    source: MaybePath = Converted(as_path_or_none, None)
    in_use: bool = False
    layout: Layout = "mifprofile"

    def __post_init__(self) -> None:
        """Refuse two places to take gates from."""
        if self.source is not None and self.in_use:
            raise UsageError("gates: give --from (source) or --in-use, not both")


def gates(job: GatesJob) -> pd.DataFrame:
    """Find or collect the gates of all samples, and write them as one table."""
    results = {r.sample_id: r for r in map(Results, job.folders)}
    if len(results) < len(job.folders):
        raise UsageError("two result folders have the same name, that of their sample")
    sheet = _sheet(job, list(results))
    panels = _panels(job, sheet, list(results))
    parts: list[pd.DataFrame] = []
    levels: dict[str, pd.DataFrame] = {}
    for path in dict.fromkeys(panels.values()):
        mine = {name: r for name, r in results.items() if panels[name] == path}
        panel = read_panel(path)
        here = {name: evaluable_cells(r, panel) for name, r in mine.items()}
        parts.append(_gates_of(job, mine, here, sheet, panel))
        levels |= {name: sample.levels for name, sample in here.items()}
    table = pd.concat(parts, ignore_index=True)
    conditions = {name: sample.timepoint for name, sample in sheet.items()}
    write_table(to_layout(table, job.layout, levels, conditions), job.out)
    return table


def _gates_of(
    job: GatesJob,
    results: Mapping[str, Results],
    samples: Mapping[str, Levels],
    sheet: Mapping[str, Sample],
    panel: Panel,
) -> pd.DataFrame:
    """Gates of the samples of one panel."""
    if job.source is None and not job.in_use:
        return shared_gates(
            samples,
            _groups(job, sheet, list(samples)),
            {name: sample.timepoint for name, sample in sheet.items()},
            panel,
            job.options,
            control_levels(panel, job.options.phenotype),
        )
    levels = {name: sample.levels for name, sample in samples.items()}
    tables = [
        read_gates(job.source or results[name].gates, name, levels[name])
        for name in levels
    ]
    table = pd.concat(tables, ignore_index=True)
    for marker in table["marker"]:
        if marker not in panel.markers:
            hint = nearest(str(marker), panel.markers)
            raise UsageError(f"{job.source}: no marker {marker!r} in the panel{hint}")
    table["grade"] = [
        grade_of(levels[row["sample"]][row["marker"]], row["threshold"], row["grade"])
        for row in table.to_dict("records")
    ]
    return with_figures(table, levels)


def _sheet(job: GatesJob, names: list[str]) -> dict[str, Sample]:
    """Rows of the sample sheet for the given samples, by name."""
    scope, lock_to = job.options.gates.scope, job.options.gates.lock_to
    if job.samples is None:
        if scope in {"patient", "batch"} or lock_to is not None:
            what = f"lock_to {lock_to}" if lock_to else f"scope {scope}"
            raise UsageError(f"gates: {what} needs the sample sheet (--samples)")
        return {}
    sheet = {sample.sample_id: sample for sample in read_samples(job.samples)}
    for name in names:
        if name not in sheet:
            raise UsageError(f"{job.samples}: no sample {name!r}{nearest(name, sheet)}")
    check_lock(job.options.gates, sheet.values(), job.samples)
    return {name: sheet[name] for name in names}


def check_lock(options: GatesOptions, samples: Iterable[Sample], sheet: Path) -> None:
    """Raise UsageError if gates are locked to a timepoint that is not there."""
    known = dict.fromkeys(sample.timepoint for sample in samples)
    if options.lock_to is not None and options.lock_to not in known:
        raise UsageError(
            f"{sheet}: no sample at timepoint {options.lock_to!r}"
            f"{nearest(options.lock_to, known)}"
        )


def _panels(
    job: GatesJob, sheet: Mapping[str, Sample], names: list[str]
) -> dict[str, Path]:
    if job.panel is not None:
        return dict.fromkeys(names, job.panel)
    if not sheet:
        raise UsageError("gates: give --panel, or --samples with a column panel")
    return {name: Path(sheet[name].panel) for name in names}


def _groups(
    job: GatesJob, sheet: Mapping[str, Sample], names: list[str]
) -> dict[str, str]:
    """Which group each sample is in."""
    match job.options.gates.scope:
        case "slide":
            return {name: name for name in names}
        case "patient":
            return {name: sheet[name].patient_id for name in names}
        case "batch":
            return {name: sheet[name].batch for name in names}
        case "cohort":
            return dict.fromkeys(names, "cohort")
