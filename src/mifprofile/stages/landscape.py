"""Phenotypes and tissue mask → regions and the landscape table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mifprofile.core.facts import MeasureFacts
from mifprofile.core.foreign import drawn_region
from mifprofile.core.landscape import (
    GLASS,
    REGION_NAMES,
    TISSUE_NAMES,
    areas_mm2,
    evaluable,
    overlay_drawn,
    region_map,
    region_map_of_marker,
    region_of_cells,
    widen,
)
from mifprofile.core.landscape import (
    landscape as core_landscape,
)
from mifprofile.core.landscape.metrics import dictionary
from mifprofile.core.maps import at_grid
from mifprofile.core.masks import draw_areas
from mifprofile.core.phenotype import called_again, marker_levels, without_calls
from mifprofile.core.phenotype.gates import KnownGates
from mifprofile.core.quality import EVALUABLE
from mifprofile.errors import UsageError
from mifprofile.io.geojson import read_drawn_areas
from mifprofile.io.readers import open_slide
from mifprofile.io.store import open_label_store, write_label_store
from mifprofile.io.tables import read_gates_used, read_parquet, write_table
from mifprofile.model import PixelSize
from mifprofile.stages.planes import coarse_plane
from mifprofile.stages.quality import read_evaluable, read_tissue

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from mifprofile.core.landscape import Recall
    from mifprofile.core.masks import DrawnArea
    from mifprofile.io.results import Results
    from mifprofile.model import Panel, Slide
    from mifprofile.options import Options
    from mifprofile.stages.job import Job

REGION_LABELS = "regions"


def landscape(job: Job) -> dict[str, Any]:
    """Divide the tissue into regions and count in them."""
    options, results = job.options.landscape, job.results
    cells = join_cells(results)
    slide = open_slide(results.slide)
    step = max(round(options.mask_um / slide.um), 1)
    um = step * slide.um
    found = _find_regions(job, slide, cells, step)
    drawn = _draw_regions(job.regions, found, step)
    regions = overlay_drawn(found, drawn)
    cells["region"] = region_of_cells(cells, regions, um)
    table = core_landscape(
        results.sample_id,
        cells,
        regions,
        um,
        job.panel,
        options,
        KnownGates.of(read_gates_used(results.gates)),
        _recall(job, cells),
    )
    write_label_store(
        results.regions,
        {REGION_LABELS: regions},
        PixelSize(um, um),
        origin_um=slide.origin_um,
    )
    write_landscape(results, cells, table)
    drawn_mm2 = areas_mm2(np.where(evaluable(found), drawn, GLASS), um, TISSUE_NAMES)
    if job.regions is not None and not any(drawn_mm2.values()):
        job.say(f"  warn: {job.regions}: no drawn area lies on evaluable tissue")
    return {
        "area_mm2": areas_mm2(regions, um),
        "drawn_mm2": drawn_mm2,
        "rows": len(table),
    }


def _recall(job: Job, cells: pd.DataFrame) -> Recall:
    """Calls of the same cells at other thresholds."""
    levels, seen = marker_levels(cells, job.panel), cells[EVALUABLE]
    least = job.options.phenotype.min_confidence
    return lambda moved: called_again(levels, moved, job.panel, least, seen)


def check_landscape(options: Options, panel: Panel, regions: Path | None) -> None:
    """Raise a MifprofileError for what would fail later, before anything is done."""
    if options.landscape.nests == "marker":
        _nest_marker(panel)
        _refuse_corrected(options.measure.correct.active)
    if regions is not None:
        _read_drawn(regions)


def join_cells(results: Results) -> pd.DataFrame:
    """Measurements and calls of every cell; a call replaces what has its name."""
    calls, cells = map(read_parquet, (results.phenotypes, results.measurements))
    replaced = [c for c in cells if c in calls and c != "cell_id"]
    return cells.drop(columns=replaced).merge(calls, on="cell_id")


def write_landscape(results: Results, cells: pd.DataFrame, table: pd.DataFrame) -> None:
    """Write the cells, the table in both shapes, and what its metrics mean."""
    undecided = KnownGates.of(read_gates_used(results.gates)).undecided
    write_table(without_calls(cells, undecided), results.cells)
    write_table(table, results.landscape)
    write_table(widen(table), results.landscape_wide)
    write_table(dictionary(), results.dictionary)


def read_regions(results: Results) -> tuple[NDArray[np.uint8], float]:
    """(h, w) region map and its pixel size in µm."""
    results.require("landscape")
    labels = open_label_store(results.regions)[REGION_LABELS]
    return np.asarray(labels.levels[0]).astype(np.uint8), labels.um


def _find_regions(
    job: Job, slide: Slide, cells: pd.DataFrame, step: int
) -> NDArray[np.uint8]:
    """Region map from cells or marker, a pixel for ``step`` x ``step`` of the slide."""
    options, results, um = job.options.landscape, job.results, step * slide.um
    labels = open_label_store(results.labels)["cells"].levels[0]
    # A slide may be lower than the step: its last row then stands for the middle one.
    top, left = (min(step // 2, size - 1) for size in labels.shape)
    coarse = np.asarray(labels[top::step, left::step])
    tissue = at_grid(*read_tissue(results), coarse.shape, um)
    excluded = tissue & ~at_grid(*read_evaluable(results), coarse.shape, um)
    # An uncertain cell makes no hole in its nest.
    tumour = cells[cells["phenotype_best"].isin(job.panel.tumour_phenotypes)]
    if options.nests == "marker":
        stained = at_grid(*_stained(job, slide, um), coarse.shape, um)
        return region_map_of_marker(tissue, stained, tumour, um, options, excluded)
    tumour_cells = np.where(np.isin(coarse, tumour["cell_id"]), coarse, 0)
    return region_map(tissue, tumour_cells, um, options, excluded)


def _stained(job: Job, slide: Slide, um: float) -> tuple[NDArray[np.bool_], float]:
    """Where the tumour's marker exceeds its threshold, at about ``um``."""
    marker = _nest_marker(job.panel)
    facts = MeasureFacts.of(job.results.read_record("measure"))
    _refuse_corrected(facts.corrected is not None)
    threshold = facts.pixel_thresholds.get(marker)
    if threshold is None:
        raise UsageError(
            f"{job.results.record_path('measure')}: no pixel threshold of {marker}, "
            "which landscape.nests: marker needs; set measure.pixel_thresholds"
        )
    plane, plane_um = coarse_plane(slide, job.panel.markers[marker].channel, um)
    return plane > threshold, plane_um


