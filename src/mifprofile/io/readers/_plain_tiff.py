"""Plain TIFF: several pages or one (c, y, x) stack, without names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mifprofile.io._units import to_um
from mifprofile.io.readers._common import Found
from mifprofile.io.readers._tiff import read_head, read_largest_series

if TYPE_CHECKING:
    from pathlib import Path

    from mifprofile.io.readers._tiff import TiffHead

# Beyond this a resolution tag was meant for a printer, not for a microscope.
_LARGEST_UM = 20.0


def is_mine(path: Path) -> bool:
    """Whether it is a TIFF at all; raises FormatError, as nobody else reads it."""
    read_head(path)
    return True


def read(path: Path) -> Found:
    """Read the largest stack of planes of a TIFF, lazily."""
    head = read_head(path)
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
        x, y = (to_um(1 / n, head.imagej_unit) for n in head.page.resolution)
        size = None if x is None or y is None else (x, y)
    return size if size and max(size) < _LARGEST_UM else None
