"""Label images as zarr stores."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from mifprofile.arguments import as_path
from mifprofile.errors import FormatError, MissingError
from mifprofile.io import _ngff
from mifprofile.io.atomic import atomic_output
from mifprofile.model import PixelSize

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from numpy.typing import DTypeLike, NDArray

    from mifprofile.arguments import StrPath

CHUNK_PX = 1024


class LabelPyramid(NamedTuple):
    """A label image as read from a store.

    Parameters
    ----------
    levels : tuple of zarr.Array
        Each (y, x), full resolution first; safe to read and write by whole chunks
        from several threads or processes.
    pixel_size : PixelSize or None
        Of the full resolution; None if the store does not say.
    """

    levels: tuple[zarr.Array[Any], ...]
    pixel_size: PixelSize | None

    @property
    def um(self) -> float:
        """Pixel size, µm; raises FormatError if the store does not say."""
        if self.pixel_size is None:
            raise FormatError(
                f"{self.levels[0].store}: labels without a pixel size; "
                "run the stage that writes them again"
            )
        return self.pixel_size.um


@contextmanager
def label_store(
    path: str | Path,
    names: Sequence[str],
    shape_px: tuple[int, int],
    pixel_size: PixelSize | None,
    *,
    origin_um: tuple[float, float] = (0.0, 0.0),
    dtype: DTypeLike = np.uint32,
) -> Iterator[dict[str, zarr.Array[Any]]]:
    """Yield label images (y, x) to fill; the store appears, with pyramids, at the end.

    Parameters
    ----------
    path : str or Path
        What was there is replaced, once the new store is complete.
    names : sequence of str
    shape_px : tuple of int
        (height, width).
    pixel_size : PixelSize or None
    origin_um : tuple of float
        (x, y) of the upper left corner, that of the slide.
    dtype : dtype, optional

    Raises
    ------
    StorageError
        The disk is full, read-only or failing; nothing is left under `path`.
    """
    with atomic_output(path) as partial:
        create_label_store(
            partial, names, shape_px, pixel_size, origin_um=origin_um, dtype=dtype
        )
        yield {name: open_label_array(partial, name) for name in names}
        for name in names:
            _thin(partial, name)


def write_label_store(
    path: str | Path,
    labels: Mapping[str, NDArray[np.integer[Any]]],
    pixel_size: PixelSize | None,
    *,
    origin_um: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Write label images (y, x) of one shape and type, with their pyramids."""
    first = next(iter(labels.values()))
    shape_px = (first.shape[0], first.shape[1])
    with label_store(
        path,
        tuple(labels),
        shape_px,
        pixel_size,
        origin_um=origin_um,
        dtype=first.dtype,
    ) as arrays:
        for name, label in labels.items():
            arrays[name][:] = label


def create_label_store(
    path: str | Path,
    names: Sequence[str],
    shape_px: tuple[int, int],
    pixel_size: PixelSize | None,
    *,
    origin_um: tuple[float, float] = (0.0, 0.0),
    dtype: DTypeLike = np.uint32,
) -> None:
    """Make a store of empty label pyramids (y, x).

    Writers that keep to whole chunks of `CHUNK_PX` need no lock; each level holds every
    second pixel of the one before. `write_labels` fills any part of any level,
    `label_store` all of them in one process.
    """
    root = zarr.create_group(path, zarr_format=3)
    root.update_attributes({"ome": {"version": _ngff.VERSION, "labels": list(names)}})
    shapes = pyramid_shapes(shape_px)
    for name in names:
        scales = _ngff.multiscales(name, "yx", len(shapes), pixel_size, origin_um)
        ome = {
            "version": _ngff.VERSION,
            "multiscales": scales,
            "image-label": {"version": _ngff.VERSION},
        }
        group = root.create_group(name, attributes={"ome": ome})
        for level, shape in enumerate(shapes):
            _create(group, level, shape, np.dtype(dtype))


