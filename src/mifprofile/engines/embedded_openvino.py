"""A `NarrowNet` in int8, run by OpenVINO on the CPU; imports no torch."""

from __future__ import annotations

import sys
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from mifprofile.engines.embedded import looks, narrow_tiling
from mifprofile.errors import FormatError

# Importing OpenVINO reports to its makers unless this package cannot be imported.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mifprofile.engines.base import Tiling
    from mifprofile.options import Precision
# Peak memory of a process that does nothing else: 1 GiB.
CORE_PX = 2048
# Section of the file's run-time information that is ours.
INFO = "mifprofile"

__all__ = ["INFO", "OpenVinoSegmenter", "openvino", "openvino_segmenter"]


class OpenVinoSegmenter:
    """Runs an int8 `NarrowNet` by OpenVINO; a `mifprofile.engines.Segmenter`.

    Parameters
    ----------
    model : openvino.Model
        (1, 2, y, x) in, (1, planes, y, x) out, of any height and width.
    name : str
    um : float
    threads : int, optional
        All by default.
    """

    precision: Precision = "int8"
    device = "cpu"
    batch = 1

    def __init__(self, model: Any, name: str, um: float, threads: int | None) -> None:
        self.name = name
        self.um = um
        self.planes = int(model.output(0).partial_shape[1].get_length())
        self._model = model
        self._run: Any = None
        self._shape: tuple[int, ...] = ()
        self._settings = {
            "INFERENCE_NUM_THREADS": threads or 0,
            "NUM_STREAMS": 1,
            # what little is not int8 shall not be bfloat16 on newer processors
            "INFERENCE_PRECISION_HINT": "f32",
            # several processes would be pinned to the same core
            "ENABLE_CPU_PINNING": False,
        }

    def tiling(self, shape_px: tuple[int, int]) -> Tiling:
        """See `mifprofile.engines.Segmenter.tiling`."""
        return narrow_tiling(shape_px, CORE_PX)

    def predict(
        self, tiles: NDArray[np.float32], *, cells: bool = False
    ) -> NDArray[np.float32]:
        """See `mifprofile.engines.Segmenter.predict`."""
        self._compile((1, *tiles.shape[1:]))
        return looks(self._each, tiles, cells=cells)

    def _each(self, tiles: NDArray[np.float32], planes: slice) -> NDArray[np.float32]:
        """Run the tiles one by one."""
        run = self._run
        found = [run(t[None], share_outputs=True)[0][0, planes].copy() for t in tiles]
        return np.stack(found) if len(found) > 1 else found[0][None]

    def _compile(self, shape: tuple[int, ...]) -> None:
        """Fit the model to a shape of tiles; the last one is kept."""
        if shape != self._shape:
            self._model.reshape(shape)
            core = openvino.Core()
            self._run = core.compile_model(self._model, "CPU", self._settings)
            self._shape = shape


def openvino_segmenter(
    path: Path, name: str, threads: int | None = None
) -> OpenVinoSegmenter:
    """Load the int8 file that ``training/quantise.py`` made beside a model.

    Parameters
    ----------
    path : Path
        The model's ``.pt`` file.
    name : str
    threads : int, optional

    Raises
    ------
    FormatError
        The int8 file is damaged, or was made from other weights.
    """
    int8 = path.with_suffix(".xml")
    try:
        model = openvino.Core().read_model(int8)
        about = model.get_rt_info(INFO).value
        um, weights = float(about["pixel_size_um"]), about["weights_sha256"]
    except (RuntimeError, KeyError, ValueError) as e:
        raise FormatError(f"{int8}: not a model that training/quantise.py made") from e
    if weights != sha256(path.read_bytes()).hexdigest():
        raise FormatError(
            f"{int8}: made from other weights than {path.name}; run: "
            f"python training/quantise.py --model {path}"
        )
    return OpenVinoSegmenter(model, name, um, threads)
