"""Outlines and placement of synthetic nuclei: numba kernels on plain arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

HARMONICS = (2, 3, 4, 5)

NUCLEUS = np.dtype(
    [
        ("y", "f8"),  # centre, px of the slide
        ("x", "f8"),
        ("major", "f8"),  # half axes, px
        ("minor", "f8"),
        ("cos", "f8"),  # direction of the major axis
        ("sin", "f8"),
        ("wave", "f8", (2 * len(HARMONICS),)),  # cos and sin terms of the outline
        ("reach", "f8"),  # largest distance of the outline from the centre, px
        ("rim", "f8"),  # pixels over which the edge fades, in units of the radius
        ("brightness", "f8"),
        ("texture", "f8"),  # contrast of the chromatin
        ("envelope", "f8"),  # extra brightness along the border
        ("dome", "f8"),  # 0 flat, 1 hemispherical
        ("texture_y", "i8"),  # where in the texture sheet it lies
        ("texture_x", "i8"),
        ("spots", "f8", (6,)),  # two nucleoli: u, v, squared radius (unit disc)
        ("plane", "i8"),  # focal plane, 0 is sharp
    ],
    align=True,
)


def outline_waves(
    rng: np.random.Generator, count: int, amplitude: float
) -> NDArray[np.float64]:
    """Return the terms of ``count`` smooth irregular outlines, (count, 8)."""
    falloff = np.repeat([(2 / k) ** 1.5 for k in HARMONICS], 2)
    waves: NDArray[np.float64] = (
        rng.normal(0, amplitude, (count, falloff.size)) * falloff
    )
    return np.clip(waves, -2.5 * amplitude, 2.5 * amplitude)


def set_reach(nuclei: NDArray[Any]) -> None:
    """Fill in ``reach`` and ``rim`` of (n,) new nuclei from axes and outline."""
    swell = 1 + np.abs(nuclei["wave"]).sum(axis=1)
    nuclei["reach"] = nuclei["major"] * swell
    nuclei["rim"] = 1 / np.sqrt(nuclei["major"] * nuclei["minor"])


@njit(cache=True, nogil=True)
def outline_radius(wave: NDArray[Any], c: float, s: float) -> float:
    """Radius of the outline towards (c, s), 1 for the plain ellipse."""
    c2, s2 = c * c - s * s, 2 * c * s
    c3, s3 = c2 * c - s2 * s, s2 * c + c2 * s
    c4, s4 = c2 * c2 - s2 * s2, 2 * c2 * s2
    c5, s5 = c4 * c - s4 * s, s4 * c + c4 * s
    return float(
        1
        + (wave[0] * c2 + wave[1] * s2 + wave[2] * c3 + wave[3] * s3)
        + (wave[4] * c4 + wave[5] * s4 + wave[6] * c5 + wave[7] * s5)
    )


@njit(cache=True, nogil=True)
def towards(nucleus: Any, dy: float, dx: float) -> float:
    """Half width of the ellipse towards (dy, dx), px."""
    norm = math.sqrt(dy * dy + dx * dx) + 1e-9
    along = (dx * nucleus["cos"] + dy * nucleus["sin"]) / norm / nucleus["major"]
    across = (dy * nucleus["cos"] - dx * nucleus["sin"]) / norm / nucleus["minor"]
    return 1 / math.sqrt(along * along + across * across)


@njit(cache=True, nogil=True)
def clashes(one: Any, other: Any, room: float) -> bool:
    """Whether two ellipses come nearer than ``room`` times their touching distance."""
    dy, dx = one["y"] - other["y"], one["x"] - other["x"]
    square = dy * dy + dx * dx
    far = one["major"] + other["major"]
    if square > (room * far) ** 2:
        return False
    touch = towards(one, dy, dx) + towards(other, dy, dx)
    return bool(square < (room * touch) ** 2)


@njit(cache=True, nogil=True)
def place(
    nuclei: NDArray[Any], room: NDArray[np.float64], bin_px: float, fixed: int
) -> Any:
    """Keep, in order, each nucleus that has room beside those kept before it.

    Parameters
    ----------
    nuclei : (n,) records of NUCLEUS
    room : (n,) float64
        Least centre distance as a fraction of the touching distance.
    bin_px : float
        At least twice the largest half axis.
    fixed : int
        So many at the front are kept unseen.

    Returns
    -------
    (n,) bool
    """
    kept = np.zeros(nuclei.size, dtype=np.bool_)
    if nuclei.size == 0:
        return kept
    y0, x0 = nuclei["y"].min(), nuclei["x"].min()
    rows = int((nuclei["y"].max() - y0) / bin_px) + 3
    columns = int((nuclei["x"].max() - x0) / bin_px) + 3
    head = np.full((rows, columns), -1, dtype=np.int64)
    tail = np.full(nuclei.size, -1, dtype=np.int64)
    for i in range(nuclei.size):
        row = int((nuclei[i]["y"] - y0) / bin_px) + 1
        column = int((nuclei[i]["x"] - x0) / bin_px) + 1
        free, seen = True, i >= fixed
        for r in range(row - 1, row + 2):
            for c in range(column - 1, column + 2):
                j = head[r, c]
                while j >= 0 and free and seen:
                    free = not clashes(nuclei[i], nuclei[j], room[i])
                    j = tail[j]
        if free:
            kept[i] = True
            tail[i] = head[row, column]
            head[row, column] = i
    return kept
