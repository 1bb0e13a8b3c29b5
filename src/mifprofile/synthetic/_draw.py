"""Painting of synthetic nuclei: numba kernels on plain arrays."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from scipy.ndimage import gaussian_filter

from mifprofile.synthetic._shapes import outline_radius

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHEET_UM = 0.25
SHEET_SIZE = 512


@functools.cache
def chromatin_sheet() -> NDArray[np.float32]:
    """Return a periodic chromatin texture, (512, 512) of 0.25 µm, mean 0, sd 1."""
    rng = np.random.default_rng(20_240_501)
    sheet = np.zeros((SHEET_SIZE, SHEET_SIZE))
    for grain_um, weight in ((0.35, 0.5), (0.8, 1.0), (1.6, 0.7)):
        noise = rng.normal(size=sheet.shape)
        layer = gaussian_filter(noise, grain_um / SHEET_UM, mode="wrap")
        sheet += weight * layer / layer.std()
    sheet -= sheet.mean()
    sheet /= sheet.std()
    frozen = sheet.astype(np.float32)
    frozen.flags.writeable = False
    return frozen


@njit(cache=True, nogil=True)
def unit_coordinates(nucleus: Any, y: float, x: float) -> tuple[float, float, float]:
    """Return (u, v, radius): the pixel in the nucleus' frame, 1 on its border."""
    dy, dx = y - nucleus["y"], x - nucleus["x"]
    u = (dx * nucleus["cos"] + dy * nucleus["sin"]) / nucleus["major"]
    v = (dy * nucleus["cos"] - dx * nucleus["sin"]) / nucleus["minor"]
    r = math.sqrt(u * u + v * v)
    if r < 1e-6:
        return u, v, 0.0
    return u, v, r / outline_radius(nucleus["wave"], u / r, v / r)


@njit(cache=True, nogil=True)
def stain(nucleus: Any, u: float, v: float, radius: float, speckle: float) -> float:
    """Brightness of the DNA stain at one place of a nucleus, before any blur."""
    edge = min(1.0, max(0.0, (1 - radius) / nucleus["rim"] + 0.5))
    inner = min(radius, 1.0)
    height = 1 - nucleus["dome"] + nucleus["dome"] * math.sqrt(1 - inner * inner)
    border = (inner - 0.85) / 0.12
    value = height + nucleus["envelope"] * math.exp(-border * border)
    value *= max(0.15, 1 + nucleus["texture"] * speckle)
    for k in range(0, 6, 3):
        spot = nucleus["spots"]
        du, dv = u - spot[k], v - spot[k + 1]
        value *= 1 - 0.45 * math.exp(-(du * du + dv * dv) / spot[k + 2])
    return float(edge * value * nucleus["brightness"])


@njit(cache=True, nogil=True)
def span(centre: float, reach: float, start: int, size: int) -> tuple[int, int]:
    """Rows or columns of a block that a nucleus may touch."""
    low = max(0, math.floor(centre - reach) - 1 - start)
    high = min(size, math.ceil(centre + reach) + 2 - start)
    return low, high


@njit(cache=True, nogil=True)
def paint_nuclei(
    nuclei: NDArray[Any],
    sheet: NDArray[np.float32],
    sheet_step: float,
    start: tuple[int, int],
    planes: NDArray[np.float32],
) -> None:
    """Add the stain of every nucleus to its focal plane.

    Parameters
    ----------
    nuclei : (n,) records of NUCLEUS
    sheet : (512, 512) float32
        Chromatin texture.
    sheet_step : float
        Texture elements per pixel.
    start : (int, int)
        Slide row and column of the upper left pixel.
    planes : (k, y, x) float32
        Added to in place.
    """
    for i in range(nuclei.size):
        n = nuclei[i]
        top, bottom = span(n["y"], n["reach"], start[0], planes.shape[1])
        left, right = span(n["x"], n["reach"], start[1], planes.shape[2])
        for row in range(top, bottom):
            y = row + start[0]
            for column in range(left, right):
                x = column + start[1]
                u, v, radius = unit_coordinates(n, y, x)
                if radius >= 1 + 0.5 * n["rim"]:
                    continue
                sy = int(y * sheet_step) + n["texture_y"]
                sx = int(x * sheet_step) + n["texture_x"]
                speckle = sheet[sy & 511, sx & 511]
                planes[n["plane"], row, column] += stain(n, u, v, radius, speckle)


@njit(cache=True, nogil=True)
def label_nuclei(nuclei: NDArray[Any], labels: NDArray[np.int32]) -> None:
    """Write 1, 2, … over the (y, x) pixels of (n,) nuclei; later ones lie on top."""
    for i in range(nuclei.size):
        n = nuclei[i]
        top, bottom = span(n["y"], n["reach"], 0, labels.shape[0])
        left, right = span(n["x"], n["reach"], 0, labels.shape[1])
        for row in range(top, bottom):
            for column in range(left, right):
                if unit_coordinates(n, row, column)[2] < 1:
                    labels[row, column] = i + 1


