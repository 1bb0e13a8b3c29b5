"""Images with exact labels: real layouts painted anew, and crowds of real nuclei."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy import ndimage

from imaging import Rng, blur, depth_px, smooth_noise
from membrane import grown_cells
from samples import OUTSIDE, Image, Labels, Sample, make_sample, normalised

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

RENDERS = 3
N_COLLAGES = 90
N_GENERATED = 80
SIZE_PX = 448
MARGIN_PX = 3
PATCH_AREA_PX = (50, 600)
MAX_OVERLAP = 0.25
COVERAGE = (0.3, 0.75)
DEPTHS_PX = (0.6, 1.2, 2.2)


@dataclass(frozen=True)
class Patch:
    """A nucleus cut out of a real image: brightness above background, and outline."""

    light: Image
    mask: NDArray[np.bool_]


def painted(rng: Rng, labels: Labels) -> Image:
    """Paint nuclei into a label map: chromatin, rim, dome, depth, haze.

    Parameters
    ----------
    rng : numpy.random.Generator
    labels : ndarray of int32
        (y, x)

    Returns
    -------
    ndarray of float32
        (y, x), normalised; without camera noise, which augmentation adds.
    """
    signal = _light(rng, labels)
    image = np.zeros(labels.shape, np.float32)
    depth = rng.choice(len(DEPTHS_PX), labels.max() + 1, p=(0.55, 0.3, 0.15))[labels]
    for i, sigma_px in enumerate(DEPTHS_PX):
        image += blur(np.where(depth == i, signal, 0), sigma_px)
    image += rng.uniform(0, 0.5) * np.roll(
        blur(signal, rng.uniform(3, 7)), (97, 61), (0, 1)
    )
    haze = np.exp(0.6 * smooth_noise(rng, labels.shape, rng.uniform(15, 60)))
    fibres = np.abs(smooth_noise(rng, labels.shape, rng.uniform(1.5, 4)))
    image += rng.uniform(0, 0.25) * haze * (1 + rng.uniform(0, 0.6) * fibres)
    return normalised(image)


def _light(rng: Rng, labels: Labels) -> Image:
    n = int(labels.max()) + 1
    region = np.exp(rng.uniform(0, 0.4) * smooth_noise(rng, labels.shape, 50))
    brightness = np.exp(rng.uniform(0.25, 0.6) * rng.standard_normal(n))
    rim = np.maximum(rng.normal(rng.uniform(-0.2, 0.6), 0.3, n), -0.5)
    dome = rng.uniform(0.5, 3.5, n)
    depth = depth_px(labels)
    texture = 1 + rng.uniform(0.05, 0.25) * smooth_noise(rng, labels.shape, 1.2)
    texture += rng.uniform(0.05, 0.2) * smooth_noise(rng, labels.shape, 2.5)
    light = brightness[labels] * region * np.maximum(texture, 0.2)
    light *= 1 + rim[labels] * np.exp(-depth / 1.5)
    light *= 1 - np.exp(-(depth + 0.5) / dome[labels])
    return np.where(labels > 0, light, 0).astype(np.float32)


def rounded(labels: Labels) -> Labels:
    """Smooth the outlines of software's nuclei by a majority vote."""
    out = cv2.medianBlur(labels.astype(np.float32), 5).astype(np.int32)
    return np.where(np.isin(out, np.unique(labels)), out, 0).astype(np.int32)


def layouts(fields: Sequence[Sample], rng: Rng) -> Iterator[Sample]:
    """Paint the label maps of real fields, each several times."""
    for field in fields:
        labels = rounded(field.labels)
        flows = None
        for i in range(RENDERS if field.split == "train" else 1):
            about = (f"{field.name}-{i}", "layout", field.split)
            cells = np.where(labels > 0, labels, field.cells)
            cells = grown_cells(rng, labels) if i else cells.astype(np.int32)
            image = painted(rng, labels)
            sample = make_sample(about, image, labels, cells, flows=flows)
            flows = sample.flows
            yield sample


def bank_of(samples: Sequence[Sample]) -> list[Patch]:
    """Cut out the nuclei of real images."""
    return [patch for sample in samples for patch in _patches(sample)]


