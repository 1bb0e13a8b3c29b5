"""Slide files of every known format, read lazily."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mifprofile.arguments import as_path
from mifprofile.errors import FormatError, MissingError
from mifprofile.io.readers import _akoya, _ome_tiff, _ome_zarr, _plain_tiff
from mifprofile.io.readers._common import Found, to_slide

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from mifprofile.arguments import StrPath
    from mifprofile.model import Slide

__all__ = ["open_slide", "read_label_image"]

# The first whose it is reads a file; the last takes any TIFF.
READERS = (_ome_zarr, _ome_tiff, _akoya, _plain_tiff)


def open_slide(
    path: StrPath,
    *,
    pixel_size_um: float | None = None,
    channel_names: Sequence[str] | None = None,
) -> Slide:
    """Open a slide without reading its pixels.

    Known are OME-TIFF, Akoya QPTIFF, inForm component images, OME-Zarr 0.4 and 0.5, and
    plain TIFF. Thumbnail, overview, label and macro images are never exposed: they
    may show a patient's name.

    Parameters
    ----------
    path : str or Path
    pixel_size_um : float, optional
        Edge of a pixel, µm; replaces what the file says.
    channel_names : sequence of str, optional
        Used only if the file has no names; one per channel, in the file's order.

    Returns
    -------
    Slide
        Levels (c, y, x) as dask arrays of uint8, uint16, uint32 or float32.

    Raises
    ------
    MissingError
        There is no such file.
    FormatError
        The file is damaged, or of a kind that is not understood. Damage that only
        shows in the pixels surfaces as the same error when they are read.
    UsageError
        The names do not match the channels, or the pixel size cannot be right.
    """
    source = _existing(path)
    return to_slide(source, _read(source), pixel_size_um, channel_names)


def read_label_image(path: StrPath) -> NDArray[np.integer[Any]]:
    """Read a mask (y, x) whose pixels hold the number of their object, 0 for none.

    Parameters
    ----------
    path : str or Path
        A TIFF of one plane, or an image of an OME-Zarr label store.

    Raises
    ------
    MissingError
        There is no such file.
    FormatError
        It is damaged, has several planes, or its pixels are no integers.
    """
    source = _existing(path)
    level = _read(source).levels[0]
    if level.shape[0] != 1 or level.dtype.kind not in "iu":
        raise FormatError(
            f"{source}: not a label image, but {level.shape[0]} plane(s) of "
            f"{level.dtype.name}; save one plane of whole numbers, one per object"
        )
    plane: NDArray[np.integer[Any]] = level[slice(None), slice(None), slice(None)][0]
    return plane


def _existing(path: StrPath) -> Path:
    source = as_path(path, "slide")
    if not source.exists():
        raise MissingError(f"{source}: no such file; check the path")
    return source


def _read(path: Path) -> Found:
    """Send a file to the reader of its format."""
    return next(reader for reader in READERS if reader.is_mine(path)).read(path)
