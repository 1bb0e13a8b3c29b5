"""Pictures of crowded nuclei with their labels, to train and to test segmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from mifprofile.synthetic._draw import (
    SHEET_SIZE,
    SHEET_UM,
    chromatin_sheet,
    label_nuclei,
    paint_nuclei,
)
from mifprofile.synthetic._noise import smooth_noise
from mifprofile.synthetic._shapes import NUCLEUS, outline_waves, place, set_reach

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLANE_BLUR_UM = (0.0, 0.7, 1.5, 4.0)
GHOST_PLANE = 3
MIN_VISIBLE = 0.35
MIN_AREA_UM2 = 6.0


class Kind(NamedTuple):
    """How the nuclei of one population look; sizes are medians in µm."""

    diameter_um: float
    size_spread: float
    roundness: tuple[float, float]
    irregularity: float
    brightness: float
    texture: tuple[float, float]
    dome: tuple[float, float]
    nucleoli: float


LYMPHOCYTE = Kind(6.4, 0.13, (0.72, 0.98), 0.04, 1.25, (0.08, 0.22), (0.2, 0.9), 0.1)
TUMOUR_NUCLEUS = Kind(
    9.3, 0.18, (0.58, 0.95), 0.055, 0.75, (0.08, 0.25), (0.0, 0.6), 0.7
)
STROMAL = Kind(6.6, 0.2, (0.2, 0.55), 0.09, 0.9, (0.05, 0.22), (0.1, 0.8), 0.1)
KINDS = (LYMPHOCYTE, TUMOUR_NUCLEUS, STROMAL)


def nuclei_field(
    rng: np.random.Generator,
    shape_px: tuple[int, int],
    pixel_size_um: float = 0.5,
    crowding: float = 0.7,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return a fluorescence picture of crowded tissue nuclei and their labels.

    Every call has its own look (mixture, focus, haze, illumination and noise), drawn
    from ``rng``.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape_px : (int, int)
        Height and width.
    pixel_size_um : float
        Edge length of a pixel, µm.
    crowding : float
        0 scattered, 1 as dense as a lymph node.

    Returns
    -------
    image : (y, x) float32
        Positive, in arbitrary units.
    labels : (y, x) int32
        0 is background; the visible part of each nucleus.
    """
    nuclei = _sorted_by_depth(_populate(rng, shape_px, pixel_size_um, crowding))
    image = _expose(rng, _optics(rng, nuclei, shape_px, pixel_size_um))
    seen = nuclei[nuclei["plane"] < GHOST_PLANE]
    labels = np.zeros(shape_px, dtype=np.int32)
    label_nuclei(seen, labels)
    return image, _drop_hidden(labels, seen, pixel_size_um)


def make_nuclei(
    rng: np.random.Generator,
    kinds: NDArray[np.int64],
    angles: NDArray[np.float64],
    pixel_size_um: float,
) -> NDArray[Any]:
    """Return (n,) records of nuclei of the given kinds, all centred at the origin.

    Parameters
    ----------
    rng : numpy.random.Generator
    kinds : (n,) int64
        Index into `KINDS`.
    angles : (n,) float64
        Direction of the long axis, radians.
    pixel_size_um : float

    Returns
    -------
    (n,) records of NUCLEUS
    """
    count = kinds.size
    nuclei = np.zeros(count, dtype=NUCLEUS)
    radius = 0.5 * _per_kind("diameter_um", kinds) / pixel_size_um
    spread = _per_kind("size_spread", kinds)
    radius = radius * np.exp(np.clip(rng.normal(0, 1, count), -2, 2.2) * spread)
    roundness = _uniform(rng, "roundness", kinds)
    nuclei["major"] = radius / np.sqrt(roundness)
    nuclei["minor"] = radius * np.sqrt(roundness)
    nuclei["cos"], nuclei["sin"] = np.cos(angles), np.sin(angles)
    amplitude = _per_kind("irregularity", kinds)
    nuclei["wave"] = outline_waves(rng, count, 1.0) * amplitude[:, None]
    nuclei["brightness"] = _per_kind("brightness", kinds) * rng.lognormal(0, 0.3, count)
    nuclei["texture"] = _uniform(rng, "texture", kinds)
    nuclei["dome"] = _uniform(rng, "dome", kinds)
    nuclei["envelope"] = rng.uniform(0, 0.45, count)
    nuclei["texture_y"] = rng.integers(0, SHEET_SIZE, count)
    nuclei["texture_x"] = rng.integers(0, SHEET_SIZE, count)
    nuclei["spots"] = _nucleoli(rng, kinds, radius * pixel_size_um)
    set_reach(nuclei)
    return nuclei


