"""``slide.zarr`` and tissue mask → ``labels.zarr``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter

from mifprofile.core.segment import (
    Block,
    ObjectRules,
    expand_nuclei,
    plan_blocks,
    reach_px,
    renumber,
    resample,
    segment_nuclei,
    source_window,
)
from mifprofile.engines import load_segmenter
from mifprofile.io.readers import open_slide
from mifprofile.io.store import label_store, scratch_array
from mifprofile.stages.masks import import_masks
from mifprofile.stages.quality import read_tissue

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

    from mifprofile.engines import Segmenter
    from mifprofile.model import Slide
    from mifprofile.stages.job import Job

# Closer than this to the network's own pixel size, the image is taken as it is: the
# network was trained on more variation than that.
SCALE_TOLERANCE = 0.1
NUCLEUS_PERCENTILES = (1.0, 99.8)
MEMBRANE_PERCENTILES = (50.0, 99.0)
# Takes off the noise that would break a membrane into pieces.
MEMBRANE_SMOOTH_UM = 0.4
SMOOTH_SIGMAS = 3.0
SAMPLE_PIXELS = 4_000_000


def segment(job: Job) -> dict[str, Any]:
    """Find nuclei and cells, or take them from masks made elsewhere."""
    if job.nuclei is not None or job.cells is not None:
        return import_masks(job)
    options = job.options.segment
    segmenter = load_segmenter(options.model, options.diameter_um)
    work = _plan(job, segmenter)
    scratch = job.results.folder
    with (
        scratch_array(scratch, work.flow_shape, work.flow_chunks, "float16") as flows,
        scratch_array(scratch, work.slide.shape_px, (1024, 1024), "uint64") as keys,
    ):
        _write_flows(job, work, flows)
        names = _write_keys(job, work, flows, keys)
        _write_labels(job, work, keys, names)
    return {
        "cells": int(names.size),
        "model": segmenter.name,
        "model_um": segmenter.um,
        "scale": work.ratio,
        "nucleus_percentiles": [float(v) for v in work.nucleus_range],
    }


@dataclass(frozen=True)
class _Work:
    """What the passes over the slide share."""

    slide: Slide
    segmenter: Segmenter
    rules: ObjectRules
    tissue: NDArray[np.bool_]
    tissue_um: float
    ratio: float
    nucleus: int
    nucleus_range: tuple[float, float]
    membrane: dict[int, tuple[float, float]]

    @property
    def core_px(self) -> int:
        """Edge of the part of a network tile that is kept."""
        return self.segmenter.tile_px - 2 * self.segmenter.margin_px

    @property
    def flow_shape(self) -> tuple[int, int, int]:
        """Shape of the flow store, at the network's pixel size."""
        height, width = (int(np.ceil(s / self.ratio)) for s in self.slide.shape_px)
        return 3, height, width

    @property
    def flow_chunks(self) -> tuple[int, int, int]:
        """One chunk per network tile."""
        return 3, self.core_px, self.core_px

    def scaled(self, stain: NDArray[Any]) -> NDArray[np.float32]:
        """Nuclear stain with its tissue percentiles at 0 and 1."""
        low, high = self.nucleus_range
        return np.asarray((stain.astype(np.float32) - low) / (high - low), np.float32)

    def in_tissue(self, window: tuple[int, int, int, int], um: float) -> bool:
        """Whether any tissue lies in a window of pixels of ``um``."""
        scale = um / self.tissue_um
        y0, y1, x0, x1 = (v * scale for v in window)
        rows = slice(int(y0), int(np.ceil(y1)) or 1)
        return bool(self.tissue[rows, int(x0) : int(np.ceil(x1)) or 1].any())


