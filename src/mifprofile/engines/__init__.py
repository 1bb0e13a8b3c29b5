"""Segmentation networks behind one protocol; the only importers of torch."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from mifprofile.engines.base import Segmenter
from mifprofile.errors import FormatError

__all__ = ["Segmenter", "load_segmenter"]

EMBEDDED = "embedded"


def load_segmenter(model: str, diameter_um: float) -> Segmenter:
    """Load a model by name or path.

    Parameters
    ----------
    model : str
        ``"embedded"``, the path of a model that ``training/`` made, or anything that
        `mifprofile.engines.cellpose.cellpose_segmenter` takes.
    diameter_um : float
        Typical object diameter; used for Cellpose's models alone.
    """
    if model == EMBEDDED:
        from mifprofile.engines.embedded import embedded_segmenter

        return embedded_segmenter()
    if Path(model).is_file():
        from mifprofile.engines.embedded import narrow_segmenter

        with suppress(FormatError):
            return narrow_segmenter(Path(model), model)
    from mifprofile.engines.cellpose import cellpose_segmenter

    return cellpose_segmenter(model, diameter_um)
