"""The tasks of a segmentation: they talk through files, and any may be run again."""

from __future__ import annotations

from itertools import product
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from mifprofile.core.segment import (
    STRAIGHT_UM,
    block_seams,
    claim_cells,
    expand_nuclei,
    no_output,
    pack_cells,
    pack_output,
    resample,
    segment_nuclei,
    source_window,
    unpack_cells,
    unpack_output,
)
from mifprofile.engines import load_segmenter
from mifprofile.io.store import (
    CHUNK_PX,
    Scratch,
    create_label_store,
    write_labels,
)
from mifprofile.stages.segment.plan import MEMBRANE_SMOOTH_UM, SMOOTH_SIGMAS
from mifprofile.stages.segment.squares import read_square

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.core.segment import Block, Window
    from mifprofile.engines import Segmenter
    from mifprofile.options import Precision, SegmentOptions
    from mifprofile.stages.segment.plan import Corner, SegmentPlan

LABELS = ("nuclei", "cells")
_one_batch, _loading = Lock(), Lock()
_networks: dict[tuple[str, int, str], Segmenter] = {}


def open_network(
    options: SegmentOptions, precision: Precision, threads: int, fingerprint: str
) -> Segmenter:
    """Network of these options; a process keeps the one that it loaded last.

    The fingerprint is the run's: it changes when the model's file does.
    """
    asked = precision, threads, fingerprint
    with _loading:
        if asked not in _networks:
            segmenter = load_segmenter(
                options.model, options.diameter_um, precision, threads
            )
            _networks.clear()
            _networks[segmenter.precision, threads, fingerprint] = segmenter
            _networks[asked] = segmenter
        return _networks[asked]


def prepare(plan: SegmentPlan) -> None:
    """Make the store that tasks fill, or keep that of a run that was killed."""
    scratch = Scratch(plan.scratch)
    if scratch.begin(plan.key):
        return
    where = plan.shape_px, plan.pixel_size
    create_label_store(
        plan.scratch / "labels", LABELS, *where, origin_um=plan.origin_um
    )
    scratch.ready(plan.key)


def run_network(plan: SegmentPlan, tiles: tuple[Corner, ...]) -> None:
    """Leave flows and logits of a batch of tiles."""
    scratch = Scratch(plan.scratch)
    if all(scratch.holds(_tile_name(tile)) for tile in tiles):
        return
    tile_px, margin = plan.tiling.tile_px, plan.tiling.margin_px
    batch = np.zeros((plan.batch, 2, tile_px, tile_px), np.float32)
    for i, tile in enumerate(tiles):
        _fill_tile(plan, tile, batch[i])
    for tile, planes in zip(tiles, _predict(plan, batch), strict=False):
        height, width = _tile_shape(plan, tile)
        kept = planes[:, margin : margin + height, margin : margin + width]
        scratch.put(_tile_name(tile), pack_output(kept))


def segment_block(plan: SegmentPlan, block: Block) -> None:
    """Leave a block's nuclei and cells under numbers of its own, and their names.

    A name is the place of a nucleus's sink on the slide, so that blocks agree on it.
    """
    scratch = Scratch(plan.scratch)
    mark = _block_name(block)
    if scratch.has(mark):
        return
    output = _network_window(plan, block.outer)
    stain = _crop(plan, block.outer, plan.nucleus, *plan.nucleus_range)
    near = block.near(plan.reach_px)
    within = _inside(near, block.outer)
    nuclei, sinks = segment_nuclei(
        output[0, :2], output[0, 2], plan.rules, stain, within
    )
    names, owned = _names(plan, block, sinks)
    here = slice(*within[:2]), slice(*within[2:])
    nuclei = nuclei[here]
    if not names[1:].all():
        nuclei = np.where(names[nuclei] > 0, nuclei, 0)
    if plan.whole_cells:
        cells = _claimed(plan, nuclei, output[1][:, *here])
    else:
        cells = _grown(plan, near, nuclei)
    y0, y1, x0, x1 = _inside(block.core, near)
    core = slice(y0, y1), slice(x0, x1)
    scratch.put(mark, pack_cells(nuclei[core], cells[core]))
    scratch.save(mark, names=names, owned=owned)


def number_cells(plan: SegmentPlan) -> int:
    """Sort the names of all cells: a cell's number is its name's place.

    Each block is told the numbers of all whose names it knows.
    """
    scratch = Scratch(plan.scratch)
    found = [np.empty(0, np.uint64)]
    for block in plan.blocks:
        part = scratch.load(_block_name(block))
        found.append(part["names"][1:][part["owned"]])
    names = np.sort(np.concatenate(found))
    for block in plan.blocks:
        own = scratch.load(_block_name(block))["names"]
        numbers = np.where(own > 0, np.searchsorted(names, own) + 1, 0)
        scratch.put(_numbers_name(block), numbers.astype(np.uint32))
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
        numbered = _numbered(plan, block.outer)
        _write_labels(plan, 0, block, numbered[:, *block.inner_slices])
        scratch.save(mark, seams=_seams(plan, block, numbered[1]))
    return scratch.load(mark)["seams"]