def _plan(job: Job, segmenter: Segmenter) -> _Work:
    options = job.options.segment
    slide = open_slide(job.results.slide)
    tissue, tissue_um = read_tissue(job.results)
    scale = segmenter.um / slide.um
    nucleus = slide.channel_index(job.panel.nucleus)
    sample = _TissueSample(slide, tissue, tissue_um)
    membrane = [slide.channel_index(name) for name in job.panel.membrane]
    return _Work(
        slide=slide,
        segmenter=segmenter,
        rules=ObjectRules.at(
            slide.um,
            cell_probability=options.cell_probability,
            flow_error=options.flow_error,
            min_contrast=options.min_contrast,
            min_area_um2=options.min_nucleus_um2,
            max_area_um2=options.max_nucleus_um2,
        ),
        tissue=tissue,
        tissue_um=tissue_um,
        ratio=1.0 if abs(scale - 1) <= SCALE_TOLERANCE else scale,
        nucleus=nucleus,
        nucleus_range=sample.percentiles(nucleus, NUCLEUS_PERCENTILES),
        membrane={c: sample.percentiles(c, MEMBRANE_PERCENTILES) for c in membrane},
    )


@dataclass(frozen=True)
class _TissueSample:
    """Pixels on a regular grid over the slide, as far as they are tissue."""

    slide: Slide
    tissue: NDArray[np.bool_]
    tissue_um: float

    def percentiles(
        self, channel: int, percents: tuple[float, float]
    ) -> tuple[float, float]:
        """Two percentiles of a channel, made to differ."""
        height, width = self.slide.shape_px
        step = max(int(np.ceil(np.sqrt(height * width / SAMPLE_PIXELS))), 1)
        plane = np.asarray(self.slide.levels[0][channel, ::step, ::step])
        scale = self.slide.um / self.tissue_um
        rows = (np.arange(0, height, step) * scale).astype(int)
        cols = (np.arange(0, width, step) * scale).astype(int)
        values = plane[self.tissue[np.ix_(rows, cols)]]
        if values.size == 0:
            return 0.0, 1.0
        low, high = (float(v) for v in np.percentile(values, percents))
        return low, high if high > low else low + 1.0


def _write_flows(job: Job, work: _Work, flows: zarr.Array[Any]) -> None:
    shape = (work.flow_shape[1], work.flow_shape[2])
    um = work.slide.um * work.ratio
    tiles = plan_blocks(shape, work.core_px, 0)
    tiles = [tile for tile in tiles if work.in_tissue(tile.core, um)]
    margin = work.segmenter.margin_px
    for tile in job.track(tiles, "network"):
        y, _, x, _ = tile.core
        size = work.segmenter.tile_px
        window = (y - margin, y - margin + size, x - margin, x - margin + size)
        out = work.segmenter.predict(_nuclear_window(work, window))
        rows, cols = tile.core_slices
        kept = out[:, margin : margin + rows.stop - y, margin : margin + cols.stop - x]
        flows[:, rows, cols] = kept.astype(np.float16)


