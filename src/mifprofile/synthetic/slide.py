"""A synthetic multiplexed slide, block by block, and its exact truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.errors import UsageError
from mifprofile.model import COMPARTMENTS
from mifprofile.synthetic._cells import Cells, cells_near
from mifprofile.synthetic._debris import debris
from mifprofile.synthetic._draw import (
    SHEET_UM,
    chromatin_sheet,
    label_cells,
    paint_markers,
    paint_nuclei,
)
from mifprofile.synthetic._optics import (
    CAMERA_FIELD_UM,
    SOFT_UM,
    bleed_matrix,
    blend,
    blur,
    expose,
    glow,
    haze,
    noise_offsets,
    noise_sheet,
    point_spread,
)
from mifprofile.synthetic._tissue import (
    aggregate_weight,
    defocus_weight,
    fold_weight,
    region_map,
    saturation_weight,
)
from mifprofile.synthetic.options import MARKERS, PHENOTYPES, PLACES, TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mifprofile.synthetic.options import SynthOptions

TRUTH_BLOCK_PX = 1024
DAPI_LEVEL = 2600.0
NUCLEAR_EVENTS = 4.0
MEMBRANE_UM = 1.0
FOLD_GAIN = 1.9
FOLD_BLUR_UM = 1.0
_PHENOTYPE_OF_TYPE = np.array(
    [kind if kind in PHENOTYPES else "other" for kind in TYPES], dtype=object
)


@dataclass(frozen=True)
class SyntheticBlock:
    """A rectangle of a synthetic slide with its truth.

    Parameters
    ----------
    channels : (c, y, x) uint16
        Camera counts, in the order of ``SynthOptions.channel_names``.
    nuclei, cells : (y, x) uint32
        Ids, the same for a cell and its nucleus, and the same in every block.
    regions : (y, x) uint8
        0 glass, 1 stroma, 2 tumour.
    faults : dict of (y, x) bool
        Tissue where faults were planted: ``fold``, ``out_of_focus``, ``saturated``
        and ``aggregate``.
    debris : (y, x) bool
        Specks that are no cells.
    """

    channels: NDArray[np.uint16]
    nuclei: NDArray[np.uint32]
    cells: NDArray[np.uint32]
    regions: NDArray[np.uint8]
    faults: dict[str, NDArray[np.bool_]]
    debris: NDArray[np.bool_]


@dataclass(frozen=True)
class _Layout:
    """Cells of a window and the pixels that they own."""

    cells: Cells
    owner: NDArray[np.int32]
    inside: NDArray[np.bool_]


class TruthTally:
    """The truth table of a slide, gathered block by block.

    Parameters
    ----------
    options : SynthOptions
    """

    def __init__(self, options: SynthOptions) -> None:
        self._options = options
        self._cells: list[pd.DataFrame] = []
        self._pixels: list[pd.DataFrame] = []

    def add(self, y0: int, x0: int, h: int, w: int) -> None:
        """Count one block; together the blocks must cover the slide once."""
        start, shape = (y0, x0), (h, w)
        layout = _layout(self._options, start, shape)
        count = len(layout.cells) + 1
        area = np.bincount(layout.owner.ravel(), minlength=count)[1:]
        nucleus = np.bincount(layout.owner[layout.inside], minlength=count)[1:]
        counts = {"cell_id": layout.cells.ids, "nucleus": nucleus, "cell": area}
        self._pixels.append(pd.DataFrame(counts))
        own = layout.cells.take(_centred_in(layout.cells, start, shape))
        self._cells.append(_described(self._options, own))

    def table(self) -> pd.DataFrame:
        """Return the table, as `synthetic_truth` describes it."""
        table = pd.concat(self._cells).sort_values("cell_id", ignore_index=True)
        pixels = pd.concat(self._pixels).groupby("cell_id").sum().loc[table["cell_id"]]
        um2 = self._options.pixel_size_um**2
        table["nucleus_area_um2"] = pixels["nucleus"].to_numpy() * um2
        table["area_um2"] = pixels["cell"].to_numpy() * um2
        return table


def synthetic_block(
    options: SynthOptions, y0: int, x0: int, h: int, w: int
) -> SyntheticBlock:
    """Return one rectangle of the slide that ``options`` describes.

    Any two blocks agree exactly where they overlap, and outside of the slide there
    is glass.

    Parameters
    ----------
    options : SynthOptions
    y0, x0 : int
        Slide row and column of the upper left pixel.
    h, w : int
        Height and width, px.

    Returns
    -------
    SyntheticBlock
    """
    if h < 1 or w < 1:
        raise UsageError(f"block of {h} x {w} px: height and width must be positive")
    start, shape = (y0, x0), (h, w)
    halo = _halo(options, start, shape)
    layout = _layout(options, (y0 - halo, x0 - halo), (h + 2 * halo, w + 2 * halo))
    regions = region_map(options, start, shape)
    light = _light(options, layout, halo, start, shape)
    channels = expose(
        light,
        glow(options, regions, start),
        bleed_matrix(options),
        (options.illumination, CAMERA_FIELD_UM / options.pixel_size_um),
        start,
        noise_sheet(),
        noise_offsets(options, start, shape),
        options.noise,
        _events(options),
    )
    owner = _inner(layout.owner, halo)
    cells = np.concatenate([[0], layout.cells.ids]).astype(np.uint32)[owner]
    nuclei = np.where(_inner(layout.inside, halo), cells, np.uint32(0))
    faults = _faults(options, start, regions)
    specks = _specks(options, _inner(layout.inside, halo), start)
    return SyntheticBlock(channels, nuclei, cells, regions, faults, specks)


def synthetic_truth(options: SynthOptions) -> pd.DataFrame:
    """Return the truth about every cell of a slide, in the order of their ids.

    Parameters
    ----------
    options : SynthOptions

    Returns
    -------
    pandas.DataFrame
        ``cell_id``, ``x_um`` and ``y_um`` (middle of the nucleus; the slide's upper
        left corner is 0, 0), ``phenotype``, ``region``, per marker whether the cell
        carries it (``<marker>_positive``) and what was drawn for it
        (``<marker>_level``, counts before everything that the slide and the microscope
        add), ``autofluorescent`` if some cells are, ``nucleus_area_um2`` and
        ``area_um2``.
    """
    tally = TruthTally(options)
    for start, shape in _blocks(options):
        tally.add(*start, *shape)
    return tally.table()


def synthetic_areas_mm2(options: SynthOptions) -> dict[str, float]:
    """Return the area of glass, stroma and tumour on the whole slide, mm²."""
    counts = np.zeros(len(PLACES), dtype=np.int64)
    for start, shape in _blocks(options):
        regions = region_map(options, start, shape)
        counts += np.bincount(regions.ravel(), minlength=len(PLACES))
    mm2 = (options.pixel_size_um / 1000) ** 2
    return {name: int(n) * mm2 for name, n in zip(PLACES, counts, strict=True)}


def _halo(options: SynthOptions, start: tuple[int, int], shape: tuple[int, int]) -> int:
    """Pixels around a block whose light or cells matter inside it."""
    extra_um = [
        SOFT_UM,
        *(extra for _, extra, _ in _lens_faults(options, start, shape)),
    ]
    radius = max(point_spread(options, extra).size // 2 for extra in extra_um)
    return radius + _membrane_px(options)


def _membrane_px(options: SynthOptions) -> int:
    return max(1, round(MEMBRANE_UM / options.pixel_size_um))


def _layout(
    options: SynthOptions, start: tuple[int, int], shape: tuple[int, int]
) -> _Layout:
    cells = cells_near(options, start, shape)
    owner, inside = label_cells(
        cells.nuclei, cells.cytoplasm_px, cells.priority, start, shape
    )
    return _Layout(cells, owner, inside)


def _light(
    options: SynthOptions,
    layout: _Layout,
    halo: int,
    start: tuple[int, int],
    shape: tuple[int, int],
) -> NDArray[np.float32]:
    """Return the light of each fluorophore behind the lens, (c, y, x) float32."""
    corner = (start[0] - halo, start[1] - halo)
    sharp, soft = _painted_nuclei(options, layout, corner)
    markers = _painted_markers(options, layout, corner)
    light = np.zeros((len(options.channel_names), *shape), dtype=np.float32)
    _through_lens(options, soft, SOFT_UM, light[0])
    for plane, source in zip(light, (sharp, *markers), strict=True):
        _through_lens(options, source, 0.0, plane)
    for weight, extra_um, gain in _lens_faults(options, start, shape):
        for plane, source in zip(light, (sharp + soft, *markers), strict=True):
            wide = np.zeros(shape, dtype=np.float32)
            _through_lens(options, source, extra_um, wide)
            blend(plane, wide, weight, gain)
    if options.haze:
        for channel, plane in enumerate(light):
            plane += haze(options, channel, start, shape)
    saturation = saturation_weight(options, start, shape)
    if saturation is not None:
        light *= 1 + np.float32(options.saturated_gain - 1) * saturation
    if options.aggregate_count:
        light[1 : 1 + len(options.markers)] += aggregate_weight(options, start, shape)
    return light


def _events(options: SynthOptions) -> NDArray[np.float32]:
    """Return the events that each channel counts per unit of light, (c,) float32."""
    levels = np.full(len(options.channel_names), options.positive_level)
    levels[0] = DAPI_LEVEL / NUCLEAR_EVENTS
    return (options.counts / levels).astype(np.float32)


def _lens_faults(
    options: SynthOptions, start: tuple[int, int], shape: tuple[int, int]
) -> list[tuple[NDArray[np.float32], float, float]]:
    """Return (weight, extra blur in µm, gain) of each fault that touches a block."""
    found = (
        (fold_weight(options, start, shape), FOLD_BLUR_UM, FOLD_GAIN),
        (defocus_weight(options, start, shape), options.out_of_focus_blur_um, 1.0),
    )
    return [(w, extra_um, gain) for w, extra_um, gain in found if w is not None]


def _painted_nuclei(
    options: SynthOptions, layout: _Layout, corner: tuple[int, int]
) -> NDArray[np.float32]:
    planes = np.zeros((2, *layout.owner.shape), dtype=np.float32)
    nuclei = layout.cells.nuclei.copy()
    nuclei["brightness"] *= DAPI_LEVEL
    step = options.pixel_size_um / SHEET_UM
    paint_nuclei(nuclei, chromatin_sheet(), step, corner, planes)
    return planes


def _painted_markers(
    options: SynthOptions, layout: _Layout, corner: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the light of cells and specks in all channels but the nuclear."""
    count = len(options.channel_names) - 1
    planes = np.zeros((count, *layout.owner.shape), dtype=np.float32)
    looks = [MARKERS[name].measure for name in options.markers]
    paint_markers(
        layout.owner,
        layout.inside,
        layout.cells.levels,
        np.array([COMPARTMENTS.index(look) for look in looks], dtype=np.int64),
        _membrane_px(options),
        chromatin_sheet(),
        corner,
        planes,
    )
    if options.autofluorescent_cells:
        planes += _cell_glow(options, layout, corner)
    if options.debris_per_mm2:
        size = (planes.shape[1], planes.shape[2])
        planes += debris(options, corner, size) * ~layout.inside
    return planes


