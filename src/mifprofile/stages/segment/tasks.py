"""The tasks of a segmentation: they talk through files, and any may be run again."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter

from mifprofile.core.segment import (
    STRAIGHT_UM,
    block_seams,
    claim_cells,
    expand_nuclei,
    resample,
    segment_nuclei,
    source_window,
)
from mifprofile.engines import load_segmenter
from mifprofile.io.readers import open_slide
from mifprofile.io.store import (
    CHUNK_PX,
    Scratch,
    create_label_store,
    open_label_array,
    thin_labels,
)
from mifprofile.stages.segment.plan import MEMBRANE_SMOOTH_UM, SMOOTH_SIGMAS

if TYPE_CHECKING:
    from pathlib import Path

    import zarr
    from numpy.typing import NDArray

    from mifprofile.core.segment import Block
    from mifprofile.engines import Segmenter
    from mifprofile.model import Slide
    from mifprofile.options import Precision
    from mifprofile.stages.segment.plan import SegmentPlan, Tile

    Window = tuple[int, int, int, int]

# Between tasks flows are kept in steps of 1/127, logits of 1/16.
FLOW_STEPS = 127
LOGIT_STEPS = 16
NO_LOGIT = -127
LABELS = ("nuclei", "cells")
# Two megabytes each.
CACHED_SQUARES = 48
_network = Lock()


def prepare(plan: SegmentPlan) -> None:
    """Make the arrays that tasks fill, or keep those of a run that was killed."""
    scratch = Scratch(plan.scratch)
    if scratch.begin(plan.key):
        return
    kinds, core, block = plan.objects, plan.tiling.core_px, plan.block_px
    for name, planes, fill in (("flows", 2 * kinds, 0), ("logits", kinds, NO_LOGIT)):
        shape, chunks = (planes, *plan.network_shape), (planes, core, core)
        scratch.create(name, shape, chunks, "int8", fill)
    scratch.create("found", (2, *plan.shape_px), (2, block, block), "uint32")
    where = plan.shape_px, plan.pixel_size
    create_label_store(
        plan.scratch / "labels", LABELS, *where, origin_um=plan.origin_um
    )
    scratch.ready(plan.key)


def run_network(plan: SegmentPlan, tiles: tuple[Tile, ...]) -> None:
    """Write flows and logits of a batch of tiles."""
    scratch = Scratch(plan.scratch)
    mark = f"tiles-{tiles[0][0]}-{tiles[0][1]}"
    if scratch.has(mark):
        return
    core_px, tile_px = plan.tiling.core_px, plan.tiling.tile_px
    batch = np.zeros((plan.batch, 2, tile_px, tile_px), np.float32)
    for i, tile in enumerate(tiles):
        _fill_tile(plan, tile, batch[i])
    out = _predict(plan, batch)
    flows, logits = scratch.open("flows"), scratch.open("logits")
    for (y, x), planes in zip(tiles, out, strict=False):
        height = min(core_px, plan.network_shape[0] - y)
        width = min(core_px, plan.network_shape[1] - x)
        m = plan.tiling.margin_px
        rows, cols = slice(y, y + height), slice(x, x + width)
        kept = planes[:, m : m + height, m : m + width].reshape(-1, 3, height, width)
        flows[:, rows, cols] = _stepped(
            kept[:, :2].reshape(-1, height, width), FLOW_STEPS
        )
        logits[:, rows, cols] = _stepped(kept[:, 2], LOGIT_STEPS)
    scratch.save(mark)


def segment_block(plan: SegmentPlan, block: Block) -> None:
    """Write a block's nuclei and cells under numbers of its own, and their names.

    A name is the place of a nucleus's sink on the slide, so that blocks agree on it.
    """
    scratch = Scratch(plan.scratch)
    mark = _block_mark(block)
    if scratch.has(mark):
        return
    flows = _network_window(plan, scratch.open("flows"), block.outer) / FLOW_STEPS
    logits = _network_window(plan, scratch.open("logits"), block.outer) / LOGIT_STEPS
    stain = _crop(plan, block.outer, plan.nucleus, *plan.nucleus_range)
    nuclei, sinks = segment_nuclei(flows[:2], logits[0], plan.rules, stain)
    names, owned = _names(plan, block, sinks)
    nuclei = np.where(names[nuclei] > 0, nuclei, 0)
    if plan.whole_cells:
        options = plan.options
        cells = claim_cells(
            nuclei,
            flows[2:],
            logits[1],
            um=plan.um,
            cell_probability=options.cell_probability,
        )
    else:
        cells = _grown(plan, block, nuclei)
    inner = block.inner_slices
    scratch.open("found")[:, *block.core_slices] = np.stack(
        [nuclei[inner], cells[inner]]
    )
    scratch.save(mark, names=names, owned=owned)


def number_cells(plan: SegmentPlan) -> int:
    """Sort the names of all cells: a cell's number is its name's place."""
    scratch = Scratch(plan.scratch)
    found = [np.empty(0, np.uint64)]
    for block in plan.blocks:
        part = scratch.load(_block_mark(block))
        found.append(part["names"][1:][part["owned"]])
    names = np.sort(np.concatenate(found))
    scratch.save("names", names=names)
    return int(names.size)


def write_block(plan: SegmentPlan, block: Block) -> NDArray[np.int64]:
    """Write a block's labels under their numbers on the slide; count cells at seams.

    Returns
    -------
    (2, 2) int64 array
        (cells, straight ones) on the lines where blocks meet, and half-way between.
    """
    scratch = Scratch(plan.scratch)
    mark = f"labels-{block.core[0]}-{block.core[2]}"
    if not scratch.has(mark):
        numbered = _numbered(plan, scratch, block.outer)
        for name, labels in zip(LABELS, numbered, strict=True):
            array = open_label_array(plan.scratch / "labels", name)
            array[block.core_slices] = labels[block.inner_slices]
        scratch.save(mark, seams=_seams(plan, block, numbered[1]))
    return scratch.load(mark)["seams"]


def thin(plan: SegmentPlan, level: int, block: Block) -> None:
    """Write a chunk of a coarser level of the labels."""
    for name in LABELS:
        thin_labels(plan.scratch / "labels", name, level, block.core_slices)


def finish(plan: SegmentPlan) -> None:
    """Give the finished labels their name."""
    Scratch(plan.scratch).publish("labels", plan.labels)
    _square.cache_clear()


def _fill_tile(plan: SegmentPlan, tile: Tile, out: NDArray[np.float32]) -> None:
    """Nuclear stain and membranes at the network's pixel size, scaled.

    Beyond the slide's edge the tile stays black, as in training: an edge that is
    repeated, or mirrored, would join a cut nucleus to its own image.
    """
    (top, left), (height, width) = tile, plan.network_shape
    tile_px, margin_px = plan.tiling.tile_px, plan.tiling.margin_px
    top, left = top - margin_px, left - margin_px
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + tile_px, height), min(left + tile_px, width)
    window = (y0, y1, x0, x1)
    bounds = source_window(window, plan.ratio, plan.shape_px)
    planes = [_crop(plan, bounds, plan.nucleus, *plan.nucleus_range)]
    if plan.whole_cells:
        planes.append(_membranes(plan, bounds))
    inside = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    for i, plane in enumerate(planes):
        out[i][inside] = _scaled(plane, (bounds[0], bounds[2]), window, plan.ratio)


def _scaled(
    image: NDArray[np.float32], corner: tuple[int, int], window: Window, ratio: float
) -> NDArray[np.float32]:
    """Part of an image at another pixel size."""
    if ratio != 1:
        return resample(image, corner, window, ratio)
    y0, y1, x0, x1 = window
    rows = slice(y0 - corner[0], y1 - corner[0])
    return image[..., rows, x0 - corner[1] : x1 - corner[1]]


def _crop(
    plan: SegmentPlan, bounds: Window, channel: int, low: float, high: float
) -> NDArray[np.float32]:
    """Part of a channel with ``low`` and ``high`` at 0 and 1."""
    y0, y1, x0, x1 = bounds
    crop = np.empty((y1 - y0, x1 - x0), np.float32)
    rows = range(y0 // CHUNK_PX * CHUNK_PX, y1, CHUNK_PX)
    cols = range(x0 // CHUNK_PX * CHUNK_PX, x1, CHUNK_PX)
    for top, left in product(rows, cols):
        pixels = _square(plan.slide, plan.key, channel, top, left)
        inside = pixels[max(y0 - top, 0) : y1 - top, max(x0 - left, 0) : x1 - left]
        y, x = max(top - y0, 0), max(left - x0, 0)
        crop[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    crop -= np.float32(low)
    crop /= np.float32(high - low)
    return crop


def _membranes(plan: SegmentPlan, bounds: Window) -> NDArray[np.float32]:
    """Brightest of the membrane channels."""
    planes = [_crop(plan, bounds, *membrane) for membrane in plan.membrane]
    return np.asarray(np.max(planes, axis=0))


def _predict(plan: SegmentPlan, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    options = plan.options
    # Threads of one process share the network, and it takes one batch at a time.
    with _network:
        segmenter = _segmenter(
            options.model, options.diameter_um, plan.precision, plan.threads
        )
        return segmenter.predict(tiles, cells=plan.whole_cells)


def _stepped(values: NDArray[np.float32], steps: int) -> NDArray[np.int8]:
    out = np.empty(values.shape, np.int8)
    # Row by row: what is between stays in the processor's cache.
    for y in range(values.shape[-2]):
        row = np.rint(values[..., y, :] * np.float32(steps))
        out[..., y, :] = np.clip(row, -127, 127)
    return out


def _network_window(
    plan: SegmentPlan, array: zarr.Array[Any], window: Window
) -> NDArray[np.float32]:
    """Network output for a window of the slide, at the slide's pixel size."""
    y0, y1, x0, x1 = source_window(window, 1 / plan.ratio, plan.network_shape)
    crop = np.asarray(array[:, y0:y1, x0:x1]).astype(np.float32)
    return _scaled(crop, (y0, x0), window, 1 / plan.ratio)