def _nuclear_window(
    work: _Work, window: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Nuclear stain at the network's pixel size, tissue percentiles at 0 and 1."""
    y0, y1, x0, x1 = source_window(window, work.ratio, work.slide.shape_px)
    crop = np.asarray(work.slide.levels[0][work.nucleus, y0:y1, x0:x1], np.float32)
    tile = work.scaled(resample(crop, (y0, x0), window, work.ratio))
    # Black beyond the slide's edge, as in training: an edge that is repeated, or
    # mirrored, would join a cut nucleus to its own image.
    for axis, (start, stop) in enumerate((window[:2], window[2:])):
        places = np.arange(start, stop)
        beyond = (places < 0) | (places >= work.flow_shape[1 + axis])
        tile[(slice(None),) * axis + (beyond,)] = 0
    return tile


def _write_keys(
    job: Job, work: _Work, flows: zarr.Array[Any], keys: zarr.Array[Any]
) -> NDArray[np.uint64]:
    """Write each nucleus under its sink's place on the slide; return all places."""
    size = job.options.segment.block_px
    blocks = plan_blocks(work.slide.shape_px, size, work.rules.halo_px)
    blocks = [b for b in blocks if work.in_tissue(b.outer, work.slide.um)]
    found = [np.empty(0, np.uint64)]
    for block in job.track(blocks, "nuclei"):
        labels, names, owned = _block_nuclei(work, flows, block)
        keys[block.core_slices] = names[labels[block.inner_slices]]
        found.append(names[1:][owned])
    return np.sort(np.concatenate(found))


def _block_nuclei(
    work: _Work, flows: zarr.Array[Any], block: Block
) -> tuple[NDArray[np.int32], NDArray[np.uint64], NDArray[np.bool_]]:
    """Labels of a block, their names, and which have their sink in its core."""
    maps = _flow_window(work, flows, block.outer)
    stain = np.asarray(work.slide.levels[0][work.nucleus, *block.outer_slices])
    labels, sinks = segment_nuclei(maps[:2], maps[2], work.rules, work.scaled(stain))
    sinks = sinks + np.array([block.outer[0], block.outer[2]])
    width = work.slide.shape_px[1]
    names = np.zeros(len(sinks) + 1, np.uint64)
    scale = work.slide.um / work.tissue_um
    on_tissue = work.tissue[tuple((sinks * scale).astype(int).T)]
    names[1:] = np.where(on_tissue, sinks[:, 0] * width + sinks[:, 1] + 1, 0)
    y0, y1, x0, x1 = block.core
    rows, cols = sinks.T
    inside = (rows >= y0) & (rows < y1) & (cols >= x0) & (cols < x1)
    return labels, names, inside & on_tissue


def _flow_window(
    work: _Work, flows: zarr.Array[Any], window: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Network output for a window of the slide, at the slide's pixel size."""
    ratio = 1 / work.ratio
    y0, y1, x0, x1 = source_window(window, ratio, work.flow_shape[1:])
    crop = np.asarray(flows[:, y0:y1, x0:x1]).astype(np.float32)
    return resample(crop, (y0, x0), window, ratio)


def _write_labels(
    job: Job, work: _Work, keys: zarr.Array[Any], names: NDArray[np.uint64]
) -> None:
    """Number the nuclei in raster order and grow them into cells."""
    options, slide = job.options.segment, work.slide
    reach = reach_px(slide.um, options.rim_um, options.expansion_um)
    halo = reach + int(np.ceil(SMOOTH_SIGMAS * MEMBRANE_SMOOTH_UM / slide.um))
    blocks = plan_blocks(slide.shape_px, options.block_px, halo)
    with label_store(
        job.results.labels,
        ("nuclei", "cells"),
        slide.shape_px,
        slide.pixel_size,
        origin_um=slide.origin_um,
    ) as labels:
        for block in job.track(blocks, "cells"):
            nuclei = renumber(np.asarray(keys[block.outer_slices]), names)
            if not nuclei.any():
                continue
            cells = expand_nuclei(
                nuclei.astype(np.int32),
                _membrane_window(work, block),
                um=slide.um,
                rim_um=options.rim_um,
                expansion_um=options.expansion_um,
                membrane_stop=options.membrane_stop,
            )
            labels["nuclei"][block.core_slices] = nuclei[block.inner_slices]
            labels["cells"][block.core_slices] = cells[block.inner_slices]


def _membrane_window(work: _Work, block: Block) -> NDArray[np.float32] | None:
    """Brightest of the membrane channels, each scaled by its tissue percentiles."""
    if not work.membrane:
        return None
    planes = [
        (np.asarray(work.slide.levels[0][c, *block.outer_slices], np.float32) - low)
        / (high - low)
        for c, (low, high) in work.membrane.items()
    ]
    return gaussian_filter(
        np.max(planes, axis=0),
        MEMBRANE_SMOOTH_UM / work.slide.um,
        mode="nearest",
        truncate=SMOOTH_SIGMAS,
    )