def pyramid_shapes(shape_px: tuple[int, int]) -> list[tuple[int, int]]:
    """(height, width) of each level of a label pyramid."""
    return _ngff.pyramid_shapes(shape_px, None)


def open_label_array(path: str | Path, name: str, level: int = 0) -> zarr.Array[Any]:
    """Open one (y, x) level of a label image for reading and writing."""
    return zarr.open_array(Path(path) / name / str(level), mode="r+")


def write_labels(
    path: str | Path,
    name: str,
    level: int,
    corner: tuple[int, int],
    labels: NDArray[np.integer[Any]],
) -> None:
    """Fill part of one level, which may be any; chunks without labels are left out.

    Parameters
    ----------
    path : str or Path
    name : str
    level : int
        0 is the full resolution.
    corner : tuple of int
        Where the part begins in that level; a whole chunk does.
    labels : (h, w) integer array
        Whole chunks, but for the slide's edge.
    """
    # Whether a chunk is empty is seen here, several times faster than zarr looks.
    array = open_label_array(path, name, level).with_config(
        {"write_empty_chunks": True}
    )
    height, width = labels.shape
    for y, x in itertools.product(
        range(0, height, CHUNK_PX), range(0, width, CHUNK_PX)
    ):
        chunk = labels[y : y + CHUNK_PX, x : x + CHUNK_PX]
        if chunk.any():
            top, left = corner[0] + y, corner[1] + x
            window = (
                slice(top, top + chunk.shape[0]),
                slice(left, left + chunk.shape[1]),
            )
            array[window] = np.ascontiguousarray(chunk)


def open_label_store(
    path: StrPath, names: Collection[str] | None = None
) -> dict[str, LabelPyramid]:
    """Open a label store for reading.

    Parameters
    ----------
    path : str or Path
    names : collection of str, optional
        Label images to open; all by default.

    Returns
    -------
    dict of str to LabelPyramid

    Raises
    ------
    MissingError
        There is no such store.
    FormatError
        It is none of labels.
    """
    path = as_path(path, "labels")
    if not path.exists():
        raise MissingError(f"{path}: no such label store; run the stage that writes it")
    try:
        root = zarr.open_group(path, mode="r")
        if names is None:
            names = _ngff.attributes(root)["labels"]
        return {name: _open(root, name) for name in names}
    except (KeyError, TypeError, ValueError, FileNotFoundError) as error:
        raise FormatError(
            f"{path}: not an OME-Zarr label store; run the stage that writes it again"
        ) from error


def _create(
    group: zarr.Group, level: int, shape: tuple[int, int], dtype: np.dtype[Any]
) -> None:
    group.create_array(
        str(level),
        shape=shape,
        chunks=(CHUNK_PX, CHUNK_PX),
        dtype=dtype,
        # Labels pack 20 times better without blosc's shuffle.
        compressors=ZstdCodec(level=1),
        dimension_names=("y", "x"),
    )


def _thin(path: Path, name: str) -> None:
    """Fill every coarser level, chunk by chunk."""
    full = open_label_array(path, name).shape
    shapes = pyramid_shapes((full[0], full[1]))
    for level, (height, width) in enumerate(shapes[1:], start=1):
        fine = open_label_array(path, name, level - 1)
        for y, x in itertools.product(
            range(0, height, CHUNK_PX), range(0, width, CHUNK_PX)
        ):
            rows, cols = (slice(2 * v, 2 * (v + CHUNK_PX)) for v in (y, x))
            labels = np.asarray(fine[rows, cols])[::2, ::2]
            write_labels(path, name, level, (y, x), labels)


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise TypeError(f"{name} is not an array")
    return array


def _open(root: zarr.Group, name: str) -> LabelPyramid:
    group = root[name]
    if not isinstance(group, zarr.Group):
        raise TypeError(f"{name} is not a group")
    scales = _ngff.attributes(group)["multiscales"][0]
    place = _ngff.place_um(scales)
    return LabelPyramid(
        tuple(_array(group, dataset["path"]) for dataset in scales["datasets"]),
        None if place is None else PixelSize(*place[0]),
    )
