"""Channels of a slide as float32, coarse or in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.model import Slide

BAND_PX = 4096


def coarse_plane(
    slide: Slide, channel: str, wanted_um: float
) -> tuple[NDArray[np.float32], float]:
    """Read a channel averaged to about ``wanted_um`` per pixel, from whatever levels.

    Returns
    -------
    plane : (h, w) float32 array
    um : float
        Its pixel size: the slide's times a power of two, as far as its levels allow.
    """
    power = max(round(float(np.log2(wanted_um / slide.um))), 0)
    times = _times(slide)
    level = max((i for i, t in enumerate(times) if t <= 2**power), default=0)
    factor = min(max(round(2**power / times[level]), 1), min(slide.shape_px))
    index = slide.channel_index(channel)
    # By bands: a file without a pyramid may not fit into memory.
    rows = max(BAND_PX // factor, 1) * factor
    bands = [
        _shrink(read_pixels(slide, level, index, np.s_[top : top + rows, :]), factor)
        for top in range(0, slide.levels[level].shape[1], rows)
    ]
    return np.concatenate(bands), slide.um * times[level] * factor


def read_pixels(
    slide: Slide, level: int, channel: int, window: tuple[slice, slice]
) -> NDArray[np.float32]:
    """Read a (h, w) window of a channel; what is no number is 0."""
    pixels = np.asarray(slide.levels[level][channel, *window])
    if pixels.dtype.kind == "f":
        pixels = np.nan_to_num(pixels)
    return np.ascontiguousarray(pixels, np.float32)


def type_maximum(kind: np.dtype[Any]) -> float | None:
    """Highest value that a pixel type holds; None for floats."""
    return float(np.iinfo(kind).max) if kind.kind in "iu" else None


def _times(slide: Slide) -> list[float]:
    """How many times smaller each level is; of our own, a power of two."""
    height = slide.shape_px[0]
    return [
        float(2**i)
        if level.shape[1] in (height // 2**i, -(-height // 2**i))
        else height / level.shape[1]
        for i, level in enumerate(slide.levels)
    ]


def _shrink(plane: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Mean over factor x factor pixels; the last ones repeat to fill up."""
    pad = [(0, -size % factor) for size in plane.shape]
    full = np.pad(plane, pad, mode="edge")
    blocks = full.reshape(full.shape[0] // factor, factor, -1, factor)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)