def _cell_glow(
    options: SynthOptions, layout: _Layout, corner: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the light of autofluorescent cells: granules of their cytoplasm."""
    plane = np.zeros((1, *layout.owner.shape), dtype=np.float32)
    paint_markers(
        layout.owner,
        layout.inside,
        layout.cells.glow[:, None],
        np.array([COMPARTMENTS.index("cytoplasm")], dtype=np.int64),
        _membrane_px(options),
        chromatin_sheet(),
        corner,
        plane,
    )
    return plane


def _through_lens(
    options: SynthOptions,
    image: NDArray[np.float32],
    extra_um: float,
    out: NDArray[np.float32],
) -> None:
    kernel = point_spread(options, extra_um)
    spare = (image.shape[0] - out.shape[0]) // 2 - kernel.size // 2
    blur(_inner(image, spare), kernel, out)


def _inner(image: NDArray[Any], margin: int) -> NDArray[Any]:
    return image[margin : image.shape[0] - margin, margin : image.shape[1] - margin]


def _faults(
    options: SynthOptions, start: tuple[int, int], regions: NDArray[np.uint8]
) -> dict[str, NDArray[np.bool_]]:
    shape = (regions.shape[0], regions.shape[1])
    weights = {
        "fold": fold_weight(options, start, shape),
        "out_of_focus": defocus_weight(options, start, shape),
        "saturated": saturation_weight(options, start, shape),
        "aggregate": _any_aggregate(options, start, shape),
    }
    nowhere = np.zeros(shape, dtype=np.float32)
    return {
        name: (regions > 0) & ((nowhere if weight is None else weight) > 0.5)
        for name, weight in weights.items()
    }


def _specks(
    options: SynthOptions, inside: NDArray[np.bool_], start: tuple[int, int]
) -> NDArray[np.bool_]:
    if not options.debris_per_mm2:
        return np.zeros_like(inside)
    light = debris(options, start, (inside.shape[0], inside.shape[1]))
    return np.asarray((light > 0).any(axis=0) & ~inside)


def _any_aggregate(
    options: SynthOptions, start: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.float32] | None:
    if not options.aggregate_count:
        return None
    lit = aggregate_weight(options, start, shape) > 4 * options.positive_level
    return lit.any(axis=0).astype(np.float32)


def _blocks(
    options: SynthOptions,
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    height, width = options.shape_px
    for y in range(0, height, TRUTH_BLOCK_PX):
        for x in range(0, width, TRUTH_BLOCK_PX):
            size = (min(TRUTH_BLOCK_PX, height - y), min(TRUTH_BLOCK_PX, width - x))
            yield (y, x), size


def _described(options: SynthOptions, cells: Cells) -> pd.DataFrame:
    """Return what is known of cells before any pixel is counted."""
    um = options.pixel_size_um
    table: dict[str, NDArray[Any]] = {
        "cell_id": cells.ids,
        "x_um": (cells.nuclei["x"] + 0.5) * um,
        "y_um": (cells.nuclei["y"] + 0.5) * um,
        "phenotype": _PHENOTYPE_OF_TYPE[cells.types],
        "region": np.array(PLACES, dtype=object)[cells.regions],
    }
    for column, name in enumerate(options.markers):
        table[f"{name}_positive"] = cells.positive[:, column]
        table[f"{name}_level"] = cells.levels[:, column]
    if options.autofluorescent_cells:
        table["autofluorescent"] = cells.glow > 0
    return pd.DataFrame(table)


def _centred_in(
    cells: Cells, start: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    inside = np.ones(len(cells), dtype=bool)
    for axis, name in enumerate("yx"):
        at = np.floor(cells.nuclei[name] + 0.5)
        inside &= (at >= start[axis]) & (at < start[axis] + shape[axis])
    return inside
