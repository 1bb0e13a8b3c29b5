"""``slide.zarr`` and ``labels.zarr`` → ``measurements.parquet``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mifprofile.core.measure import CellSums, add_blocks, cell_table, sum_block
from mifprofile.core.segment import Block, plan_blocks
from mifprofile.io.readers import open_slide
from mifprofile.io.store import open_label_store
from mifprofile.io.tables import write_table
from mifprofile.stages.correct import fit_correction, read_corrected

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

    from mifprofile.core.correct import Correction
    from mifprofile.model import Panel, Slide
    from mifprofile.stages.job import Job

BLOCK_PX = 2048


def measure(job: Job) -> dict[str, Any]:
    """Read every channel in every compartment of every cell."""
    job.results.require("segment")
    slide = open_slide(job.results.slide)
    channels = column_channels(slide, job.panel)
    labels = open_label_store(job.results.labels)
    nuclei, cells = labels["nuclei"].levels[0], labels["cells"].levels[0]
    membrane_px = job.options.measure.membrane_um / slide.um
    blocks = plan_blocks(slide.shape_px, BLOCK_PX, int(np.ceil(membrane_px)) + 1)
    indices = list(channels.values())
    correction, corrected = fit_correction(job, slide, indices)
    parts = [
        _sum(slide, indices, correction, nuclei, cells, block, membrane_px)
        for block in job.track(blocks, "cells", len(blocks))
    ]
    table = cell_table(add_blocks(parts, len(channels)), list(channels), slide.um)
    write_table(table, job.results.measurements)
    return {"cells": len(table), "columns": len(table.columns)} | corrected


def column_channels(slide: Slide, panel: Panel) -> dict[str, int]:
    """Channel by the name used in columns: markers, then the other channels."""
    named = {m: slide.channel_index(v.channel) for m, v in panel.markers.items()}
    others = {
        n: i for i, n in enumerate(slide.channel_names) if i not in named.values()
    }
    return named | others


def _sum(
    slide: Slide,
    channels: list[int],
    correction: Correction | None,
    nuclei: zarr.Array[Any],
    cells: zarr.Array[Any],
    block: Block,
    membrane_px: float,
) -> tuple[NDArray[np.int64], CellSums]:
    rows, cols = block.outer_slices
    near = np.asarray(cells[rows, cols])
    if near.any():
        image = read_corrected(slide, channels, (rows, cols), correction)
    else:
        image = np.zeros((len(channels), *near.shape), slide.levels[0].dtype)
    return sum_block(
        image,
        np.asarray(nuclei[rows, cols]),
        near,
        block.inner_slices,
        (block.outer[0], block.outer[2]),
        membrane_px,
    )
