"""A table of cells made elsewhere → landscape and report."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.core.conflicts import Combination
from mifprofile.core.foreign import (
    implied_positive,
    is_marker_list,
    phenotypes_of,
    positive_by_list,
    region_of,
)
from mifprofile.core.gates import KnownGates, undecided_markers
from mifprofile.core.landscape import (
    OUTSIDE,
    REGION_NAMES,
    Recall,
    landscape,
    landscape_of_areas,
    region_of_cells,
)
from mifprofile.core.maps import at_grid
from mifprofile.core.phenotype import (
    call_cells,
    call_positive,
    called_again,
    lineage_of,
)
from mifprofile.errors import UsageError
from mifprofile.io.atomic import storage_errors
from mifprofile.io.cell_tables import (
    CellTable,
    read_areas_mm2,
    read_cell_table,
    read_tissue_map,
    required_um,
)
from mifprofile.io.results import slide_identity, write_json
from mifprofile.io.tables import write_table
from mifprofile.report import Overview, ReportContent
from mifprofile.stages.landscape import write_landscape
from mifprofile.stages.phenotype import make_gates
from mifprofile.stages.report import software, stage_records, write_report
from mifprofile.stages.verdict import judge_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from mifprofile.model import Panel
    from mifprofile.stages.job import Job

GIVEN = "given"
MAPS = {".tif", ".tiff"}


@dataclass(frozen=True)
class _Tissue:
    """What is known of the tissue: a map of its regions, or their areas, or nothing."""

    regions: NDArray[np.uint8] | None
    um: float
    areas_mm2: dict[str, float]


@dataclass(frozen=True)
class _Called:
    """Cells with their calls, the levels behind them, and the gates."""

    levels: pd.DataFrame
    gates: pd.DataFrame
    cells: pd.DataFrame
    recall: Recall


def landscape_of_table(job: Job, table: Path, areas: Path | None) -> dict[str, Any]:
    """Make the landscape of cells that another program found.

    Parameters
    ----------
    job : Job
        ``job.options.ingest.pixel_size_um`` is needed where the table is in pixels.
    table : Path
        As for `mifprofile.io.cell_tables.read_cell_table`.
    areas : Path or None
        As for `mifprofile.io.cell_tables.read_areas_mm2`, or inForm's map of tissue
        categories (``binary_seg_maps.tif``).

    Returns
    -------
    dict
        Facts for the record.
    """
    if job.results.slide.exists():
        raise UsageError(
            f"{job.results.folder}: holds the results of a slide; choose another "
            "folder with -o"
        )
    um = job.options.ingest.pixel_size_um
    read = read_cell_table(table, job.panel, um)
    tissue = _tissue(areas, um)
    job.say(f"  {read.program}, {len(read.cells)} cells")
    if read.lacking:
        job.say(f"  not in the table: {', '.join(read.lacking)}")
    with storage_errors(job.results.folder):
        called = _call(job, read, tissue)
        rows = _rows(job, called, tissue)
        _write(job, called, rows)
        facts = _facts(job, read, called, tissue, rows)
        job.results.write_record("landscape", _record(job, facts, table, areas))
        content = _content(job, table.name, called, rows, tissue)
        write_report(job, content)
    return facts


def landscape_alone(job: Job, read: CellTable, table: Path) -> None:
    """Gates and landscape of a part of a table, as a cohort needs them; no report.

    Parameters
    ----------
    job : Job
    read : CellTable
        The cells of one sample.
    table : Path
        Where they come from.
    """
    tissue = _tissue(None, None)
    with storage_errors(job.results.folder):
        called = _call(job, read, tissue)
        rows = _rows(job, called, tissue)
        write_table(called.gates, job.results.gates)
        write_table(rows, job.results.landscape)
        facts = _facts(job, read, called, tissue, rows)
        job.results.write_record("landscape", _record(job, facts, table, None))
        write_json(_alone(job), job.results.provenance)


def _alone(job: Job) -> dict[str, Any]:
    records = {str(k): v for k, v in job.results.records().items()}
    return {
        "sample_id": job.results.sample_id,
        "packages": software(records),
        "panel": job.panel.model_dump(mode="json"),
        "stages": records,
    }


def _facts(
    job: Job, read: CellTable, called: _Called, tissue: _Tissue, rows: pd.DataFrame
) -> dict[str, Any]:
    return {
        "program": read.program,
        "cells": len(called.cells),
        "lacking": list(read.lacking),
        "area_mm2": tissue.areas_mm2,
        "rows": len(rows),
        "verdict": judge_table(job, called.gates, called.cells),
    }


def _tissue(areas: Path | None, um: float | None) -> _Tissue:
    if areas is None:
        return _Tissue(None, np.nan, {})
    if areas.suffix.casefold() in MAPS:
        return _mapped(areas, um)
    found: dict[str, float] = {}
    for category, mm2 in read_areas_mm2(areas, um).items():
        region = region_of(category)
        found[region] = found.get(region, 0.0) + mm2
    return _Tissue(None, np.nan, found)


def _mapped(path: Path, pixel_um: float | None) -> _Tissue:
    codes, names = read_tissue_map(path)
    um = required_um(path, pixel_um)
    ours = np.array([REGION_NAMES.index(region_of(n)) for n in names], np.uint8)
    regions = ours[codes]
    pixels = np.bincount(regions.ravel(), minlength=len(REGION_NAMES))
    mm2 = um**2 / 1e6
    areas = {REGION_NAMES[c]: float(pixels[c]) * mm2 for c in dict.fromkeys(ours)}
    return _Tissue(regions, um, areas)


def _regions(cells: pd.DataFrame, tissue: _Tissue) -> pd.Series:
    """Region of each cell: where the map has it, else as the table names it."""
    if tissue.regions is not None:
        return region_of_cells(cells, tissue.regions, tissue.um).astype(str)
    given = cells["region_given"]
    return given.map({n: region_of(n) if n else "" for n in given.unique()})


def _call(job: Job, read: CellTable, tissue: _Tissue) -> _Called:
    """Gates, and the cells with positivity and phenotypes, theirs before ours."""
    panel, cells = job.panel, read.cells
    given = cells["phenotype_given"]
    named = (given != "").any() and not is_marker_list(given, panel)
    phenotypes = phenotypes_of(given, panel) if named else None
    levels, notes = _levels(cells, panel, phenotypes)
    gates = _gates(job, levels, notes, cells)
    thresholds = dict(zip(gates["marker"], gates["threshold"], strict=True))
    least = job.options.phenotype.min_confidence
    calls = call_cells(
        levels, thresholds, panel, least, undecided=undecided_markers(gates)
    )
    if phenotypes is not None:
        calls["phenotype"] = calls["phenotype_best"] = phenotypes
        calls["lineage"] = lineage_of(phenotypes, panel)
        calls["phenotype_confidence"] = np.nan
    rest = cells[[c for c in cells if c not in calls]]
    named_cells = pd.concat([rest, calls], axis=1)
    named_cells["region"] = _regions(cells, tissue)
    recall = _recall(job, levels, gates, named=phenotypes is not None)
    return _Called(levels, gates, named_cells, recall)


def _known(gates: pd.DataFrame) -> KnownGates:
    """Gates of what was measured, and the grades of all."""
    measured = gates[gates["method"] != GIVEN]
    return replace(KnownGates.of(gates), thresholds=KnownGates.of(measured).thresholds)


def _recall(
    job: Job, levels: pd.DataFrame, gates: pd.DataFrame, *, named: bool
) -> Recall:
    """Calls of the same cells at other thresholds; names that were given stay."""
    panel, least = job.panel, job.options.phenotype.min_confidence
    before = KnownGates.of(gates).thresholds

    def calls(thresholds: Mapping[str, float]) -> pd.DataFrame:
        moved = {**before, **thresholds}
        if named:
            return call_positive(levels, moved)
        return called_again(levels, moved, panel, least)

    return calls


def _levels(
    cells: pd.DataFrame, panel: Panel, phenotypes: pd.Series | None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Level of each marker; 0 or 1 of those that are called already, and why."""
    measured = {m: c for m, c in panel.level_columns.items() if c in cells}
    levels = pd.DataFrame(np.nan, cells.index, list(panel.markers))
    levels = levels.assign(**{m: cells[c] for m, c in measured.items()})
    notes = {}
    for marker, (calls, why) in _called_already(cells, panel, phenotypes).items():
        levels[marker] = calls[f"{marker}_positive"].astype(float)
        notes[marker] = f"called in the table by {why}"
    return levels, notes


