"""``measurements.parquet`` and gates → ``phenotypes.parquet`` and ``gates.csv``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.core import phenotype as core
from mifprofile.core.facts import PhenotypeFacts
from mifprofile.core.phenotype.conflicts import impossible_combinations
from mifprofile.core.phenotype.gates import (
    GATE_COLUMNS,
    KnownGates,
    drift,
    find_gates,
    gating_order,
    grade_of,
    method_of,
)
from mifprofile.core.phenotype.shared_gates import Levels, with_figures
from mifprofile.core.quality import EVALUABLE, flag_cells
from mifprofile.errors import UsageError
from mifprofile.io.results import Results
from mifprofile.io.tables import (
    read_gates,
    read_manual_gates,
    read_parquet,
    write_table,
)
from mifprofile.model import nearest
from mifprofile.stages.quality import read_exclusion_masks
from mifprofile.stages.verdict import judge, nuclei_of_slide

if TYPE_CHECKING:
    from mifprofile.core.phenotype.gates import Gate
    from mifprofile.core.quality import NucleiFigures
    from mifprofile.model import Panel
    from mifprofile.options import PhenotypeOptions
    from mifprofile.stages.job import Job

# Figures of the nuclei for the record.
NUCLEI = ("median_um2", "lymphocyte_um2", "unseen_share")


def phenotype(job: Job) -> dict[str, Any]:
    """Gate every marker, by hand where a table says so, and name every cell."""
    table = read_parquet(job.results.measurements)
    levels = core.marker_levels(table, job.panel)
    flags = flag_cells(table, *read_exclusion_masks(job.results))
    evaluable = flags[EVALUABLE]
    gates = make_gates(job, levels[evaluable], table[evaluable])
    cuts, least = KnownGates.of(gates), job.options.phenotype.min_confidence
    calls = core.call_cells(
        levels, cuts.thresholds, job.panel, least, evaluable, cuts.undecided
    )
    calls = pd.concat([table["cell_id"], calls, flags], axis=1)
    impossible = _impossible(job, calls[evaluable], levels[evaluable])
    nuclei = nuclei_of_slide(job, table[evaluable], calls[evaluable])
    facts = write_calls(job, gates, calls, nuclei, impossible)
    figures = {name: getattr(nuclei, name) for name in NUCLEI}
    known = {name: v if np.isfinite(v) else None for name, v in figures.items()}
    return {"evaluable": int(evaluable.sum()), "nuclei": known} | facts.noted()


def write_calls(
    job: Job,
    gates: pd.DataFrame,
    calls: pd.DataFrame,
    nuclei: NucleiFigures,
    impossible: list[dict[str, Any]],
) -> PhenotypeFacts:
    """Write gates and calls, and judge the sample by them."""
    write_table(gates, job.results.gates)
    write_table(calls, job.results.phenotypes)
    counts = calls["phenotype"].value_counts(sort=False)
    cells = {str(name): int(count) for name, count in counts.items()}
    return PhenotypeFacts(judge(job, gates, nuclei, impossible), cells, impossible)


def _impossible(
    job: Job, calls: pd.DataFrame, levels: pd.DataFrame
) -> list[dict[str, Any]]:
    """Rates of impossible combinations, and whether they come from neighbours."""
    path = job.results.contacts
    contacts = read_parquet(path) if path.exists() else None
    found = impossible_combinations(calls, levels, job.panel, contacts)
    return found.replace({np.nan: None}).to_dict("records")


def make_gates(
    job: Job, levels: pd.DataFrame, cells: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One gate per marker of the panel with its figures: the rows of ``gates.csv``.

    Parameters
    ----------
    job : Job
    levels : pandas.DataFrame
        A column per marker, a row per cell.
    cells : pandas.DataFrame or None
        The same cells as measured.
    """
    given = _gates_given(job, levels)
    found = find_gates(
        levels,
        job.panel,
        job.options.phenotype,
        known={marker: row["threshold"] for marker, row in given.items()},
        control=control_levels(job.panel, job.options.phenotype),
        cells=cells,
    )
    rows = [given.get(m) or _found(job, m, found[m]) for m in job.panel.markers]
    for row in rows:
        if row["drift"]:
            job.say(f"  warn: the gate of {row['marker']} may not fit: {row['drift']}")
    gates = pd.DataFrame(rows, columns=list(GATE_COLUMNS))
    return with_figures(gates, {job.results.sample_id: levels})


def check_gating(panel: Panel, options: PhenotypeOptions) -> None:
    """Raise a MifprofileError for what would fail later, before cells are measured."""
    gating_order(panel, options)
    control = _control(panel, options)
    if control is not None:
        control.require("quality")
        control.require("measure")


def control_levels(panel: Panel, options: PhenotypeOptions) -> pd.DataFrame | None:
    """Levels on the negative-control slide, or None if none is given."""
    control = _control(panel, options)
    return None if control is None else evaluable_cells(control, panel).levels


def _control(panel: Panel, options: PhenotypeOptions) -> Results | None:
    if options.control is None:
        return None
    anchored = [m for m in panel.markers if method_of(m, options) == "control"]
    if not set(anchored) - set(options.negatives):
        raise UsageError(
            f"{options.control}: a control slide, but no marker is gated by it; set "
            "phenotype.method, or phenotype.methods of a marker, to control"
        )
    return Results(Path(options.control))


def evaluable_cells(results: Results, panel: Panel) -> Levels:
    """The cells in which gates are sought: those in no excluded area."""
    table = read_parquet(results.measurements)
    flags = flag_cells(table, *read_exclusion_masks(results))
    cells = table[flags[EVALUABLE]]
    return Levels(core.marker_levels(cells, panel), cells)


def _gates_given(job: Job, levels: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Gates from tables, by marker; those set in the viewer win."""
    rows = {}
    if job.gates is not None:
        table = read_gates(job.gates, job.results.sample_id, levels)
        rows = _rows_of(job, table, levels, job.gates)
    path = job.results.gates_manual
    manual = _rows_of(job, read_manual_gates(job.results, levels), levels, path)
    for marker in manual.keys() & rows.keys():
        job.say(f"  {marker}: the gate in {path} replaces the one in {job.gates}")
    return rows | manual


def _rows_of(
    job: Job, table: pd.DataFrame, levels: pd.DataFrame, path: Path
) -> dict[str, dict[str, Any]]:
    """Rows of a gate table, each with why it may not fit these cells."""
    rows = table.to_dict("records")
    for row in rows:
        marker = row["marker"]
        if marker not in job.panel.markers:
            raise UsageError(
                f"{path}: no marker {marker!r} in panel {job.panel.name}"
                f"{nearest(str(marker), job.panel.markers)}"
            )
        mine = levels[marker].to_numpy(float)
        row["drift"] = drift(mine, row["threshold"], job.options.phenotype)
        row["grade"] = grade_of(mine, row["threshold"], row["grade"])
    return {str(row["marker"]): row for row in rows}


def _found(job: Job, marker: str, gate: Gate) -> dict[str, Any]:
    return {
        "sample": job.results.sample_id,
        "marker": marker,
        "threshold": gate.threshold,
        "grade": gate.grade,
        "method": method_of(marker, job.options.phenotype),
        "scope": "slide",
        "note": gate.note,
        "author": "",
        "time": "",
        "drift": "",
    }
