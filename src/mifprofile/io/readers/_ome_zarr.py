"""OME-Zarr 0.4 (zarr v2) and 0.5 (zarr v3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from mifprofile.errors import FormatError
from mifprofile.io import _ngff
from mifprofile.io.readers._blosc import guarded
from mifprofile.io.readers._common import (
    DAMAGED,
    Found,
    one_line,
    reading,
    refuse_steps,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class ZarrLevel:
    """One resolution level of an OME-Zarr image, seen as (c, y, x).

    Parameters
    ----------
    array : zarr.Array
    axes : str
        Its axes; all but c, y and x have one step.
    path : str
        Where it lies, for messages.
    """

    array: zarr.Array[Any]
    axes: str
    path: str

    ndim = 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (c, y, x); one channel where there is no such axis."""
        size = dict(zip(self.axes, self.array.shape, strict=True))
        return size.get("c", 1), size["y"], size["x"]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type, native byte order."""
        return self.array.dtype.newbyteorder("=")

    @property
    def chunk_px(self) -> tuple[int, int]:
        """(height, width) of a chunk."""
        size = dict(zip(self.axes, self.array.chunks, strict=True))
        return size["y"], size["x"]

    def __getitem__(self, index: tuple[slice, slice, slice]) -> NDArray[Any]:
        """Read a block (c, y, x)."""
        wanted: dict[str, slice] = dict(zip("cyx", index, strict=True))
        selection = tuple(wanted.get(axis, 0) for axis in self.axes)
        try:
            with reading(self.path):
                block = np.asarray(self.array[selection], self.dtype)
        except DAMAGED as error:
            raise FormatError(
                f"{self.path}: the image data are damaged ({one_line(error)}); "
                "copy the store again from its source"
            ) from error
        kept = [axis for axis in self.axes if axis in wanted]
        order = [kept.index(axis) for axis in "cyx" if axis in kept]
        return block.transpose(order).reshape(-1, *(block.shape[i] for i in order[-2:]))


def is_mine(path: Path) -> bool:
    """Whether it is a folder."""
    return path.is_dir()


def read(path: Path) -> Found:
    """Read the largest image of an OME-Zarr folder, lazily."""
    try:
        group = _image(path, _open(path))
        ngff = _ngff.attributes(group)
        scales = ngff["multiscales"][0]
        axes = _ngff.axes_of(scales)
        paths = [dataset["path"] for dataset in scales["datasets"]]
        levels = tuple(ZarrLevel(_array(group, p), axes, str(path)) for p in paths)
        place = _ngff.place_um(scales)
        steps = dict(zip(axes, levels[0].array.shape, strict=True))
    except FormatError:
        raise
    except DAMAGED as error:
        raise _not_a_slide(path, one_line(error)) from error
    refuse_steps(path, {axis: n for axis, n in steps.items() if axis not in "cyx"})
    return Found(
        file_format=f"OME-Zarr {_version(ngff)}",
        levels=levels,
        names=_names(ngff, levels[0].shape[0]),
        pixel_um=place[0] if place else None,
        origin_um=place[1] if place else (0.0, 0.0),
    )


def _open(path: Path) -> zarr.Group:
    try:
        return zarr.open_group(path, mode="r")
    except FileNotFoundError as error:
        raise _not_a_slide(path, "no zarr metadata in it") from error


def _version(ngff: Mapping[str, Any]) -> str:
    return str(ngff.get("version") or ngff["multiscales"][0].get("version", "0.4"))


def _image(path: Path, root: zarr.Group) -> zarr.Group:
    """Return the group that holds the image; of bioformats2raw's, the largest."""
    attributes = _ngff.attributes(root)
    if "multiscales" in attributes:
        return root
    images = []
    if "bioformats2raw.layout" in attributes:
        images = [g for _, g in root.groups() if "multiscales" in _ngff.attributes(g)]
    if not images:
        raise _not_a_slide(path, "no multiscales in its metadata")
    return max(images, key=_area)


def _area(group: zarr.Group) -> int:
    dataset = _ngff.attributes(group)["multiscales"][0]["datasets"][0]
    height, width = _array(group, dataset["path"]).shape[-2:]
    return int(height * width)


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise TypeError(f"{name} is not an array")
    return guarded(array)


def _names(ngff: Mapping[str, Any], count: int) -> tuple[str | None, ...]:
    found = (ngff.get("omero") or {}).get("channels") or []
    names = [str(channel.get("label") or "").strip() or None for channel in found]
    return tuple([*names, *[None] * count][:count])


def _not_a_slide(path: Path, reason: str) -> FormatError:
    return FormatError(
        f"{path}: a folder, but no readable OME-Zarr image ({reason}); give the folder "
        "with the image's own zarr.json or .zattrs, or write the store again"
    )
