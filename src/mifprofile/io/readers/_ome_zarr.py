"""OME-Zarr 0.4 (zarr v2) and 0.5 (zarr v3)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from mifprofile.errors import FormatError
from mifprofile.io.readers._common import Found
from mifprofile.io.readers._units import to_um

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

# What zarr and its codecs raise on damaged chunks or metadata.
_DAMAGED = (ValueError, RuntimeError, KeyError, TypeError, IndexError, zlib.error)


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
        wanted = dict(zip("cyx", index, strict=True))
        selection = tuple(wanted.get(axis, 0) for axis in self.axes)
        kept = [axis for axis in self.axes if axis in wanted]
        try:
            block = np.asarray(self.array[selection], self.dtype)
        except _DAMAGED as error:
            raise FormatError(
                f"{self.path}: the image data are damaged "
                f"({_one_line(error)}); copy the store again from its source"
            ) from error
        if "c" not in kept:
            return block[np.newaxis].transpose(0, *(1 + kept.index(a) for a in "yx"))
        return block.transpose([kept.index(axis) for axis in "cyx"])


def read(path: Path) -> Found:
    """Read the largest image of an OME-Zarr folder, lazily."""
    try:
        root = zarr.open_group(path, mode="r")
    except (FileNotFoundError, *_DAMAGED) as error:
        raise _not_a_slide(path) from error
    group = _image(path, root)
    ngff = _attributes(group)
    scales = _first(path, ngff)
    try:
        axes = _axes(scales)
        levels = tuple(
            ZarrLevel(_array(group, dataset["path"]), axes, str(path))
            for dataset in scales["datasets"]
        )
        pixel_um, origin_um = _place(scales, axes)
    except _DAMAGED as error:
        raise FormatError(
            f"{path}: the OME-Zarr metadata are damaged or incomplete "
            f"({_one_line(error)}); write the store again"
        ) from error
    _check_axes(path, levels[0])
    return Found(
        file_format=f"OME-Zarr {version(ngff)}",
        levels=levels,
        names=_names(ngff, levels[0].shape[0]),
        pixel_um=pixel_um,
        origin_um=origin_um,
    )


def version(ngff: Mapping[str, Any]) -> str:
    """Version of the NGFF metadata of an image."""
    scales = ngff.get("multiscales") or [{}]
    return str(ngff.get("version") or scales[0].get("version") or "0.4")


def _attributes(group: zarr.Group) -> dict[str, Any]:
    """NGFF metadata, which 0.5 keeps under the key "ome"."""
    attributes = group.attrs.asdict()
    inner = attributes.get("ome")
    return dict(inner) if isinstance(inner, dict) else attributes


def _image(path: Path, root: zarr.Group) -> zarr.Group:
    """Return the group that holds the image, or bioformats2raw's largest."""
    attributes = _attributes(root)
    if "multiscales" in attributes:
        return root
    if "bioformats2raw.layout" not in attributes:
        raise _not_a_slide(path)
    images = [g for _, g in root.groups() if "multiscales" in _attributes(g)]
    if not images:
        raise _not_a_slide(path)
    return max(images, key=_pixels)


def _pixels(group: zarr.Group) -> int:
    dataset = _attributes(group)["multiscales"][0]["datasets"][0]
    height, width = _array(group, dataset["path"]).shape[-2:]
    return int(height * width)


def _first(path: Path, ngff: Mapping[str, Any]) -> dict[str, Any]:
    scales = ngff["multiscales"]
    if not scales or not isinstance(scales[0], dict) or not scales[0].get("datasets"):
        raise _not_a_slide(path)
    return scales[0]


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise TypeError(f"{name} is not an array")
    return array


def _axes(scales: Mapping[str, Any]) -> str:
    axes = scales.get("axes", ["t", "c", "z", "y", "x"])
    return "".join(axis if isinstance(axis, str) else axis["name"] for axis in axes)


def _check_axes(path: Path, level: ZarrLevel) -> None:
    size = dict(zip(level.axes, level.array.shape, strict=True))
    steps = {axis: n for axis, n in size.items() if axis not in "cyx" and n != 1}
    if steps:
        listed = ", ".join(f"{axis}={n}" for axis, n in steps.items())
        raise FormatError(
            f"{path}: the image has more than channels, rows and columns ({listed}); "
            "project it along z, or take one time point"
        )


def _names(ngff: Mapping[str, Any], count: int) -> tuple[str | None, ...]:
    found = (ngff.get("omero") or {}).get("channels") or []
    names = [str(channel.get("label") or "").strip() or None for channel in found]
    return tuple([*names, *[None] * count][:count])


def _place(
    scales: Mapping[str, Any], axes: str
) -> tuple[tuple[float, float] | None, tuple[float, float]]:
    """(x, y) pixel edges and (x, y) origin in µm; no edges where no unit is given."""
    units = {a["name"]: a.get("unit", "") for a in scales.get("axes", []) if "name" in a}
    edges, corner = dict.fromkeys(axes, 1.0), dict.fromkeys(axes, 0.0)
    inner = scales["datasets"][0].get("coordinateTransformations", [])
    for step in (*inner, *scales.get("coordinateTransformations", [])):
        for axis, value in zip(axes, step.get(step["type"], []), strict=False):
            if step["type"] == "scale":
                edges[axis], corner[axis] = edges[axis] * value, corner[axis] * value
            elif step["type"] == "translation":
                corner[axis] += value
    x, y, left, top = (
        to_um(place[axis], units.get(axis, ""))
        for place in (edges, corner)
        for axis in "xy"
    )
    if x is None or y is None or left is None or top is None:
        return None, (0.0, 0.0)
    return (x, y), (left, top)


def _not_a_slide(path: Path) -> FormatError:
    return FormatError(
        f"{path}: a folder, but no OME-Zarr image (no multiscales in its metadata); "
        "give the folder that holds the image's zarr.json or .zattrs"
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__
