"""Whole cells around real nuclei, and what membrane markers would show of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from imaging import Rng, blur, depth_px, smooth_noise

if TYPE_CHECKING:
    from samples import Image, Labels

# How far cells extend beyond their nuclei: hardly at all in crowded lymphoid tissue,
# some µm in epithelium.
REACH_PX = (0.0, 9.0)
MANY_CHANNELS = 0.4
# Shares of the pictures with a poor focus, with stroma that outshines the cells, and
# with rims that belong to other cells, as above or below the section's own.
BLURRED = 0.35
STROMA = 0.3
UNRELATED = 0.1


def grown_cells(rng: Rng, nuclei: Labels) -> Labels:
    """Surround nuclei by cells of uneven width.

    Parameters
    ----------
    rng : numpy.random.Generator
    nuclei : ndarray of int32
        (y, x)

    Returns
    -------
    ndarray of int32
        Cells, numbered as their nuclei are.
    """
    if not nuclei.any():
        return nuclei
    distance, nearest = ndimage.distance_transform_edt(nuclei == 0, return_indices=True)
    owner = nuclei[tuple(nearest)]
    reach = rng.uniform(*REACH_PX) * rng.beta(1, 1.2)
    own = reach * np.exp(0.35 * rng.standard_normal(int(nuclei.max()) + 1))
    uneven = 1 + 0.35 * smooth_noise(rng, nuclei.shape, rng.uniform(4, 12))
    return np.where(distance <= own[owner] * uneven, owner, nuclei).astype(np.int32)


def membrane_image(rng: Rng, cells: Labels, nuclei: Labels) -> Image:
    """Paint a composite of membrane markers.

    Parameters
    ----------
    rng : numpy.random.Generator
    cells, nuclei : ndarray of int32
        (y, x)

    Returns
    -------
    ndarray of float32
        (y, x), about 0 to 1, before the microscope.
    """
    image = _channel(rng, cells, nuclei)
    if rng.random() < MANY_CHANNELS:
        image = np.maximum(image, _channel(rng, cells, nuclei))
    if rng.random() < UNRELATED:
        image = np.roll(image, (97, 61), (0, 1))
    if rng.random() < BLURRED:
        image = blur(image, rng.uniform(1.5, 4))
    if rng.random() < STROMA:
        image = image + _stroma(rng, cells.shape)
    return np.asarray(image + _ground(rng, cells), np.float32)


def _ground(rng: Rng, cells: Labels) -> Image:
    """Light that follows no cell: fibres, a glow of the tissue, and the glass."""
    fibres = smooth_noise(rng, cells.shape, rng.uniform(1.5, 6))
    tissue = blur((cells > 0).astype(np.float32), rng.uniform(4, 20))
    glow = np.exp(0.6 * smooth_noise(rng, cells.shape, rng.uniform(10, 60)))
    light = rng.uniform(0, 0.25) * np.maximum(fibres, 0)
    light += rng.choice([0.0, 0.2, 0.6]) * rng.uniform(0, 1) * tissue * glow
    return np.asarray(light + rng.uniform(0, 0.1), np.float32)


def _stroma(rng: Rng, shape: tuple[int, ...]) -> Image:
    """Bright bands, as fibrous stroma and vessels show in many membrane markers."""
    course = smooth_noise(rng, shape, rng.uniform(15, 50))
    band = np.exp(-((course / rng.uniform(0.1, 0.6)) ** 2))
    grain = 1 + 0.4 * smooth_noise(rng, shape, rng.uniform(1, 4))
    return np.asarray(rng.uniform(0.3, 2) * band * grain, np.float32)


def _channel(rng: Rng, cells: Labels, nuclei: Labels) -> Image:
    """One marker: a rim, uneven along the outline, and some light within."""
    n = int(cells.max()) + 1
    bright = np.exp(rng.uniform(0.1, 0.6) * rng.standard_normal(n))
    bright[rng.random(n) < rng.choice([0.0, 0.1, 0.6])] *= rng.uniform(0, 0.25)
    bright[0] = 0
    rim = np.exp(-((depth_px(cells) / rng.uniform(0.7, 2.2)) ** 2))
    patchy = 1 + rng.uniform(0, 0.6) * smooth_noise(rng, cells.shape, rng.uniform(2, 6))
    within = rng.uniform(0, 0.6) * (1 - rng.uniform(0, 1) * (nuclei > 0))
    light = bright[cells] * (rim * np.clip(patchy, 0, 2.5) + within)
    light *= np.exp(rng.uniform(0, 1) * smooth_noise(rng, cells.shape, 40))
    spill = blur(light.astype(np.float32), rng.uniform(0.4, rng.choice([1.2, 2.5])))
    return np.maximum(spill, 0)
