"""The model that ships with the package."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import numpy as np
import torch

from mifprofile.engines.network import load_network

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mifprofile.engines.network import NarrowNet

FLOW_SCALE = 5.0


class NarrowSegmenter:
    """Runs a `NarrowNet` in float32; a `mifprofile.engines.Segmenter`."""

    tile_px = 640
    margin_px = 64

    def __init__(self, net: NarrowNet, um: float, name: str) -> None:
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.um = um
        self.name = name

    def predict(self, tile: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `mifprofile.engines.Segmenter.predict`."""
        batch = torch.zeros((1, self.net.inputs, *tile.shape))
        batch[0, 0] = torch.from_numpy(np.ascontiguousarray(tile, np.float32))
        with torch.inference_mode():
            out = self.net(batch.to(memory_format=torch.channels_last))[0, :3].numpy()
        out[:2] /= FLOW_SCALE
        return np.ascontiguousarray(out, np.float32)


def embedded_segmenter() -> NarrowSegmenter:
    """Load the embedded nuclear model; needs no network connection."""
    with as_file(files("mifprofile.engines") / "models" / "embedded.pt") as path:
        return narrow_segmenter(path, "embedded")


def narrow_segmenter(path: Path, name: str) -> NarrowSegmenter:
    """Load a model that ``training/`` made."""
    net, metadata = load_network(path)
    return NarrowSegmenter(net, float(metadata["pixel_size_um"]), name)