def _nest_marker(panel: Panel) -> str:
    """First marker that a tumour cell must carry, if nests can be made of it."""
    where = f"panel {panel.name}: landscape.nests: marker"
    if panel.tumour is None:
        raise UsageError(f"{where} needs a tumour phenotype, and the panel names none")
    rule = panel.rules[panel.tumour]
    marker = next((name for name, positive in rule.signs if positive), None)
    if marker is None:
        raise UsageError(f"{where} needs a positive marker in the rule {rule.text!r}")
    if panel.markers[marker].measure == "nucleus":
        raise UsageError(
            f"{where} makes nests of {marker}, which lies in the nucleus and leaves "
            "gaps; set landscape.nests to cells"
        )
    return marker


def _refuse_corrected(corrected: bool) -> None:
    """Thresholds of corrected pixels do not fit those of the slide."""
    if corrected:
        raise UsageError(
            "landscape.nests: marker reads the slide's own pixels, and measure.correct "
            "changes what their threshold means; set landscape.nests to cells"
        )


def _draw_regions(
    path: Path | None, regions: NDArray[np.uint8], step: int
) -> NDArray[np.uint8]:
    """Codes of the regions that people drew, on the grid of a region map."""
    drawn = () if path is None else _read_drawn(path)
    height, width = regions.shape
    return draw_areas(drawn, (height, width), step)


def _read_drawn(path: Path) -> tuple[tuple[DrawnArea, int], ...]:
    """Areas with the code of the region that each one's class means."""
    areas = read_drawn_areas(path)
    try:
        codes = [REGION_NAMES.index(drawn_region(area.note)) for area in areas]
    except UsageError as e:
        raise UsageError(f"{path}: {e}") from e
    return tuple(zip(areas, codes, strict=True))
