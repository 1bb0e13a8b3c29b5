"""What TIFF files hold, as plain facts and levels; the only module on tifffile."""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from mifprofile.errors import FormatError
from mifprofile.io.readers._common import (
    DAMAGED,
    one_line,
    reading,
    refuse_colour,
    refuse_steps,
)
from mifprofile.io.readers._segments import (
    Plane,
    SegmentedLevel,
    check_complete,
    raw_level,
)
from mifprofile.io.readers._tiff_header import is_cut_off

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mifprofile.io.readers._segments import Decode

_CM = 3
_COLOUR = {"RGB", "YCBCR", "CIELAB", "ICCLAB", "ITULAB", "SEPARATED"}

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)
# tifffile logs what it makes up for; here that is refused, in one line of our own.
logging.getLogger("tifffile").addFilter(lambda _: not _quiet.get())


@dataclass(frozen=True)
class TiffPage:
    """What one page says about itself, without pixels.

    Parameters
    ----------
    index : int
        Position in the file.
    shape_px : tuple of int
        (height, width).
    colour : bool
        A colour picture, not one plane of intensities.
    dtype_name : str
    description : str
        The ImageDescription tag.
    resolution : tuple of float or None
        (x, y) in pixels per unit.
    in_cm : bool
        Whether the unit of resolution and position is the centimetre.
    position : tuple of float or None
        (x, y) of the upper left corner, in units.
    """

    index: int
    shape_px: tuple[int, int]
    colour: bool
    dtype_name: str
    description: str
    resolution: tuple[float, float] | None
    in_cm: bool
    position: tuple[float, float] | None

    @property
    def pixel_um(self) -> tuple[float, float] | None:
        """(x, y) edges of a pixel in µm, if the resolution is given in cm."""
        if not self.in_cm or self.resolution is None:
            return None
        return 1e4 / self.resolution[0], 1e4 / self.resolution[1]


@dataclass(frozen=True)
class TiffHead:
    """What the first page and the file's metadata say.

    Parameters
    ----------
    page : TiffPage
    ome_xml : str or None
    imagej_unit : str or None
        The length unit of an ImageJ file.
    """

    page: TiffPage
    ome_xml: str | None
    imagej_unit: str | None


def read_head(path: Path) -> TiffHead:
    """Read what decides which reader a TIFF goes to."""
    with reading(path):
        cut_off = is_cut_off(path)
    if cut_off:
        raise FormatError(
            f"{path}: the TIFF is cut off: its headers point beyond its end; "
            "copy it again from its source"
        )
    with _opened(path) as tif:
        unit = (tif.imagej_metadata or {}).get("unit")
        return TiffHead(
            _page(tif.pages.first), tif.ome_metadata, str(unit) if unit else None
        )


def read_pages(path: Path) -> tuple[TiffPage, ...]:
    """Read what every page says about itself."""
    with _opened(path) as tif:
        return tuple(_page(page.aspage()) for page in tif.pages)


def read_stack(path: Path, indices: Sequence[int]) -> SegmentedLevel:
    """Make one level of the pages at `indices`, one channel each."""
    with _opened(path) as tif:
        pages = [tif.pages[i].aspage() for i in indices]
        return _level(path, pages, pages[0], len(pages))