def _called_already(
    cells: pd.DataFrame, panel: Panel, phenotypes: pd.Series | None
) -> dict[str, tuple[pd.DataFrame, str]]:
    """Markers whose positivity the table tells: their calls, and by what."""
    given = cells["phenotype_given"]
    known: dict[str, tuple[pd.DataFrame, str]] = {}
    if phenotypes is not None:
        implied = implied_positive(phenotypes, panel), "its phenotypes"
        ruling = {marker for rule in panel.rules.values() for marker, _ in rule.signs}
        known |= {m: implied for m in panel.markers if m in ruling}
    elif is_marker_list(given, panel):
        listed = positive_by_list(given, panel), "its classes"
        known |= dict.fromkeys(panel.markers, listed)
    by_calls = {m for m in panel.markers if f"{m}_positive" in cells}
    return known | dict.fromkeys(by_calls, (cells, "its own calls"))


def _gates(
    job: Job, levels: pd.DataFrame, notes: dict[str, str], cells: pd.DataFrame
) -> pd.DataFrame:
    """Gates of what was measured; what was called elsewhere is split at one half."""
    sought = levels.assign(**dict.fromkeys(notes, np.nan))
    gates = make_gates(job, sought, cells)
    called = gates["marker"].isin(notes)
    gates.loc[called, "threshold"] = 0.5
    gates.loc[called, "grade"] = [
        "clear" if (levels[m] > 0.5).any() else "absent"
        for m in gates.loc[called, "marker"]
    ]
    gates.loc[called, "method"] = GIVEN
    gates.loc[called, "note"] = gates.loc[called, "marker"].map(notes)
    absent = levels.isna().all()
    unread = gates["marker"].isin(absent[absent].index)
    gates.loc[unread, "note"] = "not in the table"
    return gates


