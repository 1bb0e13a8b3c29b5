"""Label images and scratch arrays as zarr stores."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import zarr
from zarr.codecs import BloscCodec, ZstdCodec

from mifprofile.errors import FormatError, MissingError
from mifprofile.io import _ngff
from mifprofile.io.atomic import atomic_output, storage_errors, temporary_sibling
from mifprofile.model import PixelSize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import DTypeLike, NDArray

CHUNK_PX = 1024
_scratch_number = itertools.count()


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
        arrays = create_label_store(
            partial, names, shape_px, pixel_size, origin_um=origin_um, dtype=dtype
        )
        yield arrays
        write_label_pyramid(partial)


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
    chunk_px: int = CHUNK_PX,
    *,
    origin_um: tuple[float, float] = (0.0, 0.0),
    dtype: DTypeLike = np.uint32,
) -> dict[str, zarr.Array[Any]]:
    """Make a store of empty label images (y, x) at full resolution only.

    Writers that keep to whole chunks of `chunk_px` need no lock. `label_store` does the
    same under a temporary name, and adds the pyramids.
    """
    root = zarr.create_group(path, zarr_format=3)
    root.update_attributes({"ome": {"version": _ngff.VERSION, "labels": list(names)}})
    arrays = {}
    for name in names:
        scales = _ngff.multiscales(name, "yx", 1, pixel_size, origin_um)
        group = root.create_group(
            name,
            attributes={
                "ome": {
                    "version": _ngff.VERSION,
                    "multiscales": scales,
                    "image-label": {"version": _ngff.VERSION},
                }
            },
        )
        arrays[name] = _create(group, 0, shape_px, np.dtype(dtype), chunk_px)
    return arrays


def write_label_pyramid(path: str | Path) -> None:
    """Add coarser levels to each image of a label store: every second pixel."""
    root = zarr.open_group(path, mode="r+")
    for _, group in root.groups():
        fine = _array(group, "0")
        shapes = _ngff.pyramid_shapes((fine.shape[0], fine.shape[1]), None)
        for level, shape in enumerate(shapes[1:], 1):
            coarse = _create(group, level, shape, fine.dtype, fine.chunks[0])
            _thin(fine, coarse)
            fine = coarse
        ome = _ngff.attributes(group)
        ome["multiscales"] = _ngff.deepen(ome["multiscales"], len(shapes))
        group.update_attributes({"ome": ome})


def open_label_store(path: str | Path) -> dict[str, LabelPyramid]:
    """Open a label store for reading.

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
    if not Path(path).exists():
        raise MissingError(f"{path}: no such label store; run the stage that writes it")
    try:
        root = zarr.open_group(path, mode="r")
        ome = _ngff.attributes(root)
        return {name: _open(root, name) for name in ome["labels"]}
    except (KeyError, TypeError, ValueError, FileNotFoundError) as error:
        raise FormatError(
            f"{path}: not an OME-Zarr label store; run the stage that writes it again"
        ) from error


@contextmanager
def scratch_array(
    folder: str | Path,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    dtype: DTypeLike,
) -> Iterator[zarr.Array[Any]]:
    """Yield a zarr array in `folder`, zero at first, that is removed at the end.

    It lies on disk, lightly compressed, under a name that a later run recognises as a
    dead one's leftover.
    """
    path = Path(folder) / f"scratch-{next(_scratch_number)}"
    with storage_errors(folder), temporary_sibling(path) as store:
        yield zarr.create_array(
            store,
            shape=shape,
            chunks=chunks,
            dtype=dtype,
            compressors=BloscCodec(cname="lz4", clevel=1, shuffle="shuffle"),
            config={"write_empty_chunks": True},
        )


def _create(
    group: zarr.Group,
    level: int,
    shape: tuple[int, int],
    dtype: np.dtype[Any],
    chunk_px: int,
) -> zarr.Array[Any]:
    return group.create_array(
        str(level),
        shape=shape,
        chunks=(chunk_px, chunk_px),
        dtype=dtype,
        # Labels pack 20 times better without blosc's shuffle.
        compressors=ZstdCodec(level=1),
        dimension_names=("y", "x"),
        config={"write_empty_chunks": True},
    )


def _thin(fine: zarr.Array[Any], coarse: zarr.Array[Any]) -> None:
    """Write every second pixel of `fine` to `coarse`, chunk by chunk."""
    step = coarse.chunks[0]
    height, width = coarse.shape
    for y, x in itertools.product(range(0, height, step), range(0, width, step)):
        block = np.asarray(fine[2 * y : 2 * (y + step), 2 * x : 2 * (x + step)])
        if block.any():
            coarse[y : y + step, x : x + step] = block[::2, ::2]


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
