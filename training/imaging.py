"""Small tools for painting images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from samples import Image, Labels

Rng = np.random.Generator


def blur(image: Image, sigma_px: float) -> Image:
    """Gaussian blur."""
    out = cv2.GaussianBlur(image.astype(np.float32), (0, 0), sigma_px)
    return np.asarray(out, np.float32)


def smooth_noise(rng: Rng, shape: tuple[int, ...], sigma_px: float) -> Image:
    """Noise of unit variance and the given grain."""
    step = max(1, int(sigma_px / 3))
    small = (shape[0] // step + 2, shape[1] // step + 2)
    noise = blur(rng.standard_normal(small).astype(np.float32), sigma_px / step)
    size = (shape[1], shape[0])
    full = cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(full / full.std(), np.float32)


def depth_px(labels: Labels) -> Image:
    """Distance of each labelled pixel from its label's edge, px."""
    edge = np.zeros(labels.shape, bool)
    edge[:-1] |= labels[:-1] != labels[1:]
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    inside = ((labels > 0) & ~edge).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 5), np.float32)
