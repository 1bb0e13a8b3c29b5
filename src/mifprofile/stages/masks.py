"""Masks made elsewhere → ``labels.zarr``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mifprofile.core.facts import SegmentFacts
from mifprofile.core.segment import expand_nuclei
from mifprofile.errors import UsageError
from mifprofile.io.readers import open_slide, read_label_image
from mifprofile.io.store import label_store

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mifprofile.model import Slide
    from mifprofile.stages.job import Job

    Labels = NDArray[np.integer[Any]]


def import_masks(job: Job) -> dict[str, Any]:
    """Take nuclei, cells or both from label images of the slide's size.

    With both, a nucleus belongs to the cell it lies in; with cells alone, nuclei and
    cells are the same; nuclei alone are grown by the rim.
    """
    slide = open_slide(job.results.slide)
    nuclei, cells = _pair(job, slide, _read(job.nuclei, slide), _read(job.cells, slide))
    with label_store(
        job.results.labels,
        ("nuclei", "cells"),
        slide.shape_px,
        slide.pixel_size,
        origin_um=slide.origin_um,
    ) as labels:
        labels["nuclei"][:] = nuclei
        labels["cells"][:] = cells
    return {
        "cells": int(cells.max(initial=0)),
        "nuclei": str(job.nuclei or ""),
        "cell_masks": str(job.cells or ""),
    } | SegmentFacts("masks").noted()


def _pair(
    job: Job, slide: Slide, nuclei: Labels | None, cells: Labels | None
) -> tuple[Labels, Labels]:
    """Nuclei and cells that share their numbers, 1..n."""
    if cells is not None:
        cells = _consecutive(cells)
        return (cells if nuclei is None else np.where(nuclei > 0, cells, 0)), cells
    if nuclei is None:
        raise UsageError("masks were asked for but none was given")
    nuclei = _consecutive(nuclei)
    options = job.options.segment
    grown = expand_nuclei(
        nuclei.astype(np.int32),
        None,
        um=slide.um,
        rim_um=options.rim_um,
        expansion_um=options.rim_um,
        membrane_stop=options.membrane_stop,
    )
    return nuclei, grown.astype(np.uint32)


def _read(path: Path | None, slide: Slide) -> Labels | None:
    if path is None:
        return None
    mask = read_label_image(path)
    if mask.shape != slide.shape_px:
        raise UsageError(
            f"{path}: the mask is {mask.shape[0]} x {mask.shape[1]} px, the slide "
            f"{slide.shape_px[0]} x {slide.shape_px[1]}; they must be the same"
        )
    return mask


def _consecutive(labels: Labels) -> Labels:
    """Number labels 1..n in ascending order."""
    names = np.unique(labels)
    names = names[names > 0]
    places = np.searchsorted(names, labels) + 1
    return np.where(labels > 0, places, 0).astype(np.uint32)
