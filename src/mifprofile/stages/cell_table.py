"""A table of cells made elsewhere → what the stages of a slide would leave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.core.facts import IngestFacts
from mifprofile.core.foreign import (
    implied_positive,
    is_marker_list,
    phenotypes_of,
    positive_by_list,
    region_of,
)
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
from mifprofile.core.phenotype.gates import KnownGates
from mifprofile.core.quality import NucleiFigures
from mifprofile.io.cell_tables import (
    read_areas_mm2,
    read_cell_table,
    read_tissue_map,
    required_um,
)
from mifprofile.io.tables import read_gates_used, read_parquet, write_table
from mifprofile.stages.landscape import join_cells, write_landscape
from mifprofile.stages.phenotype import make_gates, write_calls

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from mifprofile.io.results import Results
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


def ingest_table(job: Job) -> dict[str, Any]:
    """Give a table of cells our columns."""
    um = job.options.ingest.pixel_size_um
    read = read_cell_table(job.files["table"], job.panel, um)
    job.say(f"  {read.program}, {len(read.cells)} cells")
    if read.lacking:
        job.say(f"  not in the table: {', '.join(read.lacking)}")
    write_table(read.cells, job.results.measurements)
    return {
        "program": read.program,
        "cells": len(read.cells),
        "lacking": list(read.lacking),
    } | IngestFacts(um).noted()


def phenotype_table(job: Job) -> dict[str, Any]:
    """Gate what is not called yet, and name every cell: their names before ours."""
    panel, cells = job.panel, read_parquet(job.results.measurements)
    phenotypes = _phenotypes(cells, panel)
    levels, notes = _levels(cells, panel, phenotypes)
    gates = _gates(job, levels, notes, cells)
    known, least = KnownGates.of(gates), job.options.phenotype.min_confidence
    calls = call_cells(
        levels, known.thresholds, panel, least, undecided=known.undecided
    )
    if phenotypes is not None:
        calls["phenotype"] = calls["phenotype_best"] = phenotypes
        calls["lineage"] = lineage_of(phenotypes, panel)
        calls["phenotype_confidence"] = np.nan
    calls = pd.concat([cells["cell_id"], calls], axis=1)
    nuclei = NucleiFigures(panel.nucleus, np.nan, len(cells), np.nan, np.nan)
    return write_calls(job, gates, calls, nuclei, []).noted()


def landscape_of_table(job: Job) -> dict[str, Any]:
    """Tell the cells' regions, and count in them."""
    results = job.results
    cells, tissue = join_cells(results), _tissue(results, job.areas)
    cells["region"] = _regions(cells, tissue)
    rows = _rows(job, cells, tissue)
    write_landscape(results, cells, rows)
    return {"area_mm2": tissue.areas_mm2, "rows": len(rows)}


def _phenotypes(cells: pd.DataFrame, panel: Panel) -> pd.Series | None:
    """Names that came with the cells, if they are names of phenotypes."""
    given = cells["phenotype_given"]
    named = (given != "").any() and not is_marker_list(given, panel)
    return phenotypes_of(given, panel) if named else None


def levels_of_table(
    cells: pd.DataFrame, gates: pd.DataFrame, panel: Panel
) -> pd.DataFrame:
    """Level of each marker behind its gate: 0 or 1 of those that were called."""
    called = gates["marker"][gates["method"] == GIVEN]
    calls = {m: cells[f"{m}_positive"].astype(float) for m in called}
    return _measured(cells, panel).assign(**calls)


def regions_of_table(
    results: Results, shape: tuple[int, ...], um: float
) -> NDArray[np.uint8]:
    """Region map on a grid; outside of both where no map was given."""
    tissue = _tissue(results, results.kept_input("landscape", "areas"))
    if tissue.regions is None:
        return np.full(shape, OUTSIDE, np.uint8)
    return at_grid(tissue.regions, tissue.um, shape, um)


def _tissue(results: Results, areas: Path | None) -> _Tissue:
    um = IngestFacts.of(results.read_record("ingest")).pixel_size_um
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


def _levels(
    cells: pd.DataFrame, panel: Panel, phenotypes: pd.Series | None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Level of each marker; 0 or 1 of those that are called already, and why."""
    levels, notes = _measured(cells, panel), {}
    for marker, (calls, why) in _called_already(cells, panel, phenotypes).items():
        levels[marker] = calls[f"{marker}_positive"].astype(float)
        notes[marker] = f"called in the table by {why}"
    return levels, notes


def _measured(cells: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """Level of each marker, NaN of those that the table lacks."""
    measured = {m: c for m, c in panel.level_columns.items() if c in cells}
    levels = pd.DataFrame(np.nan, cells.index, list(panel.markers))
    return levels.assign(**{m: cells[c] for m, c in measured.items()})


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


def _rows(job: Job, cells: pd.DataFrame, tissue: _Tissue) -> pd.DataFrame:
    gates, name = read_gates_used(job.results.gates), job.results.sample_id
    asked = (
        *(job.panel, job.options.landscape),
        *(_known(gates), _recall(job, cells, gates)),
    )
    if tissue.regions is None:
        return landscape_of_areas(name, cells, tissue.areas_mm2, *asked)
    return landscape(name, cells, tissue.regions, tissue.um, *asked)


def _known(gates: pd.DataFrame) -> KnownGates:
    """Gates of what was measured, and the grades of all."""
    measured = gates[gates["method"] != GIVEN]
    return replace(KnownGates.of(gates), thresholds=KnownGates.of(measured).thresholds)


def _recall(job: Job, cells: pd.DataFrame, gates: pd.DataFrame) -> Recall:
    """Calls of the same cells at other thresholds; names that were given stay."""
    panel, least = job.panel, job.options.phenotype.min_confidence
    levels = levels_of_table(cells, gates, panel)
    before, named = KnownGates.of(gates).thresholds, _phenotypes(cells, panel)

    def calls(thresholds: Mapping[str, float]) -> pd.DataFrame:
        moved = {**before, **thresholds}
        if named is not None:
            return call_positive(levels, moved)
        return called_again(levels, moved, panel, least)

    return calls
