"""Galleries: cells on both sides of a gate, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from scipy import ndimage

from mifprofile.core.levels import to_scale, unit_of
from mifprofile.report.figures import (
    SLIDE_COLOUR,
    composite,
    marker_range,
    nucleus_range,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mifprofile.core.palette import Colour
    from mifprofile.report.content import Gallery, Stamp
    from mifprofile.report.figures import Range, Rgb

KINDS = ("clear positive", "borderline", "clear negative")
MARKER_COLOUR: Colour = (255, 190, 60)
STAMP_PX = 72
GAP_PX = 4
PAPER = 255


def choose_examples(
    levels: NDArray[np.float64], threshold: float, *, count: int, seed: int
) -> dict[str, NDArray[np.intp]]:
    """Choose cells that show what a gate does.

    Borderline are the cells nearest to the gate on `to_scale`, on either side.
    Clear ones are drawn at random from that half of the positive, and of the negative
    cells, that lies further from it.

    Parameters
    ----------
    levels : (n,) float64 array
        A marker's level per cell.
    threshold : float
        NaN if there is no gate: nothing is chosen.

    Returns
    -------
    dict
        Each of `KINDS` → rows, at most ``count``, by falling level; no row twice.
    """
    if not np.isfinite(threshold):
        return {}
    unit = unit_of(levels)
    away = to_scale(levels, unit) - to_scale(np.array(threshold), unit)
    away[~np.isfinite(levels)] = np.nan
    rows = np.argsort(np.abs(away), kind="stable")[: np.isfinite(away).sum()]
    near, rest = rows[:count], rows[count:]
    rng = np.random.default_rng(seed)
    above, below = rest[away[rest] > 0], rest[away[rest] <= 0]
    chosen = (_draw(above, count, rng), near, _draw(below, count, rng))
    return {
        kind: mine[np.argsort(-levels[mine], kind="stable")]
        for kind, mine in zip(KINDS, chosen, strict=True)
    }


def gallery_pictures(gallery: Gallery) -> dict[str, Rgb]:
    """One picture per kind, all with the same contrast; cells have a white outline."""
    stamps = [s for row in gallery.stamps.values() for s in row]
    if not stamps:
        return {}
    nucleus, marker = (np.concatenate([s.planes[i].ravel() for s in stamps])
                       for i in range(2))  # fmt: skip
    ranges = [nucleus_range(nucleus), marker_range(marker, gallery.threshold)]
    # All as wide as the longest, so that the page shows every cell at one scale.
    longest = max(len(row) for row in gallery.stamps.values())
    rows = {kind: row for kind, row in gallery.stamps.items() if row}
    return {kind: _strip(row, ranges, longest) for kind, row in rows.items()}


def _draw(
    rows: NDArray[np.intp], count: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Draw from the further half of rows that are ordered by nearness."""
    far = rows[len(rows) // 2 :] if len(rows) > count else rows
    return rng.permutation(far)[:count]


def _strip(stamps: Sequence[Stamp], ranges: Sequence[Range], longest: int) -> Rgb:
    step = STAMP_PX + GAP_PX
    strip = np.full((STAMP_PX, step * longest - GAP_PX, 3), PAPER, np.uint8)
    for k, stamp in enumerate(stamps):
        strip[:, k * step : k * step + STAMP_PX] = _picture(stamp, ranges)
    return strip


def _picture(stamp: Stamp, ranges: Sequence[Range]) -> Rgb:
    image = composite(stamp.planes, [SLIDE_COLOUR, MARKER_COLOUR], ranges)
    size = STAMP_PX, STAMP_PX
    large = np.array(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    mask = Image.fromarray(stamp.cell.astype(np.float32)).resize(
        size, Image.Resampling.BILINEAR
    )
    inside: NDArray[Any] = np.asarray(mask) > 0.5
    large[inside & ~ndimage.binary_erosion(inside, border_value=1)] = 255
    return large
