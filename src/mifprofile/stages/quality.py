"""``slide.zarr`` → tissue mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mifprofile.core.quality import area_mm2, tissue_mask
from mifprofile.io.readers import open_slide
from mifprofile.io.store import open_label_store, write_label_store
from mifprofile.model import PixelSize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.io.results import Results
    from mifprofile.model import Slide
    from mifprofile.options import QualityOptions
    from mifprofile.stages.job import Job

TISSUE = "tissue"


def quality(job: Job) -> dict[str, Any]:
    """Tell tissue from glass at low resolution."""
    options = job.options.quality
    slide = open_slide(job.results.slide)
    plane, um = coarse_plane(slide, job.panel.nucleus, options.mask_um)
    mask = find_tissue(plane, um, options)
    write_label_store(
        job.results.quality,
        {TISSUE: mask.astype(np.uint8)},
        PixelSize(um, um),
        origin_um=slide.origin_um,
    )
    if not mask.any():
        job.say("  no tissue found: the landscape will hold states, not numbers")
    return {"tissue_mm2": area_mm2(mask, um), "mask_um": um}


def find_tissue(
    plane: NDArray[np.float32], um: float, options: QualityOptions
) -> NDArray[np.bool_]:
    """Tissue mask of a coarse nuclear plane with pixels of ``um``."""
    return tissue_mask(
        plane,
        um=um,
        smooth_um=options.smooth_um,
        close_um=options.close_um,
        min_area_um2=options.min_area_um2,
    )


def read_tissue(results: Results) -> tuple[NDArray[np.bool_], float]:
    """Tissue mask and its pixel size in µm."""
    results.require("quality")
    labels = open_label_store(results.quality)[TISSUE]
    return np.asarray(labels.levels[0]) > 0, labels.um


def coarse_plane(
    slide: Slide, channel: str, wanted_um: float
) -> tuple[NDArray[np.float32], float]:
    """Read a channel averaged to about ``wanted_um`` per pixel.

    Returns
    -------
    plane : (h, w) float32 array
    um : float
        Its pixel size: the slide's times a power of two.
    """
    power = max(round(float(np.log2(wanted_um / slide.um))), 0)
    level = min(power, len(slide.levels) - 1)
    index = slide.channel_index(channel)
    plane = np.asarray(slide.levels[level][index], np.float32)
    return _shrink(plane, 2 ** (power - level)), slide.um * 2**power


def _shrink(plane: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Mean over factor x factor pixels; the last ones repeat to fill up."""
    pad = [(0, -size % factor) for size in plane.shape]
    full = np.pad(plane, pad, mode="edge")
    blocks = full.reshape(full.shape[0] // factor, factor, -1, factor)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)
