"""Channels of a slide as float32, coarse or in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.model import Slide


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
    plane = read_pixels(slide, level, index, np.s_[:, :])
    return _shrink(plane, 2 ** (power - level)), slide.um * 2**power


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


def _shrink(plane: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Mean over factor x factor pixels; the last ones repeat to fill up."""
    pad = [(0, -size % factor) for size in plane.shape]
    full = np.pad(plane, pad, mode="edge")
    blocks = full.reshape(full.shape[0] // factor, factor, -1, factor)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)