def _per_kind(field: str, kinds: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.array([getattr(kind, field) for kind in KINDS], dtype=float)[kinds]


def _uniform(
    rng: np.random.Generator, field: str, kinds: NDArray[np.int64]
) -> NDArray[np.float64]:
    low, high = _per_kind(field, kinds).T
    return low + (high - low) * rng.random(kinds.size)


def _nucleoli(
    rng: np.random.Generator, kinds: NDArray[np.int64], radius_um: NDArray[np.float64]
) -> NDArray[np.float64]:
    spots = rng.uniform(-0.55, 0.55, (kinds.size, 2, 3))
    wide = rng.uniform(0.5, 1.1, (kinds.size, 2)) / radius_um[:, None]
    present = rng.random((kinds.size, 2)) < _per_kind("nucleoli", kinds)[:, None]
    spots[:, :, 2] = np.where(present, wide, 1e-3) ** 2
    return spots.reshape(kinds.size, 6)


def _populate(
    rng: np.random.Generator, shape: tuple[int, int], um: float, crowding: float
) -> NDArray[Any]:
    margin = 10 / um
    count = int((shape[0] + 2 * margin) * (shape[1] + 2 * margin) * um**2 * 0.07)
    y = rng.uniform(-margin, shape[0] + margin, count)
    x = rng.uniform(-margin, shape[1] + margin, count)
    at = tuple(
        np.clip(v, 0, n - 1).astype(int) for v, n in zip((y, x), shape, strict=True)
    )
    nest = smooth_noise(rng, shape, 45 / um)[at] + rng.normal(0, 0.7)
    flow = np.pi * smooth_noise(rng, shape, 60 / um)[at] * 0.6 + rng.uniform(0, np.pi)
    cluster = smooth_noise(rng, shape, 25 / um)[at]
    kinds = _choose_kinds(rng, nest, cluster)
    wobble = np.array([1.5, 0.6, 0.2])[kinds]
    nuclei = make_nuclei(rng, kinds, flow + rng.normal(0, 1, count) * wobble, um)
    nuclei["y"], nuclei["x"] = y, x
    wanted = np.where(nest > 0, 0.9, 0.2 + 0.6 * (cluster > 0.4)) * crowding
    nuclei = nuclei[rng.random(count) < wanted]
    room = rng.uniform(0.72, 1.05, nuclei.size) + 0.25 * (1 - crowding)
    kept = nuclei[place(nuclei, room, 2 * float(nuclei["major"].max(initial=1.0)), 0)]
    _set_focus(rng, kept)
    return kept


def _choose_kinds(
    rng: np.random.Generator, nest: NDArray[np.float32], cluster: NDArray[np.float32]
) -> NDArray[np.int64]:
    draw = rng.random(nest.size)
    immune = np.where(nest > 0, 0.08, np.where(cluster > 0.4, 0.8, 0.35))
    stromal = np.where(nest > 0, 0.02, np.where(cluster > 0.4, 0.15, 0.5))
    return np.where(draw < immune, 0, np.where(draw < immune + stromal, 2, 1))


def _set_focus(rng: np.random.Generator, nuclei: NDArray[Any]) -> None:
    sharp = rng.uniform(0.45, 0.9)
    ghosts = rng.uniform(0, 0.08)
    share = [sharp, (1 - sharp) * 0.7, (1 - sharp) * 0.3]
    plane = rng.choice(3, nuclei.size, p=share)
    ghost = rng.random(nuclei.size) < ghosts
    nuclei["plane"] = np.where(ghost, GHOST_PLANE, plane)
    fading = np.array([1.0, 0.85, 0.65, 0.35])
    nuclei["brightness"] *= fading[nuclei["plane"]]


def _sorted_by_depth(nuclei: NDArray[Any]) -> NDArray[Any]:
    return nuclei[np.argsort(-nuclei["plane"], kind="stable")]


def _optics(
    rng: np.random.Generator, nuclei: NDArray[Any], shape: tuple[int, int], um: float
) -> NDArray[np.float32]:
    planes = np.zeros((len(PLANE_BLUR_UM), *shape), dtype=np.float32)
    paint_nuclei(nuclei, chromatin_sheet(), um / SHEET_UM, (0, 0), planes)
    lens_um = rng.uniform(0.2, 0.45)
    image = np.zeros(shape, dtype=np.float32)
    for plane, blur_um in zip(planes, PLANE_BLUR_UM, strict=True):
        image += _blurred(plane, float(np.hypot(lens_um, blur_um)) / um)
    glare = rng.uniform(0.02, 0.15) * _blurred_coarse(image, rng.uniform(6, 15) / um)
    fog = np.exp(0.5 * smooth_noise(rng, shape, 40 / um)) * rng.uniform(0.01, 0.1)
    light = 1 + rng.uniform(0.02, 0.15) * smooth_noise(rng, shape, 150 / um)
    return np.asarray((image + glare + fog) * np.maximum(light, 0.4), dtype=np.float32)


def _blurred(image: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    return np.asarray(gaussian_filter(image, sigma_px, truncate=3.0), dtype=np.float32)


def _blurred_coarse(image: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    step = 4
    small = gaussian_filter(image[::step, ::step], sigma_px / step)
    wide = np.repeat(np.repeat(small, step, axis=0), step, axis=1)
    return np.asarray(wide[: image.shape[0], : image.shape[1]], dtype=np.float32)


def _expose(
    rng: np.random.Generator, light: NDArray[np.float32]
) -> NDArray[np.float32]:
    photons = float(np.exp(rng.uniform(np.log(60), np.log(1500))))
    read = rng.uniform(1, 4)
    spread = np.sqrt(light * photons + read**2)
    counts = light * photons + spread * rng.standard_normal(
        light.shape, dtype=np.float32
    )
    return np.asarray(np.maximum(counts + 3 * read, 0) + 1, dtype=np.float32)


def _drop_hidden(
    labels: NDArray[np.int32], nuclei: NDArray[Any], um: float
) -> NDArray[np.int32]:
    visible = np.bincount(labels.ravel(), minlength=nuclei.size + 1).astype(float)
    whole = np.concatenate([[0.0], np.pi * nuclei["major"] * nuclei["minor"]])
    inside = _whole_inside(nuclei, labels.shape)
    seen = visible * um**2 >= np.where(inside, MIN_AREA_UM2, 1.0)
    keep = seen & (~inside | (visible >= MIN_VISIBLE * whole))
    keep[0] = False
    names = np.zeros(visible.size, dtype=np.int32)
    names[keep] = np.arange(1, keep.sum() + 1)
    return names[labels]


def _whole_inside(nuclei: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    low = np.minimum(nuclei["y"], nuclei["x"]) > nuclei["reach"]
    high_y = nuclei["y"] + nuclei["reach"] < shape[0]
    high_x = nuclei["x"] + nuclei["reach"] < shape[1]
    return np.concatenate([[False], low & high_y & high_x])
