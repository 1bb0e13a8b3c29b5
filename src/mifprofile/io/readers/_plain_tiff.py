"""Plain TIFF: several pages or one (c, y, x) stack, without names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mifprofile.io.readers._common import Found
from mifprofile.io.readers._tiff import read_largest_series
from mifprofile.io.readers._units import to_um

if TYPE_CHECKING:
    from pathlib import Path

    from mifprofile.io.readers._tiff import TiffHead

# Beyond this a resolution tag was meant for a printer, not for a microscope.
_LARGEST_UM = 20.0


def read(path: Path, head: TiffHead) -> Found:
    """Read the largest stack of planes of a TIFF, lazily."""
    _, levels = read_largest_series(path)
    return Found(
        file_format="TIFF",
        levels=levels,
        names=(None,) * len(levels[0].planes),
        pixel_um=_pixel_um(head),
    )


def _pixel_um(head: TiffHead) -> tuple[float, float] | None:
    """Pixel edges (x, y), if the tags tell them in cm or in ImageJ's unit."""
    size = head.page.pixel_um
    if head.imagej_unit is not None and head.page.resolution is not None:
        unit = head.imagej_unit.replace("\\u00B5", "u")
        edges = [to_um(1 / per_unit, unit) for per_unit in head.page.resolution]
        size = (edges[0], edges[1]) if None not in edges else None
    return size if size and max(size) < _LARGEST_UM else None