def read_largest_series(path: Path) -> tuple[int, tuple[SegmentedLevel, ...]]:
    """Return the number and the levels of the largest image series in a file."""
    with _opened(path) as tif:
        if not tif.series:
            raise FormatError(f"{path}: no image in the TIFF; export the slide again")
        series = max(tif.series, key=_area)
        if _is_colour(series.keyframe):
            raise refuse_colour(path)
        count = _channel_count(path, series)
        levels = [_series_level(path, level, count) for level in series.levels]
        return tif.series.index(series), tuple(levels)


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF for its metadata; what tifffile stumbles over is a FormatError."""
    token = _quiet.set(True)
    try:
        with reading(path), tifffile.TiffFile(path) as tif:
            yield tif
    except FormatError:
        raise
    except DAMAGED as error:
        raise _unreadable(path, error) from error
    finally:
        _quiet.reset(token)


def _unreadable(path: Path, error: Exception) -> FormatError:
    with path.open("rb") as file:
        is_tiff = file.read(2) in (b"II", b"MM")
    if is_tiff:
        return FormatError(
            f"{path}: the TIFF is damaged or cut off ({one_line(error)}); "
            "copy it again from its source"
        )
    return FormatError(
        f"{path}: neither a TIFF file nor an OME-Zarr folder; convert the slide to "
        "OME-TIFF (with QuPath or bioformats2raw, for instance)"
    )


def _page(page: tifffile.TiffPage) -> TiffPage:
    tags = page.tags
    return TiffPage(
        index=page.index,
        shape_px=(page.imagelength, page.imagewidth),
        colour=_is_colour(page),
        dtype_name=str(page.dtype),
        description=page.description,
        resolution=_pair(tags.valueof(282), tags.valueof(283), zero=False),
        in_cm=tags.valueof(296) == _CM,
        position=_pair(tags.valueof(286), tags.valueof(287), zero=True),
    )


def _pair(
    x: tuple[int, int] | None, y: tuple[int, int] | None, *, zero: bool
) -> tuple[float, float] | None:
    """Two TIFF rationals as numbers; None where they are absent or cannot be."""
    if x is None or y is None or 0 in (x[1], y[1]):
        return None
    pair = x[0] / x[1], y[0] / y[1]
    return pair if zero or all(pair) else None


def _is_colour(page: tifffile.TiffPage) -> bool:
    # tifffile marks three or four channels (c, y, x) as RGB if it is not told better.
    stack = page.planarconfig != tifffile.PLANARCONFIG.CONTIG and page.dtype != np.uint8
    return getattr(page.photometric, "name", "") in _COLOUR and not stack


def _area(series: tifffile.TiffPageSeries) -> int:
    return series.keyframe.imagelength * series.keyframe.imagewidth


def _channel_count(path: Path, series: tifffile.TiffPageSeries) -> int:
    """Count the channels; other axes are refused if they have more than one step."""
    sizes = zip(series.get_axes(False), series.get_shape(False), strict=True)
    steps = {axis: n for axis, n in sizes if axis not in "YXS" and n != 1}
    if series.kind == "ome":
        refuse_steps(path, {axis: n for axis, n in steps.items() if axis != "C"})
    elif len(steps) > 1:
        refuse_steps(path, steps)
    return math.prod(steps.values()) * series.keyframe.samplesperpixel


def _series_level(
    path: Path, series: tifffile.TiffPageSeries, count: int
) -> SegmentedLevel:
    key = series.keyframe
    pages = [series[i] for i in range(len(series))]
    if len(pages) < count and key.samplesperpixel == 1 and series.dataoffset:
        # ImageJ and tifffile may write a whole stack under its first page.
        step = key.imagelength * key.imagewidth * series.dtype.itemsize
        starts = [(str(path), series.dataoffset + step * i) for i in range(count)]
        return _raw_level(key, starts)
    return _level(path, pages, key, count)


def _level(
    path: Path,
    pages: Sequence[tifffile.TiffPage | tifffile.TiffFrame | None],
    key: tifffile.TiffPage,
    count: int,
) -> SegmentedLevel:
    """Make a level of `count` channels of pages that are all like `key`."""
    if key.dtype is None or key.imagedepth > 1:
        raise FormatError(f"{path}: not planes of plain numbers; save them as uint16")
    present = [page for page in pages if page is not None]
    if len(present) * key.samplesperpixel != count:
        raise FormatError(
            f"{path}: {count} channels are announced, but {len(present)} are there; "
            "the file is cut off, or others that belong to it are missing: copy again"
        )
    if _is_one_raw_strip(key):
        return _raw_level(key, [(_file(p), p.dataoffsets[0]) for p in present])
    planes = tuple(plane for page in present for plane in _planes(page, key))
    shape_px = (key.imagelength, key.imagewidth)
    decode = _decoder(path, key)
    return check_complete(
        SegmentedLevel(planes, shape_px, _chunk_px(key), key.dtype, decode)
    )


def _chunk_px(key: tifffile.TiffPage) -> tuple[int, int]:
    if key.is_tiled:
        return key.tilelength, key.tilewidth
    return min(key.rowsperstrip, key.imagelength), key.imagewidth


def _is_one_raw_strip(key: tifffile.TiffPage) -> bool:
    """Whether any rows of a page can be read without the rest of it."""
    single = len(key.dataoffsets) == 1 and key.samplesperpixel == 1
    return bool(single and not key.is_tiled and key.is_final)


def _raw_level(key: tifffile.TiffPage, starts: list[tuple[str, int]]) -> SegmentedLevel:
    dtype = np.dtype(key.dtype).newbyteorder(key.parent.byteorder)
    return raw_level(starts, (key.imagelength, key.imagewidth), dtype)


def _planes(
    page: tifffile.TiffPage | tifffile.TiffFrame, key: tifffile.TiffPage
) -> Iterator[Plane]:
    """Yield the channels of one page: one, or one per sample."""
    separate = key.planarconfig != tifffile.PLANARCONFIG.CONTIG
    per_sample = len(page.dataoffsets) // key.samplesperpixel
    tables = {"jpegtables": page.jpegtables, "jpegheader": key.jpegheader}
    for sample in range(key.samplesperpixel):
        yield Plane(
            _file(page),
            np.asarray(page.dataoffsets, np.int64),
            np.asarray(page.databytecounts, np.int64),
            first=sample * per_sample if separate else 0,
            sample=0 if separate else sample,
            options={k: v for k, v in tables.items() if v is not None},
        )


def _file(page: tifffile.TiffPage | tifffile.TiffFrame) -> str:
    return str(page.parent.filehandle.path)


def _decoder(path: Path, key: tifffile.TiffPage) -> Decode:
    """Return the page's decoder; a compression without one is refused here."""
    segment = key.decode
    try:
        segment(None, 0)
    except (ValueError, NotImplementedError) as error:
        raise FormatError(
            f"{path}: {one_line(error)}; save the image with Deflate, LZW or "
            "Zstandard compression, or without any"
        ) from error

    def decode(data: bytes, number: int, options: dict[str, Any]) -> NDArray[Any]:
        pixels, _, _ = segment(data, number, **options)
        # The first axis is depth, which is 1 here.
        plane: NDArray[Any] = np.asarray(pixels)[0]
        return plane

    return decode