def _rows(job: Job, called: _Called, tissue: _Tissue) -> pd.DataFrame:
    asked = job.panel, job.options.landscape, _known(called.gates), called.recall
    cells, name = called.cells, job.results.sample_id
    if tissue.regions is None:
        return landscape_of_areas(name, cells, tissue.areas_mm2, *asked)
    return landscape(name, cells, tissue.regions, tissue.um, *asked)


def _write(job: Job, called: _Called, rows: pd.DataFrame) -> None:
    results, cells = job.results, called.cells
    write_table(called.gates, results.gates)
    write_table(cells, results.cells)
    write_table(cells, results.cells.with_suffix(".csv"))
    write_landscape(results, rows)


def _record(
    job: Job, facts: dict[str, Any], table: Path, areas: Path | None
) -> dict[str, Any]:
    inputs = {"table": table, "areas": areas, "gates": job.gates}
    return {
        "stage": "landscape",
        "options": job.options.landscape.model_dump(mode="json"),
        "inputs": {k: slide_identity(v) for k, v in inputs.items() if v is not None},
        "facts": facts,
    }


def _content(
    job: Job,
    name: str,
    called: _Called,
    rows: pd.DataFrame,
    tissue: _Tissue,
) -> ReportContent:
    cells = called.cells
    size_um = (float(cells["x_um"].max()), float(cells["y_um"].max()))
    records = stage_records(job)
    return ReportContent(
        sample_id=job.results.sample_id,
        slide_name=name,
        panel=job.panel,
        pixel_size_um=job.options.ingest.pixel_size_um,
        size_um=size_um,
        levels=called.levels,
        gates=called.gates,
        impossible=pd.DataFrame(columns=[f.name for f in fields(Combination)]),
        landscape=rows,
        overview=_overview(job, cells, tissue, size_um),
        records=records,
        software=software(records),
    )


def _overview(
    job: Job, cells: pd.DataFrame, tissue: _Tissue, size_um: tuple[float, float]
) -> Overview:
    """Cells on their regions; there is no picture to lay them over."""
    um = max(*size_um, 1.0) / job.options.report.thumbnail_px
    shape = tuple(max(int(np.ceil(size / um)), 1) for size in reversed(size_um))
    regions = np.full(shape, OUTSIDE, np.uint8)
    if tissue.regions is not None:
        regions = at_grid(tissue.regions, tissue.um, shape, um)
    return Overview(
        nucleus=None,
        regions=regions,
        um=um,
        x_um=cells["x_um"].to_numpy(float),
        y_um=cells["y_um"].to_numpy(float),
        phenotypes=cells["phenotype"].astype(str).to_numpy(object),
    )