def write_coarse(plan: SegmentPlan, level: int, block: Block) -> None:
    """Write a chunk of a coarser level of the labels."""
    scratch, mark = (
        Scratch(plan.scratch),
        f"coarse-{level}-{block.core[0]}-{block.core[2]}",
    )
    if scratch.has(mark):
        return
    step = 2**level
    rows, cols = plan.shape_px
    y0, y1, x0, x1 = (step * v for v in block.core)
    numbered = _numbered(plan, (y0, min(y1, rows), x0, min(x1, cols)), step)
    _write_labels(plan, level, block, numbered)
    scratch.save(mark)


def finish(plan: SegmentPlan) -> None:
    """Give the finished labels their name."""
    Scratch(plan.scratch).publish("labels", plan.labels)


def _fill_tile(plan: SegmentPlan, tile: Corner, out: NDArray[np.float32]) -> None:
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
        pixels = read_square(plan.slide, plan.key, channel, top, left)
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
    with _one_batch:
        segmenter = open_network(
            options, plan.precision, plan.threads, plan.fingerprint
        )
        return segmenter.predict(tiles, cells=plan.whole_cells)


def _network_window(plan: SegmentPlan, window: Window) -> NDArray[np.float32]:
    """Network output for a window of the slide, (kinds, 3, y, x), at its pixel size."""
    scratch = Scratch(plan.scratch)
    y0, y1, x0, x1 = source_window(window, 1 / plan.ratio, plan.network_shape)
    packed = no_output(plan.objects, y1 - y0, x1 - x0)
    for top, left in plan.tiles_below(window):
        name = _tile_name((top, left))
        if scratch.holds(name):
            of = scratch.view(name)[
                ..., max(y0 - top, 0) : y1 - top, max(x0 - left, 0) : x1 - left
            ]
            y, x = max(top - y0, 0), max(left - x0, 0)
            packed[..., y : y + of.shape[-2], x : x + of.shape[-1]] = of
    return _scaled(unpack_output(packed), (y0, x0), window, 1 / plan.ratio)


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


def _claimed(
    plan: SegmentPlan, nuclei: NDArray[np.int32], output: NDArray[np.float32]
) -> NDArray[np.int32]:
    """Cells as the network sees them."""
    logit = plan.options.whole_cell_probability
    return claim_cells(
        nuclei, output[:2], output[2], um=plan.um, cell_probability=logit
    )


def _grown(
    plan: SegmentPlan, window: Window, nuclei: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Cells as nuclei with a rim, wider where membranes say so."""
    membrane = None
    if plan.membrane:
        membrane = gaussian_filter(
            _membranes(plan, window),
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


def _numbered(plan: SegmentPlan, window: Window, step: int = 1) -> NDArray[np.uint32]:
    """Nuclei and cells in a window, (2, y, x), under their numbers on the slide.

    With a step, only every so many pixels of the slide are taken; the window begins
    with one of them.
    """
    y0, y1, x0, x1 = window
    scratch = Scratch(plan.scratch)
    out = np.zeros((2, -(-(y1 - y0) // step), -(-(x1 - x0) // step)), np.uint32)
    for part in plan.blocks_below(window):
        numbers = scratch.view(_numbers_name(part))
        top, left = part.core[0], part.core[2]
        y, x = max(-(-(top - y0) // step), 0), max(-(-(left - x0) // step), 0)
        rows = slice(y0 + y * step - top, y1 - top, step)
        cols = slice(x0 + x * step - left, x1 - left, step)
        packed = scratch.view(_block_name(part))[rows, cols]
        here = slice(y, y + packed.shape[0]), slice(x, x + packed.shape[1])
        out[:, *here] = unpack_cells(packed, numbers)
    return out


def _write_labels(
    plan: SegmentPlan, level: int, block: Block, numbered: NDArray[np.uint32]
) -> None:
    corner = block.core[0], block.core[2]
    for name, labels in zip(LABELS, numbered, strict=True):
        write_labels(plan.scratch / "labels", name, level, corner, labels)


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


def _inside(window: Window, outer: Window) -> Window:
    """Bounds of a window counted from the corner of another."""
    (y0, y1, x0, x1), (top, _, left, _) = window, outer
    return y0 - top, y1 - top, x0 - left, x1 - left


def _tile_name(tile: Corner) -> str:
    return f"tile-{tile[0]}-{tile[1]}"


def _tile_shape(plan: SegmentPlan, tile: Corner) -> tuple[int, int]:
    """Height and width of what a tile keeps; less at the slide's edge."""
    (height, width), core = plan.network_shape, plan.tiling.core_px
    return min(core, height - tile[0]), min(core, width - tile[1])


def _block_name(block: Block) -> str:
    return f"block-{block.core[0]}-{block.core[2]}"


def _numbers_name(block: Block) -> str:
    return f"numbers-{block.core[0]}-{block.core[2]}"