@njit(cache=True, nogil=True)
def _claim(
    n: Any, width: float, priority: float, y: float, x: float
) -> tuple[float, bool]:
    """How firmly a cell claims a pixel (lower is firmer), and if by its nucleus."""
    dy, dx = y - n["y"], x - n["x"]
    reach = n["reach"] + width
    if dy * dy + dx * dx > reach * reach:
        return math.inf, False
    radius = unit_coordinates(n, y, x)[2]
    if radius < 1:
        return -1.0 - priority, True
    beyond = (radius - 1) / radius * math.sqrt(dy * dy + dx * dx)
    return beyond if beyond < width else math.inf, False


@njit(cache=True, nogil=True)
def label_cells(
    nuclei: NDArray[Any],
    cytoplasm_px: NDArray[np.float64],
    priority: NDArray[np.float64],
    start: tuple[int, int],
    shape: tuple[int, int],
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Divide a block among cells: to the uppermost nucleus, else to the nearest one.

    Parameters
    ----------
    nuclei : (n,) records of NUCLEUS
    cytoplasm_px : (n,) float64
        How far each cell reaches beyond its nucleus.
    priority : (n,) float64
        In [0, 1): of overlapping nuclei, the highest is on top.
    start, shape : (int, int)
        The block, in pixels of the slide.

    Returns
    -------
    cells : (y, x) int32
        1, 2, … in the order given; 0 is no cell.
    inside : (y, x) bool
        Whether the pixel is nucleus.
    """
    cells = np.zeros(shape, dtype=np.int32)
    inside = np.zeros(shape, dtype=np.bool_)
    best = np.full(shape, np.inf, dtype=np.float32)
    for i in range(nuclei.size):
        n = nuclei[i]
        reach = n["reach"] + cytoplasm_px[i]
        top, bottom = span(n["y"], reach, start[0], shape[0])
        left, right = span(n["x"], reach, start[1], shape[1])
        for r in range(top, bottom):
            for c in range(left, right):
                claim, nuclear = _claim(
                    n, cytoplasm_px[i], priority[i], r + start[0], c + start[1]
                )
                if np.float32(claim) < best[r, c]:
                    best[r, c] = claim
                    cells[r, c] = i + 1
                    inside[r, c] = nuclear
    return cells, inside


@njit(cache=True, nogil=True)
def _at_border(cells: NDArray[np.int32], r: int, c: int, step: int) -> bool:
    own = cells[r, c]
    bottom, right = cells.shape[0] - 1, cells.shape[1] - 1
    for dr in (-step, 0, step):
        for dc in (-step, 0, step):
            rr, cc = min(max(r + dr, 0), bottom), min(max(c + dc, 0), right)
            if cells[rr, cc] != own:
                return True
    return False


@njit(cache=True, nogil=True)
def paint_markers(
    cells: NDArray[np.int32],
    inside: NDArray[np.bool_],
    levels: NDArray[np.float32],
    pattern: NDArray[np.int64],
    membrane_px: int,
    sheet: NDArray[np.float32],
    start: tuple[int, int],
    planes: NDArray[np.float32],
) -> None:
    """Write the light of every marker.

    Parameters
    ----------
    cells, inside : (y, x)
        As from `label_cells`.
    levels : (n, m) float32
        Counts of each cell and marker.
    pattern : (m,) int64
        0 nucleus, 1 cytoplasm, 2 membrane, 3 whole cell.
    membrane_px : int
        Width of the membrane ring.
    sheet : (512, 512) float32
        Texture.
    start : (int, int)
        Slide row and column of the upper left pixel.
    planes : (m, y, x) float32
        Written in place.
    """
    light = np.empty(4, dtype=np.float32)
    half_px = max(1, membrane_px // 2)
    for r in range(cells.shape[0]):
        for c in range(cells.shape[1]):
            cell = cells[r, c] - 1
            if cell < 0:
                continue
            sy, sx = r + start[0], c + start[1]
            grain = max(0.2, 1 + 0.22 * sheet[sy & 511, sx & 511])
            ring = 1.0 if _at_border(cells, r, c, half_px) else 0.0
            if ring == 0.0 and membrane_px > half_px:
                ring = 0.7 if _at_border(cells, r, c, membrane_px) else 0.0
            light[0] = 1.0 if inside[r, c] else 0.04
            light[1] = 0.3 if inside[r, c] else 1.0
            light[2] = max(ring, 0.06 if inside[r, c] else 0.15)
            light[3] = 1.0
            for m in range(pattern.size):
                planes[m, r, c] = light[pattern[m]] * grain * levels[cell, m]
