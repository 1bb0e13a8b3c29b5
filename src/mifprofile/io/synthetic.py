"""Writer of synthetic slides: one pass over the blocks, whatever the size."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import imagecodecs
import numpy as np
import tifffile

from mifprofile.io._slide_store import halve
from mifprofile.io.atomic import atomic_output, storage_errors
from mifprofile.synthetic import TruthTally, synthetic_block

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mifprofile.synthetic import SyntheticBlock, SynthOptions

TILE_PX = 512
BLOCK_PX = 1024
TOP_LEVEL_PX = 1024
ZSTD_LEVEL = 1
LABEL_NAMES = ("nuclei", "cells", "regions")
SUFFIXES = (".ome.tiff", ".ome.tif", ".tiff", ".tif")


@dataclass(frozen=True)
class SyntheticFiles:
    """Where a synthetic slide and its truth were written.

    Parameters
    ----------
    slide : pathlib.Path
        The pyramidal OME-TIFF.
    labels : pathlib.Path
        OME-TIFF of three uint32 pages: nuclei, cells, regions.
    table : pathlib.Path
        One row per cell, as from ``synthetic_truth``.
    """

    slide: Path
    labels: Path
    table: Path


def write_synthetic_slide(path: str | Path, options: SynthOptions) -> SyntheticFiles:
    """Write the slide that ``options`` describes, and beside it the truth.

    The same options give the same bytes. Memory does not grow with the slide, except
    for the table of its cells; the disk briefly holds the pixels twice.

    Parameters
    ----------
    path : str or pathlib.Path
        The OME-TIFF to write, ``<stem>.ome.tiff``; missing folders are made. The
        truth goes to ``<stem>_truth.ome.tiff`` and ``<stem>_truth.csv``.
    options : SynthOptions

    Returns
    -------
    SyntheticFiles
    """
    files = _names(Path(path))
    levels = _level_shapes(options.shape_px)
    truth = TruthTally(options)
    with (
        storage_errors(files.slide),
        _Spool(files.slide.parent, levels) as pixels,
        _Spool(files.slide.parent, levels[:1]) as labels,
    ):
        for y, x, height, width in _blocks(options.shape_px):
            block = synthetic_block(options, y, x, height, width)
            pixels.add(y, x, block.channels)
            labels.add(y, x, _label_planes(block))
            truth.add(y, x, height, width)
            del block
        _write_tiff(files.slide, options, pixels, options.channel_names, "uint16")
        _write_tiff(files.labels, options, labels, LABEL_NAMES, "uint32")
    with atomic_output(files.table) as partial:
        truth.table().to_csv(
            partial, index=False, float_format="%.4f", lineterminator="\n"
        )
    return files


class _Spool:
    """Compressed tiles of a growing pyramid, kept in a nameless file until sorted."""

    def __init__(self, folder: Path, shapes: list[tuple[int, int]]) -> None:
        self.shapes = shapes
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._where: dict[tuple[int, int, int, int], tuple[int, int]] = {}
        self._open: dict[tuple[int, int, int], _OpenTile] = {}

    def __enter__(self) -> _Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, y: int, x: int, planes: NDArray[Any]) -> None:
        """Add a block of (c, y, x) pixels, and its share of the lower levels."""
        for level in range(len(self.shapes)):
            if level:
                planes = np.stack([halve(plane) for plane in planes])
            self._paste(level, y >> level, x >> level, planes)

    def tiles(self, level: int, plane: int) -> Iterator[bytes]:
        """Yield the compressed tiles of a plane in raster order."""
        rows, columns = (-(-n // TILE_PX) for n in self.shapes[level])
        for row in range(rows):
            for column in range(columns):
                offset, size = self._where[level, row, column, plane]
                self._file.seek(offset)
                yield self._file.read(size)

    def _paste(self, level: int, y: int, x: int, planes: NDArray[Any]) -> None:
        height, width = planes.shape[1:]
        for row in range(y // TILE_PX, (y + height - 1) // TILE_PX + 1):
            for column in range(x // TILE_PX, (x + width - 1) // TILE_PX + 1):
                top, left = row * TILE_PX - y, column * TILE_PX - x
                piece = planes[
                    :, max(top, 0) : top + TILE_PX, max(left, 0) : left + TILE_PX
                ]
                self._fill(level, row, column, max(-top, 0), max(-left, 0), piece)

    def _fill(
        self, level: int, row: int, column: int, y: int, x: int, piece: NDArray[Any]
    ) -> None:
        key = (level, row, column)
        if key not in self._open:
            height, width = self.shapes[level]
            rows = min(TILE_PX, height - row * TILE_PX)
            columns = min(TILE_PX, width - column * TILE_PX)
            blank = np.zeros((piece.shape[0], TILE_PX, TILE_PX), piece.dtype)
            self._open[key] = _OpenTile(blank, rows * columns)
        tile = self._open[key]
        tile.pixels[:, y : y + piece.shape[1], x : x + piece.shape[2]] = piece
        tile.missing -= piece[0].size
        if tile.missing == 0:
            self._store(key, self._open.pop(key).pixels)

    def _store(self, key: tuple[int, int, int], pixels: NDArray[Any]) -> None:
        for plane, image in enumerate(pixels):
            data = imagecodecs.zstd_encode(image.tobytes(), level=ZSTD_LEVEL)
            self._where[(*key, plane)] = (self._file.tell(), len(data))
            self._file.write(data)


@dataclass
class _OpenTile:
    """A tile that still lacks some pixels."""

    pixels: NDArray[Any]
    missing: int


def _names(path: Path) -> SyntheticFiles:
    suffix = next((s for s in SUFFIXES if path.name.lower().endswith(s)), "")
    stem = path.name[: len(path.name) - len(suffix)]
    return SyntheticFiles(
        path,
        path.with_name(f"{stem}_truth.ome.tiff"),
        path.with_name(f"{stem}_truth.csv"),
    )


def _level_shapes(shape: tuple[int, int]) -> list[tuple[int, int]]:
    shapes = [shape]
    while max(shapes[-1]) > TOP_LEVEL_PX:
        height, width = shapes[-1]
        shapes.append(((height + 1) // 2, (width + 1) // 2))
    return shapes


def _blocks(shape: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    for y in range(0, shape[0], BLOCK_PX):
        for x in range(0, shape[1], BLOCK_PX):
            yield y, x, min(BLOCK_PX, shape[0] - y), min(BLOCK_PX, shape[1] - x)


def _label_planes(block: SyntheticBlock) -> NDArray[np.uint32]:
    return np.stack([block.nuclei, block.cells, block.regions.astype(np.uint32)])


def _write_tiff(
    path: Path,
    options: SynthOptions,
    spool: _Spool,
    names: tuple[str, ...],
    dtype: str,
) -> None:
    layout: dict[str, Any] = {
        "dtype": dtype,
        "tile": (TILE_PX, TILE_PX),
        "photometric": "minisblack",
        "compression": "zstd",
        "metadata": None,
        "software": "mifprofile",
    }
    per_cm = 1e4 / options.pixel_size_um
    with (
        atomic_output(path) as partial,
        tifffile.TiffWriter(partial, bigtiff=True, byteorder="<") as tiff,
    ):
        for level, shape in enumerate(spool.shapes):
            first = {
                "subifds": len(spool.shapes) - 1,
                "description": _ome_xml(options, names, dtype),
            }
            tiff.write(
                _pages(spool, level, len(names)),
                shape=(len(names), *shape),
                resolution=(per_cm / 2**level, per_cm / 2**level),
                resolutionunit="CENTIMETER",
                **(first if level == 0 else {"subfiletype": 1}),
                **layout,
            )


def _pages(spool: _Spool, level: int, count: int) -> Iterator[bytes]:
    for plane in range(count):
        yield from spool.tiles(level, plane)


def _ome_xml(options: SynthOptions, names: tuple[str, ...], dtype: str) -> str:
    height, width = options.shape_px
    um = options.pixel_size_um
    channels = "".join(
        f'<Channel ID="Channel:0:{i}" Name={quoteattr(name)} SamplesPerPixel="1"/>'
        for i, name in enumerate(names)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:schemaLocation="http://www.openmicroscopy.org/Schemas/OME/2016-06 '
        'http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd" '
        'Creator="mifprofile">'
        '<Image ID="Image:0" Name="synthetic">'
        f'<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="{dtype}" '
        f'SizeX="{width}" SizeY="{height}" SizeC="{len(names)}" SizeZ="1" SizeT="1" '
        f'BigEndian="false" PhysicalSizeX="{um!r}" PhysicalSizeXUnit="&#181;m" '
        f'PhysicalSizeY="{um!r}" PhysicalSizeYUnit="&#181;m">'
        f'{channels}<TiffData IFD="0" PlaneCount="{len(names)}"/>'
        "</Pixels></Image></OME>"
    )
