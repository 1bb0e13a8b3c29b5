"""Pictures and diagrams of a report, from arrays."""

from __future__ import annotations

import base64
import io
import itertools
import math
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from skimage.measure import find_contours

from mifprofile.core.landscape import EXCLUDED, GLASS, OUTSIDE, STROMA, TUMOUR
from mifprofile.core.levels import from_scale, to_scale, unit_of
from mifprofile.core.outlines import outlines
from mifprofile.model import OTHER, UNCERTAIN
from mifprofile.report.wording import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from mifprofile.core.palette import Colour
    from mifprofile.report.content import Overview, Tile

Rgb = NDArray[np.uint8]
Range = tuple[float, float]

DARK_PERCENTILE = 5.0
NUCLEUS_PERCENTILE = 99.0
MARKER_PERCENTILE = 99.7
# From a fifth percentile to a quartile it is one standard deviation of noise.
NOISE_WIDTHS = 9.0
# Contours of the overview; the stroma's is that of the whole tumour bed.
CONTOURS: dict[str, tuple[tuple[int, ...], Colour]] = {
    "tissue": ((TUMOUR, STROMA, OUTSIDE, EXCLUDED), (190, 190, 190)),
    "tumour bed": ((TUMOUR, STROMA), (70, 190, 255)),
    "tumour": ((TUMOUR,), (255, 170, 50)),
}
CONTOUR_PX = 1.7
SMOOTH_UM = 1.5
MAX_SMOOTH_PX = 5.0
SLIDE_COLOUR: Colour = (165, 185, 225)
DARK: Colour = (18, 19, 23)
TISSUE: Colour = (40, 42, 48)
NUCLEUS_LINE: Colour = (255, 255, 255)
SUPERSAMPLING = 3
DOT_UM = 8.0
MAX_DOT_PX = 7.0
OTHER_DIM = 0.7
BAR_SHARE = 0.2
MIN_BINS, MAX_BINS = 15, 60
ACCENT = "#1f5fa8"
GREY = "#b9bec7"


def nucleus_range(values: NDArray[Any]) -> Range:
    """Of (n,) values of the nuclear stain, those shown black and in full colour."""
    return _span(values, DARK_PERCENTILE, NUCLEUS_PERCENTILE)


def marker_range(values: NDArray[Any], threshold: float) -> Range:
    """Of (n,) values of a marker, those shown black and in full colour.

    Black ends at half the gate, so that what is far from positive stays dark; without
    a gate, at the median.
    """
    low, high = _span(values, 50.0, MARKER_PERCENTILE)
    if not np.isfinite(threshold):
        return low, high
    return threshold / 2, max(high, 2 * threshold)


def _span(values: NDArray[Any], lower: float, upper: float) -> Range:
    """Two percentiles, kept so far apart that bare noise stays dark."""
    percents = (lower, upper, DARK_PERCENTILE, 25.0)
    low, high, dark, quarter = (float(v) for v in np.percentile(values, percents))
    high = max(high, low + NOISE_WIDTHS * (quarter - dark))
    return low, high if high > low else low + 1.0


def composite(
    planes: NDArray[np.float32], colours: Sequence[Colour], ranges: Sequence[Range]
) -> Rgb:
    """Lay planes over each other like slides on one screen.

    Parameters
    ----------
    planes : (c, h, w) float32 array
    colours : sequence of (r, g, b)
        Of full brightness, one per plane.
    ranges : sequence of (low, high)
        Values shown as black and as full colour, one per plane.

    Returns
    -------
    (h, w, 3) uint8 array
    """
    dark = np.ones((*planes.shape[1:], 3), np.float32)
    for plane, colour, (low, high) in zip(planes, colours, ranges, strict=True):
        light = np.clip((plane - low) / (high - low), 0, 1)
        dark *= 1 - light[..., None] * np.asarray(colour, np.float32) / 255
    return np.rint(255 * (1 - dark)).astype(np.uint8)


