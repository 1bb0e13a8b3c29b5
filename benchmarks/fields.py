"""Fields of network output, made and real, to turn into objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from cellpose import dynamics
from scipy.ndimage import gaussian_filter
from skimage.io import imread
from skimage.transform import rescale

from mifprofile.engines import load_segmenter

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PERCENTILES = (1.0, 99.8)
# Median area of a nucleus at about 0.5 µm per px.
NUCLEUS_PX = 210.0
TISSUE = ("1962d0c5", "432f367a", "52b267e2", "78a981bd")
LUNG = "Set8_11-6plex_[14996,59221]"
NOISE = 0.7


def noisy_output(
    rng: np.random.Generator, labels: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Flows of the labels with noise and the logit of being inside, (3, h, w)."""
    flows = dynamics.masks_to_flows(labels, device=torch.device("cpu"))
    noise = [gaussian_filter(rng.normal(size=labels.shape), 1) for _ in range(2)]
    logit = np.where(labels > 0, 5.0, -5.0)
    return np.stack([*(flows + NOISE * np.stack(noise)), logit]).astype(np.float32)


def network_output(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Flows and logit of nuclei that the embedded network gives, (3, h, w)."""
    segmenter = load_segmenter("embedded", 0.0, "float32")
    height, width = image.shape
    tiling = segmenter.tiling((height, width))
    margin, edge, core = tiling.margin_px, tiling.tile_px, tiling.core_px
    wide = np.pad(image, (margin, margin + core))
    out = np.empty((3, height, width), np.float32)
    for y in range(0, height, core):
        for x in range(0, width, core):
            tile = np.zeros((1, 2, edge, edge), np.float32)
            tile[0, 0] = wide[y : y + edge, x : x + edge]
            found = segmenter.predict(tile)[0, :, margin:-margin, margin:-margin]
            to = out[:, y : y + core, x : x + core]
            to[:] = found[:, : to.shape[1], : to.shape[2]]
    return out


def tissue_image(data: Path, edge_px: int) -> NDArray[np.float32]:
    """Four sections with human labels, at about 0.5 µm, mirrored to fill a square."""
    folder, half = data / "nuclei_tissue", edge_px // 2
    first, second, third, fourth = (
        _mirrored(_section(folder, name), half) for name in TISSUE
    )
    return np.block([[first, second], [third, fourth]])


def lung_image(data: Path, edge_px: int) -> NDArray[np.float32]:
    """A field of lung cancer: the composite's blue, mirrored to fill a square."""
    composite = imread(data / "lung_opal_fields" / f"{LUNG}_composite_image.jpg")
    blue = gaussian_filter(composite[..., 2].astype(np.float32), 0.5)
    return _mirrored(_normalised(blue), edge_px)


def _section(folder: Path, name: str) -> NDArray[np.float32]:
    image = imread(folder / f"{name}_image.png").astype(np.float32)
    areas = np.bincount(imread(folder / f"{name}_label.png").ravel())[1:]
    scale = np.sqrt(NUCLEUS_PX / np.median(areas[areas > 0]))
    return _normalised(rescale(image, scale, anti_aliasing=bool(scale < 1)))


def _normalised(image: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = np.percentile(image, PERCENTILES)
    return ((image - low) / (high - low)).astype(np.float32)


def _mirrored(image: NDArray[np.float32], edge_px: int) -> NDArray[np.float32]:
    missing = [(0, max(edge_px - side, 0)) for side in image.shape]
    return np.pad(image, missing, mode="symmetric")[:edge_px, :edge_px]
