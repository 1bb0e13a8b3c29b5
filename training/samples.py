"""What the steps of training hand to each other: an image and its targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from cellpose.dynamics import labels_to_flows
from numpy.typing import NDArray
from skimage.segmentation import find_boundaries

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

PERCENTILES = (1.0, 99.8)
CONTACT_WEIGHT = 2.0
TILE_PX = 467
UNCUT_PX = 700
OUTSIDE = -9.0
MAPS = ("labels", "flows", "weight", "cells", "cell_flows", "cell_weight")

Image = NDArray[np.float32]
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Sample:
    """An image at 0.5 µm/px, normalised, with all that the loss needs.

    Parameters
    ----------
    name, group, split : str
    image : ndarray of float32
        (y, x); 0 and 1 at the image's percentiles, `OUTSIDE` beyond its edges.
    labels : ndarray of int32
        (y, x): nuclei.
    flows : ndarray of float16
        (2, y, x): along y and along x, of length 1 inside nuclei.
    weight : ndarray of float16
        (y, x): weight of the pixel in the loss.
    cells, cell_flows, cell_weight : ndarray
        The same of whole cells, numbered as their nuclei are.
    """

    name: str
    group: str
    split: str
    image: Image
    labels: Labels
    flows: NDArray[np.float16]
    weight: NDArray[np.float16]
    cells: Labels
    cell_flows: NDArray[np.float16]
    cell_weight: NDArray[np.float16]

    @property
    def n_nuclei(self) -> int:
        """Number of labelled nuclei."""
        return int(np.count_nonzero(np.bincount(self.labels.ravel())[1:]))

    def save(self, folder: Path) -> None:
        """Write to ``folder/<group>-<name>.npz``."""
        np.savez(
            folder / f"{self.group}-{self.name}.npz",
            about=np.array([self.name, self.group, self.split]),
            image=self.image.astype(np.float16),
            **{name: getattr(self, name) for name in MAPS},
        )

    @classmethod
    def load(cls, path: Path) -> Sample:
        """Read what `save` wrote."""
        with np.load(path) as store:
            name, group, split = (str(text) for text in store["about"])
            image = store["image"].astype(np.float32)
            return cls(name, group, split, image, *(store[name] for name in MAPS))

    def tiles(self) -> Iterator[Sample]:
        """Cut a large sample into pieces, so that drawing crops stays cheap."""
        height, width = self.labels.shape
        if max(height, width) <= UNCUT_PX:
            yield self
            return
        for y in range(0, height - TILE_PX // 2, TILE_PX):
            for x in range(0, width - TILE_PX // 2, TILE_PX):
                at = (..., slice(y, y + TILE_PX), slice(x, x + TILE_PX))
                parts = {n: getattr(self, n)[at].copy() for n in ("image", *MAPS)}
                yield replace(self, **parts)


def load_samples(
    folder: Path, split: str, groups: Collection[str] | None = None
) -> list[Sample]:
    """Read every sample of a split, or those of some groups."""
    paths = sorted(folder.glob("*.npz"))
    wanted = [p for p in paths if groups is None or p.name.split("-")[0] in groups]
    return [s for s in map(Sample.load, wanted) if s.split == split]


def normalised(image: NDArray[Any]) -> Image:
    """Scale so that the percentiles fall on 0 and 1; nothing is clipped."""
    low, high = np.percentile(image, PERCENTILES)
    scaled = (image.astype(np.float32) - low) / max(high - low, 1e-6)
    return np.asarray(scaled, np.float32)


def flows_of(labels: Labels) -> NDArray[np.float16]:
    """Compute Cellpose's flows, (2, y, x)."""
    if not labels.any():
        return np.zeros((2, *labels.shape), np.float16)
    flows = labels_to_flows([labels.copy()], device=torch.device("cpu"))[0]
    return np.asarray(flows[2:4], np.float16)


def contact_weight(labels: Labels) -> NDArray[np.float32]:
    """Weigh the pixels where nuclei touch more, since merges are the usual fault."""
    inner = find_boundaries(labels, mode="inner", background=0)
    rim = find_boundaries(labels > 0, mode="inner", background=0)
    touch = (inner & ~rim).astype(np.uint8)
    near = cv2.dilate(touch, np.ones((3, 3), np.uint8)) > 0
    return np.where(near, CONTACT_WEIGHT, 1.0).astype(np.float32)


def make_sample(
    about: tuple[str, str, str],
    image: Image,
    labels: Labels,
    cells: Labels,
    weight: NDArray[np.float32] | None = None,
    flows: NDArray[np.float16] | None = None,
) -> Sample:
    """Add flows and weights to an image and its labels.

    Parameters
    ----------
    about : tuple of str
        Name, group and split.
    image, labels, cells : ndarray
    weight : ndarray, optional
        Multiplied into the contact weights.
    flows : ndarray, optional
        Of the nuclei; computed from the labels if not given.
    """
    trust = np.float32(1) if weight is None else weight
    weights = [(contact_weight(m) * trust).astype(np.float16) for m in (labels, cells)]
    flows = flows_of(labels) if flows is None else flows
    return Sample(
        *about, image, labels, flows, weights[0], cells, flows_of(cells), weights[1]
    )