def fit(plane: NDArray[np.float32], longer_px: int) -> NDArray[np.float32]:
    """Resample a (h, w) plane so that its longer side has a given number of pixels."""
    scale = longer_px / max(plane.shape)
    height, width = (max(round(size * scale), 1) for size in plane.shape)
    image = Image.fromarray(plane).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float32)


def overview_picture(overview: Overview, nucleus: NDArray[np.float32]) -> Rgb:
    """(h, w) nuclear channel of the whole slide with the contours of its regions."""
    tissue = overview.regions != GLASS
    shown = nucleus[tissue] if tissue.any() else nucleus
    image = composite(nucleus[None], [SLIDE_COLOUR], [nucleus_range(shown)])
    return draw_contours(image, overview.regions, overview.um)


def draw_contours(image: Rgb, regions: NDArray[np.uint8], um: float) -> Rgb:
    """Draw borders of tissue, bed and nests, a (h, w) map, into a copy of an image."""
    # Smoothed, as the steps of the map's pixels mean nothing; but small nests stay.
    smooth_px = min(max(SMOOTH_UM / um, 0.5), MAX_SMOOTH_PX)
    size = image.shape[1] * SUPERSAMPLING, image.shape[0] * SUPERSAMPLING
    large = Image.fromarray(image).resize(size, Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(large)
    for codes, colour in CONTOURS.values():
        mask = np.isin(regions, codes).astype(np.float32)
        for line in find_contours(ndimage.gaussian_filter(mask, smooth_px), 0.5):
            points = _points(line[:, ::-1] + 0.5, SUPERSAMPLING)
            draw.line(points, colour, round(CONTOUR_PX * SUPERSAMPLING), "curve")
    small = large.resize((image.shape[1], image.shape[0]), Image.Resampling.BOX)
    return np.asarray(small)


def cell_picture(overview: Overview, colours: Mapping[str, Colour]) -> Rgb:
    """Every cell of the slide as a dot in its phenotype's colour.

    Phenotypes are drawn from the commonest to the rarest, ``other`` and ``uncertain``
    first, so that no rare cell is hidden.
    """
    image = np.empty((*overview.regions.shape, 3), np.uint8)
    image[:] = DARK
    image[overview.regions != GLASS] = TISSUE
    counts = {n: int((overview.phenotypes == n).sum()) for n in colours}
    radius = min(max(DOT_UM / overview.um / 2, 0.5), MAX_DOT_PX)
    for name in sorted(
        colours, key=lambda n: (n not in {OTHER, UNCERTAIN}, -counts[n])
    ):
        mine = overview.phenotypes == name
        dim = OTHER_DIM if name == OTHER else 1.0
        colour = tuple(round(dim * c) for c in colours[name])
        x, y = overview.x_um[mine] / overview.um, overview.y_um[mine] / overview.um
        _dots(image, x, y, radius, (colour[0], colour[1], colour[2]))
    return image


def _dots(
    image: Rgb,
    x_px: NDArray[np.float64],
    y_px: NDArray[np.float64],
    radius_px: float,
    colour: Colour,
) -> None:
    """Set the pixels within a radius of each point, in place."""
    # The pixel that holds the point itself is set, however small the radius.
    radius_px = max(radius_px, 0.71)
    steps = range(-math.ceil(radius_px), math.ceil(radius_px) + 1)
    for dy, dx in itertools.product(steps, steps):
        rows, cols = (np.floor(at).astype(int) for at in (y_px + dy, x_px + dx))
        near = np.hypot(rows + 0.5 - y_px, cols + 0.5 - x_px) <= radius_px
        near &= (rows >= 0) & (rows < image.shape[0])
        near &= (cols >= 0) & (cols < image.shape[1])
        image[rows[near], cols[near]] = colour


def tile_ranges(tiles: Sequence[Tile], thresholds: Sequence[float]) -> list[Range]:
    """Range of each channel over all tiles, so that they can be compared.

    Parameters
    ----------
    tiles : sequence of Tile
    thresholds : sequence of float
        Gate of each channel after the first, which is the nuclear one.
    """
    pixels = [tile.planes.reshape(len(tile.planes), -1) for tile in tiles]
    nucleus, *markers = np.concatenate(pixels, axis=1)
    pairs = zip(markers, thresholds, strict=True)
    return [nucleus_range(nucleus), *(marker_range(m, t) for m, t in pairs)]


def outline_picture(tile: Tile, zoom: int, colours: Mapping[str, Colour]) -> Rgb:
    """Outlines of a tile's nuclei (white) and cells (by phenotype), else transparent.

    Returns
    -------
    (h * zoom, w * zoom, 4) uint8 array
        Red, green, blue, alpha.
    """
    height, width = (s * zoom for s in tile.cells.shape)
    fine = zoom * SUPERSAMPLING
    size = width * SUPERSAMPLING, height * SUPERSAMPLING
    image = Image.new("RGBA", size, (*colours[OTHER], 0))
    draw = ImageDraw.Draw(image)
    for line in _outlines(tile.nuclei).values():
        draw.line(_points(line, fine), (*NUCLEUS_LINE, 170), SUPERSAMPLING)
    for label, line in _outlines(tile.cells).items():
        colour = colours[tile.phenotypes.get(label, OTHER)]
        draw.line(_points(line, fine), (*colour, 255), 2 * SUPERSAMPLING, "curve")
    # Averaging premultiplied colours keeps the lines' rims from turning dark.
    small = image.convert("RGBa").resize((width, height), Image.Resampling.BOX)
    return np.asarray(small.convert("RGBA"))


def _outlines(labels: NDArray[np.integer[Any]]) -> dict[int, NDArray[np.float64]]:
    present = np.unique(labels)
    return outlines(labels, present[present > 0])


def _points(line: NDArray[np.float64], zoom: int) -> list[tuple[float, float]]:
    return [(float(x) * zoom, float(y) * zoom) for x, y in line]


def enlarge(image: Rgb, zoom: int) -> Rgb:
    """Magnify a (h, w, 3) picture smoothly by a whole number."""
    size = image.shape[1] * zoom, image.shape[0] * zoom
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def scale_bar(width_um: float) -> tuple[float, float]:
    """Round length of a scale bar, µm, and its share of the picture's width, %."""
    wanted = BAR_SHARE * width_um
    decade = 10.0 ** math.floor(math.log10(wanted))
    bar = max(step * decade for step in (1, 2, 5) if step * decade <= wanted)
    return bar, 100 * bar / width_um


def histogram(
    levels: NDArray[np.float64], threshold: float, split: float = np.nan
) -> str:
    """Histogram of a marker's (n,) levels, as an SVG data address.

    The gate is a line; a split that is no gate is dashed.
    """
    # Text as paths looks the same everywhere; the salt makes the file reproducible.
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "mifprofile"}):
        figure = Figure(figsize=(4.0, 2.1), layout="constrained")
        axes = figure.add_subplot()
        draw_histogram(axes, levels, threshold)
        if np.isfinite(split):
            place = to_scale(np.array(split), _unit(levels, threshold))
            axes.axvline(float(place), color="#222222", linewidth=1.1, linestyle="--")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _address(buffer.getvalue(), "svg+xml")


