"""Segmentation networks behind one protocol; the importers of torch and OpenVINO."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mifprofile.engines.base import Segmenter, Tiling
from mifprofile.errors import DependencyError, FormatError, UsageError

if TYPE_CHECKING:
    from mifprofile.options import Precision

__all__ = ["Segmenter", "Tiling", "load_segmenter"]

EMBEDDED = "embedded"
MODELS = Path(__file__).parent / "models"


def load_segmenter(
    model: str,
    diameter_um: float,
    precision: Precision = "auto",
    threads: int | None = None,
) -> Segmenter:
    """Load a model by name or path.

    Parameters
    ----------
    model : str
        ``"embedded"``, the path of a model that ``training/`` made, or anything that
        `mifprofile.engines.cellpose.cellpose_segmenter` takes.
    diameter_um : float
        Typical object diameter; used for Cellpose's models alone.
    precision : str
        ``"auto"`` is bfloat16 on a GPU, int8 where OpenVINO is installed and the
        model has its int8 file (``MODEL.xml`` beside ``MODEL.pt``), else float32.
        Cellpose's models run in float32 only.
    threads : int, optional
        CPU threads that the network may use; all by default.

    Raises
    ------
    DependencyError
        int8 was asked for and OpenVINO is not installed.
    UsageError
        The model, or this machine, cannot run in this precision.
    """
    path = MODELS / "embedded.pt" if model == EMBEDDED else Path(model)
    if _takes_int8(path, precision):
        from mifprofile.engines.embedded_openvino import openvino_segmenter

        return openvino_segmenter(path, model, threads)
    if model == EMBEDDED:
        return _narrow_segmenter(path, model, precision, threads)
    if path.is_file():
        with suppress(FormatError):
            return _narrow_segmenter(path, model, precision, threads)
    from mifprofile.engines.cellpose import cellpose_segmenter

    return cellpose_segmenter(model, diameter_um, precision, threads)


def _takes_int8(path: Path, precision: Precision) -> bool:
    """Whether int8 is asked for, or the fastest of what is there."""
    there = path.is_file() and path.with_suffix(".xml").is_file()
    installed = find_spec("openvino") is not None
    if precision == "int8" and not there:
        raise UsageError(
            f"model {str(path)!r} cannot run in int8: there is no .xml file beside it, "
            "which training/quantise.py makes from the embedded model and its like"
        )
    if precision == "int8" and not installed:
        raise DependencyError(
            "int8 was asked for but openvino is not installed; "
            "run: pip install 'mifprofile[openvino]'"
        )
    if precision == "auto":
        return there and installed and not _has_gpu()
    return precision == "int8"


def _narrow_segmenter(
    path: Path, name: str, precision: Precision, threads: int | None
) -> Segmenter:
    """Load a model that ``training/`` made, to be run by torch."""
    gpu = _has_gpu()
    if precision == "bfloat16" and not gpu:
        raise UsageError("bfloat16 needs a GPU, and there is none; use float32")
    half = gpu and precision != "float32"
    from mifprofile.engines.embedded_torch import torch_segmenter

    return torch_segmenter(path, name, threads, gpu=gpu, half=half)


def _has_gpu() -> bool:
    """Whether torch can use a GPU; torch is loaded only where a driver is."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    import torch

    return torch.cuda.is_available()
