"""``slide.zarr`` → tissue, exclusions by cause, figures per channel, a verdict."""

from __future__ import annotations

import hashlib
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from mifprofile.core import quality as core
from mifprofile.core.facts import QualityFacts
from mifprofile.io.geojson import read_drawn_areas
from mifprofile.io.readers import open_slide
from mifprofile.io.store import open_label_store, write_label_store
from mifprofile.io.tables import write_table
from mifprofile.model import PixelSize
from mifprofile.stages.planes import coarse_plane, type_maximum
from mifprofile.stages.quality.scan import ScanGrid
from mifprofile.stages.quality.survey import survey_slide
from mifprofile.stages.workers import open_workers

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from mifprofile.io.results import Results
    from mifprofile.model import Panel, Slide
    from mifprofile.options import QualityOptions
    from mifprofile.stages.job import Job

    Mask = NDArray[np.bool_]
    Plane = NDArray[np.float32]

TISSUE = "tissue"


def quality(job: Job) -> dict[str, Any]:
    """Find the tissue, exclude what cannot be trusted, and judge the staining."""
    options = job.options.quality
    drawn = read_drawn_areas(job.exclusions) if job.exclusions else ()
    slide = open_slide(job.results.slide)
    plane, um = coarse_plane(slide, job.panel.nucleus, options.mask_um)
    highest = type_maximum(slide.levels[0].dtype)
    tissue = find_tissue(plane, um, options, highest)
    with open_workers(1, None) as workers:
        masks, figures = survey_slide(
            ScanGrid(slide, tissue, um), plane, job.panel, options, drawn, workers
        )
    areas = core.areas_by_cause(tissue, masks, um)
    table = core.figure_table([*core.area_figures(areas), *figures])
    verdict = core.judge_sample(
        areas, table, _apart(job.panel), job.panel.nucleus, options
    )
    _write_masks(job.results, slide, um, {TISSUE: tissue} | masks)
    write_table(table, job.results.quality_figures)
    facts = QualityFacts(
        verdict=verdict,
        tissue_sha256=_digest(tissue, um),
        border_share=core.border_share(tissue),
        areas_mm2=areas,
    )
    return {
        "tissue_mm2": areas[TISSUE],
        "mask_um": um,
        "drawn": [area.note for area in drawn],
    } | facts.noted()


def find_tissue(
    plane: Plane, um: float, options: QualityOptions, type_maximum: float | None = None
) -> Mask:
    """Tissue mask of a coarse (h, w) nuclear plane with pixels of ``um``.

    What clips all over is tissue too, so that it can be told what is wrong with it.
    """
    tissue = core.tissue_mask(
        plane,
        um=um,
        smooth_um=options.smooth_um,
        close_um=options.close_um,
        min_area_um2=options.min_area_um2,
    )
    level = core.clip_level(plane.ravel(), float(plane.max()), type_maximum)
    if level is None:
        return tissue
    return tissue | core.flat_light(plane, level, options.min_area_um2 / um**2)


def read_tissue(results: Results) -> tuple[Mask, float]:
    """(h, w) tissue mask and its pixel size in µm."""
    masks, um = _read_masks(results, (TISSUE,))
    return masks[TISSUE], um


def read_exclusion_masks(results: Results) -> tuple[dict[str, Mask], float]:
    """(h, w) masks by cause and their pixel size in µm."""
    return _read_masks(results, core.CAUSES)


def read_evaluable(results: Results) -> tuple[Mask, float]:
    """(h, w) mask of tissue that is not excluded, and its pixel size in µm."""
    tissue, um = read_tissue(results)
    masks, _ = read_exclusion_masks(results)
    return core.evaluable_mask(tissue, masks), um


def _read_masks(
    results: Results, names: Collection[str]
) -> tuple[dict[str, Mask], float]:
    results.require("quality")
    labels = open_label_store(results.quality, {TISSUE, *names})
    masks = {name: np.asarray(labels[name].levels[0]) > 0 for name in names}
    return masks, labels[TISSUE].um


def _write_masks(
    results: Results, slide: Slide, um: float, masks: dict[str, Mask]
) -> None:
    write_label_store(
        results.quality,
        {name: mask.astype(np.uint8) for name, mask in masks.items()},
        PixelSize(um, um),
        origin_um=slide.origin_um,
    )


def _apart(panel: Panel) -> set[frozenset[str]]:
    """Pairs of channels that the panel says no cell carries together."""
    markers = panel.markers
    signs = [[n for n, sign in r.signs if sign] for r in panel.impossible_rules]
    pairs = (pair for names in signs for pair in combinations(names, 2))
    return {frozenset((markers[a].channel, markers[b].channel)) for a, b in pairs}


def _digest(tissue: Mask, um: float) -> str:
    """What of this stage the cells depend on."""
    content = np.packbits(tissue).tobytes()
    return hashlib.sha256(repr((tissue.shape, um)).encode() + content).hexdigest()