def draw_histogram(axes: Axes, levels: NDArray[np.float64], threshold: float) -> None:
    """Draw cells per level, of (n,) levels, those above the gate in colour, and it."""
    unit = _unit(levels, threshold)
    scaled = to_scale(levels[np.isfinite(levels)], unit)
    gate = (
        float(to_scale(np.array(threshold), unit)) if np.isfinite(threshold) else None
    )
    edges = _edges(scaled, gate)
    counts, _ = np.histogram(scaled, edges)
    above = edges[:-1] >= (math.inf if gate is None else gate - 1e-9)
    colours = np.where(above, ACCENT, GREY)
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=colours)
    if gate is not None:
        axes.axvline(gate, color="#222222", linewidth=1.1)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.05 * max(int(counts.max()), 1)))
    _style(axes, unit)


def _unit(levels: NDArray[np.float64], threshold: float) -> float:
    """Unit of a marker's scale: that of its cells, or of the gate without any."""
    known = levels[np.isfinite(levels)]
    return unit_of(known if (known > 0).any() else np.array([threshold]))


def _edges(scaled: NDArray[np.float64], gate: float | None) -> NDArray[np.float64]:
    """Edges of equal bins, of which one is the gate."""
    ends = [float(scaled.min()), float(scaled.max())] if scaled.size else [0.0, 1.0]
    ends += [] if gate is None else [gate]
    bins = min(max(round(4 * scaled.size ** (1 / 3)), MIN_BINS), MAX_BINS)
    step = max((max(ends) - min(ends)) / bins, 1e-3)
    anchor = min(ends) if gate is None else gate
    first = anchor - step * math.ceil((anchor - min(ends)) / step)
    return first + step * np.arange(math.floor((max(ends) - first) / step) + 2)


