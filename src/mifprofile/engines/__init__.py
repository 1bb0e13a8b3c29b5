"""Segmentation networks behind one protocol; the only importers of torch."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from mifprofile.engines.base import Segmenter
from mifprofile.errors import FormatError, UsageError

if TYPE_CHECKING:
    from mifprofile.options import Precision

__all__ = ["Segmenter", "load_segmenter"]

EMBEDDED = "embedded"


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
    if model == EMBEDDED:
        with as_file(files("mifprofile.engines") / "models") as folder:
            return _narrow_segmenter(folder / "embedded.pt", model, precision, threads)
    if Path(model).is_file():
        with suppress(FormatError):
            return _narrow_segmenter(Path(model), model, precision, threads)
    if precision not in ("auto", "float32"):
        raise UsageError(
            f"model {model!r} cannot run in {precision}: Cellpose's models run in "
            "float32 only, and int8 needs the .xml file that training/quantise.py "
            "writes beside a model of our own"
        )
    from mifprofile.engines.cellpose import cellpose_segmenter

    return cellpose_segmenter(model, diameter_um, precision, threads)


def _narrow_segmenter(
    path: Path, name: str, precision: Precision, threads: int | None
) -> Segmenter:
    gpu = precision != "int8" and _has_gpu()
    if precision == "bfloat16" and not gpu:
        raise UsageError("bfloat16 needs a GPU, and torch finds none; use float32")
    if precision == "auto":
        precision = "bfloat16" if gpu else "float32"
    from mifprofile.engines.narrow_torch import torch_segmenter

    return torch_segmenter(path, name, precision, threads, gpu=gpu)


def _has_gpu() -> bool:
    """Whether torch can use a GPU; torch is loaded only where a driver is."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    import torch

    return torch.cuda.is_available()