def _patches(sample: Sample) -> Iterator[Patch]:
    shape = np.array(sample.labels.shape)
    for i, box in enumerate(ndimage.find_objects(sample.labels), start=1):
        if box is None:
            continue
        low = np.array([side.start for side in box]) - MARGIN_PX
        high = np.array([side.stop for side in box]) + MARGIN_PX
        if (low < 0).any() or (high > shape).any():
            continue
        window = (slice(low[0], high[0]), slice(low[1], high[1]))
        if (sample.image[window] == OUTSIDE).any():
            continue
        mask = sample.labels[window] == i
        if PATCH_AREA_PX[0] <= mask.sum() <= PATCH_AREA_PX[1]:
            yield Patch(_cut(sample.image[window], sample.labels[window], mask), mask)


def _cut(image: Image, labels: Labels, mask: NDArray[np.bool_]) -> Image:
    free = image[labels == 0]
    floor = float(np.median(free)) if free.size else float(image.min())
    light = np.maximum(image - floor, 0) / max(float(image[mask].mean()) - floor, 0.02)
    soft = blur(mask.astype(np.float32), 1.0)
    return np.asarray(np.minimum(light, 3) * np.minimum(2 * soft, 1), np.float32)


def collages(bank: Sequence[Patch], rng: Rng) -> Iterator[Sample]:
    """Crowd real nuclei together, overlapping, at several depths."""
    for i in range(N_COLLAGES):
        image, labels = collage(bank, rng)
        cells = grown_cells(rng, labels)
        yield make_sample((f"{i:03d}", "collage", "train"), image, labels, cells)


def collage(bank: Sequence[Patch], rng: Rng) -> tuple[Image, Labels]:
    """Place nuclei until the wished coverage is reached, or no more fit."""
    labels = np.zeros((SIZE_PX, SIZE_PX), np.int32)
    layers = np.zeros((len(DEPTHS_PX), SIZE_PX, SIZE_PX), np.float32)
    density = smooth_noise(rng, (SIZE_PX, SIZE_PX), rng.uniform(30, 90))
    goal, spread = rng.uniform(*COVERAGE), rng.uniform(0.2, 0.6)
    for n in range(1, 4000):
        patch = bank[rng.integers(len(bank))]
        mask, light = np.rot90(patch.mask, n % 4), np.rot90(patch.light, n % 4)
        where = _place(rng, labels, mask, density)
        if where is not None:
            labels[where][mask] = n
            gain = np.exp(spread * rng.standard_normal())
            layer = rng.choice(len(DEPTHS_PX), p=(0.65, 0.25, 0.1))
            layers[layer][where] += gain * light
        if n % 50 == 0 and (labels > 0).mean() >= goal:
            break
    return _exposed(rng, layers), without_crumbs(labels)


def _place(
    rng: Rng, labels: Labels, mask: NDArray[np.bool_], density: Image
) -> tuple[slice, slice] | None:
    height, width = mask.shape
    y, x = rng.integers(0, SIZE_PX - max(mask.shape), 2)
    where = (slice(y, y + height), slice(x, x + width))
    if density[y, x] < rng.standard_normal():
        return None
    return where if (labels[where][mask] > 0).mean() < MAX_OVERLAP else None


def _exposed(rng: Rng, layers: Image) -> Image:
    image = layers[0].copy()
    for layer, sigma_px in zip(layers[1:], DEPTHS_PX[1:], strict=True):
        image += blur(layer, sigma_px)
    haze = blur(np.roll(layers.sum(0), (97, 61), (0, 1)), rng.uniform(4, 12))
    glow = np.exp(0.5 * smooth_noise(rng, image.shape, rng.uniform(15, 60)))
    return normalised(image + rng.uniform(0, 0.4) * haze + rng.uniform(0, 0.15) * glow)


def without_crumbs(labels: Labels) -> Labels:
    """Keep each nucleus' largest piece, and nothing that is all but hidden."""
    out = np.zeros_like(labels)
    for i, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        pieces, _ = ndimage.label(labels[box] == i)
        areas = np.bincount(pieces.ravel())[1:]
        if areas.max() >= PATCH_AREA_PX[0] // 2:
            out[box][pieces == areas.argmax() + 1] = i
    return out


def generated(rng: Rng) -> Iterator[Sample]:
    """Draw from the package's own generator, if this version has it."""
    try:
        from mifprofile.synthetic import nuclei_field
    except ImportError:
        return
    for i in range(N_GENERATED):
        crowding = float(rng.uniform(0.3, 1.0))
        image, labels = nuclei_field(rng, (SIZE_PX, SIZE_PX), 0.5, crowding)
        about = (f"{i:03d}", "generated", "train")
        nuclei = labels.astype(np.int32)
        cells = grown_cells(rng, nuclei)
        yield make_sample(about, normalised(image), nuclei, cells)