def _style(axes: Axes, unit: float) -> None:
    # Few positive cells stay visible beside many negative ones.
    axes.set_yscale("function", functions=(np.sqrt, np.square))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: number(v)))
    ticks = _level_ticks(*axes.get_xlim(), unit)
    axes.set_xticks(to_scale(ticks, unit), [_level_name(t) for t in ticks])
    axes.set_xlabel("level, log scale", fontsize=8, color="#555555")
    axes.set_ylabel("cells, √ scale", fontsize=8, color="#555555")
    axes.tick_params(labelsize=8, length=3, color="#999999", labelcolor="#444444")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#999999")


def _level_ticks(low: float, high: float, unit: float) -> NDArray[np.float64]:
    """Round levels for an axis between two places on `to_scale`."""
    first, last = from_scale(np.array([low, high]), unit)
    decades = range(math.floor(math.log10(unit)), math.ceil(math.log10(last)) + 1)
    rising = np.array([0.0, *(float(f"{s}e{e}") for e in decades for s in (1, 2, 5))])
    ticks = _spread(rising, low, high, unit)
    if ticks.size < 2:
        even = MaxNLocator(4).tick_values(first, last)
        ticks = _spread(np.array(even), low, high, unit)
    return ticks


def _spread(
    rising: NDArray[np.float64], low: float, high: float, unit: float
) -> NDArray[np.float64]:
    """Those of some levels that lie on the axis, at least an eighth of it apart."""
    kept: list[int] = []
    places = to_scale(rising, unit)
    for i in np.flatnonzero((places >= low) & (places <= high) & (rising >= 0)):
        if not kept or places[i] - places[kept[-1]] >= (high - low) / 8:
            kept.append(int(i))
    return rising[kept]


def _level_name(level: float) -> str:
    """How an axis calls a level: 0.0002, 500, 2e6, 5e-7."""
    mantissa, _, power = f"{level:.6g}".partition("e")
    return f"{mantissa}e{int(power)}" if power else mantissa


def jpeg(image: Rgb) -> str:
    """Embed a photograph-like (h, w, 3) picture as a data address."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=90, subsampling=0)
    return _address(buffer.getvalue(), "jpeg")


def png(image: Rgb) -> str:
    """Embed a (h, w, 3) drawing as a data address; fewer colours make it small."""
    buffer = io.BytesIO()
    picture = Image.fromarray(image).quantize(128, Image.Quantize.FASTOCTREE)
    picture.save(buffer, "PNG", optimize=True)
    return _address(buffer.getvalue(), "png")


def _address(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
