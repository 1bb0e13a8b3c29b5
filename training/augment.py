"""Draw training crops: turn, scale, and spoil them as microscopes and tissue do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from imaging import Rng, blur, smooth_noise
from membrane import membrane_image
from samples import OUTSIDE, PERCENTILES, Image, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

CROP_PX = 224
SCALE = (0.55, 1.45)
FLOW_SCALE = 5.0
# Share of the crops that show membranes and teach cells; the others teach nuclei.
MEMBRANES = 0.4

cv2.setNumThreads(1)


@dataclass(frozen=True)
class Crop:
    """One training example.

    Parameters
    ----------
    image : ndarray of float32
        (2, y, x): nuclear stain and membrane; 0 where a crop teaches nuclei.
    target : ndarray of float32
        (8, y, x): 5 · flow y, 5 · flow x, inside or not, weight, of nuclei and cells.
    """

    image: Image
    target: Image


def draw(rng: Rng, sample: Sample, haze_of: Sample) -> Crop:
    """Cut a crop at random and spoil its image.

    Parameters
    ----------
    rng : numpy.random.Generator
    sample : Sample
    haze_of : Sample
        Where the out-of-focus light of some crops comes from.
    """
    matrix, turn = _motion(rng, sample.image.shape)
    outside = _outside(sample.image, matrix)
    labels, nuclei = _target(matrix, turn, sample.labels, sample.flows, sample.weight)
    whole = sample.cells, sample.cell_flows, sample.cell_weight
    cells, around = _target(matrix, turn, *whole)
    image = _brightened(rng, _seen(sample, matrix), labels)
    if rng.random() < 0.35:
        other, _ = _motion(rng, haze_of.image.shape)
        far = _seen(haze_of, other)
        image = image + rng.uniform(0.1, 0.5) * blur(far, rng.uniform(4, 14))
    if rng.random() < 0.5:
        image = _mottled(rng, image, nuclei[2])
    if rng.random() < MEMBRANES:
        bleed = rng.uniform(0, 0.4) * (rng.random() < 0.3)
        membrane = membrane_image(rng, cells, labels) + bleed * np.maximum(image, 0)
        membrane = spoiled(rng, membrane)
        nuclei[3] = 0
    else:
        membrane = np.zeros_like(image)
        around[3] = 0
    both = np.stack([spoiled(rng, image), membrane])
    both[:, outside] = 0
    return Crop(both, np.concatenate([nuclei, around]))


def _target(
    matrix: Image,
    turn: Image,
    labels: NDArray[np.int32],
    flows: NDArray[np.float16],
    weight: NDArray[np.float16],
) -> tuple[NDArray[np.int32], Image]:
    """Labels of a crop, and what the loss compares: flows, inside or not, weight."""
    ids = _warp(labels.astype(np.float32), matrix, cv2.INTER_NEAREST)
    inside = (ids > 0).astype(np.float32)
    planes = [_warp(plane.astype(np.float32), matrix) for plane in flows]
    flow_y = (turn[1, 0] * planes[1] + turn[1, 1] * planes[0]) * inside
    flow_x = (turn[0, 0] * planes[1] + turn[0, 1] * planes[0]) * inside
    weights = _warp(weight.astype(np.float32), matrix, cv2.INTER_NEAREST)
    target = np.stack([FLOW_SCALE * flow_y, FLOW_SCALE * flow_x, inside, weights])
    return ids.astype(np.int32), target


def _seen(sample: Sample, matrix: Image) -> Image:
    image = np.where(sample.image == OUTSIDE, np.float32(0), sample.image)
    return _warp(image, matrix, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101)


def _outside(image: Image, matrix: Image) -> NDArray[np.bool_]:
    """Where the picture ends: what lies beyond is 0, as it is for a slide."""
    beyond = (image == OUTSIDE).astype(np.float32)
    warped = _warp(beyond, matrix, cv2.INTER_NEAREST, cv2.BORDER_REFLECT_101)
    return np.asarray(warped > 0)


def _motion(rng: Rng, shape: tuple[int, ...]) -> tuple[Image, Image]:
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]]) @ np.diag([rng.choice([-1, 1]), 1])
    scale = np.exp(rng.uniform(*np.log(SCALE)))
    reach = CROP_PX / scale / 2
    low = np.minimum(reach, np.array(shape[::-1]) / 2)
    centre = rng.uniform(low, np.array(shape[::-1]) - low)
    matrix = np.zeros((2, 3))
    matrix[:, :2] = scale * turn
    matrix[:, 2] = CROP_PX / 2 - matrix[:, :2] @ centre
    return matrix.astype(np.float32), turn.astype(np.float32)


def _warp(
    plane: Image,
    matrix: Image,
    how: int = cv2.INTER_LINEAR,
    border: int = cv2.BORDER_CONSTANT,
) -> Image:
    out = cv2.warpAffine(
        plane, matrix, (CROP_PX, CROP_PX), flags=how, borderMode=border
    )
    return np.asarray(out, np.float32)


def _mottled(rng: Rng, image: Image, nucleus: Image) -> Image:
    """Give the background faint light with dark, sharply bounded gaps."""
    grain = smooth_noise(rng, image.shape, rng.uniform(4, 14))
    light = (grain < rng.uniform(0.2, 1.5)).astype(np.float32)
    light = blur(light, rng.uniform(0.5, 1.5))
    faint = rng.uniform(0.02, 0.2) * light * (1 - blur(nucleus, 1.0))
    return np.asarray(image + faint, np.float32)


def _brightened(rng: Rng, image: Image, labels: NDArray[np.int32]) -> Image:
    """Make single nuclei dimmer or brighter: tissue has both side by side."""
    if rng.random() < 0.6:
        return image
    gain = np.exp(rng.uniform(0.2, 0.6) * rng.standard_normal(labels.max() + 1))
    gain[0] = 1
    soft = blur(gain[labels].astype(np.float32), 1.0)
    bright = np.maximum(image, 0) * np.clip(soft, 0.2, 2.5)
    return np.asarray(bright, np.float32)


def spoiled(rng: Rng, image: Image) -> Image:
    """Pass a clean image through a poor microscope.

    Parameters
    ----------
    rng : numpy.random.Generator
    image : ndarray of float32
        (y, x), about 0 to 1.
    """
    image = np.clip(image, 0, 4) ** np.float32(np.exp(rng.normal(0, 0.3)))
    if rng.random() < 0.5:
        image = blur(image, rng.uniform(0.3, rng.choice([1.0, 1.5, 2.2])))
    if rng.random() < 0.4:
        strength = rng.uniform(0.1, 0.4)
        image = image * np.exp(strength * smooth_noise(rng, image.shape, 60))
    if rng.random() < 0.4:
        glow = np.exp(0.5 * smooth_noise(rng, image.shape, rng.uniform(15, 50)))
        image = image + rng.uniform(0.02, 0.3) * glow
    if rng.random() < 0.7:
        image = _noisy(rng, image)
    if rng.random() < 0.15:
        image = _compressed(rng, image)
    return _exposed(rng, image)


def _noisy(rng: Rng, image: Image) -> Image:
    photons = np.exp(rng.uniform(np.log(25), np.log(1500)))
    variance = np.maximum(image, 0) / photons + rng.uniform(0, 0.04) ** 2
    noise = rng.standard_normal(image.shape, np.float32)
    if rng.random() < 0.4:
        noise = blur(noise, 0.7) * 2
    return np.asarray(image + noise * np.sqrt(variance), np.float32)


def _compressed(rng: Rng, image: Image) -> Image:
    top = max(float(image.max()), 1e-3)
    bytes8 = np.clip(image / top * 255, 0, 255).astype(np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 90))]
    _, packed = cv2.imencode(".jpg", bytes8, quality)
    again = cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)
    return np.asarray(again, np.float32) * np.float32(top / 255)


def _exposed(rng: Rng, image: Image) -> Image:
    """Normalise as a slide is: its percentiles are seldom those of the crop."""
    low, high = np.percentile(image, PERCENTILES)
    image = (image - low) / max(high - low, 1e-3)
    gain = np.exp(rng.uniform(np.log(0.35), np.log(1.5)))
    return np.asarray(image * gain + rng.uniform(-0.05, 0.12), np.float32)
