"""A `NarrowNet` run by torch: in float32, or in bfloat16 on a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from mifprofile.engines.embedded import looks, narrow_tiling
from mifprofile.engines.network import load_network

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mifprofile.engines.base import Tiling
    from mifprofile.engines.network import NarrowNet
    from mifprofile.options import Precision

CORE_PX = 1024
GPU_BATCH = 4


class TorchSegmenter:
    """Runs a `NarrowNet` by torch; a `mifprofile.engines.Segmenter`.

    Parameters
    ----------
    net : NarrowNet
    name : str
    um : float
    gpu : bool
        Run on the first CUDA device instead of the CPU.
    half : bool
        Compute in bfloat16 instead of float32.
    """

    def __init__(
        self,
        net: NarrowNet,
        name: str,
        um: float,
        *,
        gpu: bool = False,
        half: bool = False,
    ) -> None:
        self._device = torch.device("cuda" if gpu else "cpu")
        if not gpu:
            _use_onednn(net)
        # torch declares no overload with the memory format alone
        self._net = net.to(self._device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.name = name
        self.um = um
        self.precision: Precision = "bfloat16" if half else "float32"
        self.batch = GPU_BATCH if gpu else 1

    @property
    def device(self) -> str:
        """See `mifprofile.engines.Segmenter.device`."""
        if self._device.type == "cuda":
            return torch.cuda.get_device_name(self._device)
        return self._device.type

    @property
    def planes(self) -> int:
        """See `mifprofile.engines.Segmenter.planes`."""
        return int(self._net.outputs)

    def tiling(self, shape_px: tuple[int, int]) -> Tiling:
        """See `mifprofile.engines.Segmenter.tiling`."""
        return narrow_tiling(shape_px, CORE_PX)

    def predict(
        self, tiles: NDArray[np.float32], *, cells: bool = False
    ) -> NDArray[np.float32]:
        """See `mifprofile.engines.Segmenter.predict`."""
        return looks(self._batches, tiles, cells=cells)

    def _batches(
        self, tiles: NDArray[np.float32], planes: slice
    ) -> NDArray[np.float32]:
        starts = range(0, len(tiles), self.batch)
        found = [self._run(tiles[i : i + self.batch])[:, planes] for i in starts]
        return np.concatenate(found)

    def _run(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """One batch, filled up: what a tile gives shall not depend on its company."""
        images = torch.zeros((self.batch, self._net.inputs, *tiles.shape[2:]))
        images[: len(tiles)] = torch.from_numpy(tiles[:, : self._net.inputs])
        images = images.to(self._device, memory_format=torch.channels_last)
        half = self.precision == "bfloat16"
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(
                enabled=True, deterministic=True, allow_tf32=False
            ),
            torch.autocast(self._device.type, torch.bfloat16, enabled=half),
        ):
            out = self._net(images)[: len(tiles)].float().cpu().contiguous()
        return out.numpy()


def _use_onednn(net: NarrowNet) -> None:
    """Make the result the same for any number of threads.

    With one thread torch computes convolutions of one pixel by other means, which round
    otherwise, unless they are dilated; dilation has no effect on one pixel.
    """
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d) and module.kernel_size == (1, 1):
            module.dilation = (2, 2)


def torch_segmenter(
    path: Path, name: str, threads: int | None = None, *, gpu: bool, half: bool
) -> TorchSegmenter:
    """Load a model that ``training/`` made.

    Parameters
    ----------
    path : Path
    name : str
    threads : int, optional
        CPU threads that torch may use, in the whole process.
    gpu : bool
    half : bool
        bfloat16 instead of float32.
    """
    net, metadata = load_network(path)
    um = float(metadata["pixel_size_um"])
    if threads is not None:
        torch.set_num_threads(threads)
    return TorchSegmenter(net, name, um, gpu=gpu, half=half)