def _names(
    plan: SegmentPlan, block: Block, sinks: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Names of the numbers 0..n, 0 for what is not on tissue; which are the block's."""
    sinks = sinks + np.array([block.outer[0], block.outer[2]])
    scale = plan.um / plan.tissue_um
    on_tissue = plan.tissue[tuple((sinks * scale).astype(int).T)]
    names = np.zeros(len(sinks) + 1, np.uint64)
    places = sinks[:, 0] * plan.shape_px[1] + sinks[:, 1] + 1
    names[1:] = np.where(on_tissue, places, 0)
    (y0, y1, x0, x1), (rows, cols) = block.core, sinks.T
    inside = (rows >= y0) & (rows < y1) & (cols >= x0) & (cols < x1)
    return names, inside & on_tissue


def _grown(
    plan: SegmentPlan, block: Block, nuclei: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Cells as nuclei with a rim, wider where membranes say so."""
    membrane = None
    if plan.membrane:
        membrane = gaussian_filter(
            _membranes(plan, block.outer),
            MEMBRANE_SMOOTH_UM / plan.um,
            mode="nearest",
            truncate=SMOOTH_SIGMAS,
        )
    options = plan.options
    return expand_nuclei(
        nuclei,
        membrane,
        um=plan.um,
        rim_um=options.rim_um,
        expansion_um=options.expansion_um,
        membrane_stop=options.membrane_stop,
    )


def _numbered(
    plan: SegmentPlan, scratch: Scratch, window: Window
) -> NDArray[np.uint32]:
    """Nuclei and cells in a window, (2, y, x), under their numbers on the slide."""
    y0, y1, x0, x1 = window
    names = scratch.load("names")["names"]
    found = scratch.open("found")
    out = np.zeros((2, y1 - y0, x1 - x0), np.uint32)
    for part in plan.blocks:
        top, bottom, left, right = part.core
        rows = slice(max(top, y0), min(bottom, y1))
        cols = slice(max(left, x0), min(right, x1))
        if rows.start >= rows.stop or cols.start >= cols.stop:
            continue
        own = scratch.load(_block_mark(part))["names"]
        numbers = np.where(own > 0, np.searchsorted(names, own) + 1, 0)
        local = np.asarray(found[:, rows, cols])
        here = (slice(None), slice(rows.start - y0, rows.stop - y0))
        out[(*here, slice(cols.start - x0, cols.stop - x0))] = numbers[local]
    return out


def _seams(
    plan: SegmentPlan, block: Block, cells: NDArray[np.uint32]
) -> NDArray[np.int64]:
    """Cells and straight ones on the lines between blocks, and half-way between."""
    size = plan.block_px
    long = max(round(STRAIGHT_UM / plan.um), 2)
    found = [
        block_seams(cells, block, first_px=first, every_px=size, straight_px=long)
        for first in (size, size // 2)
    ]
    return np.array(found)


def _block_mark(block: Block) -> str:
    return f"block-{block.core[0]}-{block.core[2]}"


@lru_cache(maxsize=1)
def _segmenter(
    model: str, diameter_um: float, precision: Precision, threads: int
) -> Segmenter:
    return load_segmenter(model, diameter_um, precision, threads)


@lru_cache(maxsize=CACHED_SQUARES)
def _square(path: Path, key: str, channel: int, top: int, left: int) -> NDArray[Any]:
    """Pixels of a square; tiles and blocks beside each other need the same ones.

    It is one chunk of our own store; a slide that is linked to may have others.
    """
    plane = _slide(path, key).levels[0][channel]
    return np.asarray(plane[top : top + CHUNK_PX, left : left + CHUNK_PX])


@lru_cache(maxsize=1)
def _slide(path: Path, _: str) -> Slide:
    """Open a slide once per process and run."""
    return open_slide(path)
