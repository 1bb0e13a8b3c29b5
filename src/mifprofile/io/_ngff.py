"""OME-Zarr (NGFF) metadata: written as 0.5, understood as 0.4 and 0.5."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mifprofile.io._units import to_um
from mifprofile.model import PixelSize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import zarr

VERSION = "0.5"
_SMALLEST_PX = 512
_COLOURS = ("0000FF", "00FF00", "FF0000", "FFFF00", "FF00FF", "00FFFF", "FFFFFF")

Pair = tuple[float, float]


def pyramid_shapes(
    shape_px: tuple[int, int], levels: int | None
) -> list[tuple[int, int]]:
    """(height, width) of each level, halved until the smaller side fits 512 px."""
    shapes = [shape_px]
    while len(shapes) < levels if levels else min(shapes[-1]) > _SMALLEST_PX:
        height, width = shapes[-1]
        shapes.append(((height + 1) // 2, (width + 1) // 2))
    return shapes


def attributes(group: zarr.Group) -> dict[str, Any]:
    """NGFF metadata of a group, which 0.5 keeps under the key "ome"."""
    plain: dict[str, Any] = group.attrs.asdict()
    inner = plain.get("ome")
    return dict(inner) if isinstance(inner, dict) else plain


def multiscales(
    name: str, axes: str, levels: int, pixel_size: PixelSize | None, origin_um: Pair
) -> list[dict[str, Any]]:
    """Describe a pyramid of `levels` halvings with `axes` such as ``"cyx"``."""
    return [
        {
            "name": name,
            "axes": [_axis(axis, known=pixel_size is not None) for axis in axes],
            "datasets": [
                {
                    "path": str(level),
                    "coordinateTransformations": _placing(
                        axes, 2**level, pixel_size, origin_um
                    ),
                }
                for level in range(levels)
            ],
        }
    ]


def channels(
    names: Sequence[str], largest: float, windows: Sequence[Pair]
) -> dict[str, Any]:
    """Describe channels; a window is the (darkest, brightest) value to show."""
    return {
        "channels": [
            {
                "label": name,
                "color": _COLOURS[i % len(_COLOURS)],
                "active": True,
                "window": {"min": 0, "max": largest, "start": low, "end": high},
            }
            for i, (name, (low, high)) in enumerate(zip(names, windows, strict=True))
        ]
    }


def axes_of(scales: Mapping[str, Any]) -> str:
    """Axes of an image, one letter each."""
    axes = scales.get("axes", ["t", "c", "z", "y", "x"])
    return "".join(axis if isinstance(axis, str) else axis["name"] for axis in axes)


def place_um(scales: Mapping[str, Any]) -> tuple[Pair, Pair] | None:
    """(x, y) pixel edges and (x, y) origin in µm; None where no unit is given."""
    described = [axis for axis in scales.get("axes", []) if not isinstance(axis, str)]
    units = {axis["name"]: axis.get("unit", "") for axis in described}
    edges, corner = _transformed(scales)
    found = [
        to_um(place.get(axis, 1.0), units.get(axis, ""))
        for place in (edges, corner)
        for axis in "xy"
    ]
    known = [value for value in found if value is not None]
    if len(known) < len(found):
        return None
    return (known[0], known[1]), (known[2], known[3])


def _transformed(
    scales: Mapping[str, Any],
) -> tuple[dict[str, float], dict[str, float]]:
    """Edge of a full-resolution pixel and place of the first one, by axis."""
    axes = axes_of(scales)
    edges, corner = dict.fromkeys(axes, 1.0), dict.fromkeys(axes, 0.0)
    own = scales["datasets"][0].get("coordinateTransformations", [])
    for step in (*own, *scales.get("coordinateTransformations", [])):
        for axis, value in zip(axes, step.get(step["type"], []), strict=False):
            if step["type"] == "scale":
                edges[axis], corner[axis] = edges[axis] * value, corner[axis] * value
            elif step["type"] == "translation":
                corner[axis] += value
    return edges, corner


def _axis(axis: str, *, known: bool) -> dict[str, str]:
    if axis == "c":
        return {"name": "c", "type": "channel"}
    unit = {"unit": "micrometer"} if known else {}
    return {"name": axis, "type": "space", **unit}


def _placing(
    axes: str, factor: int, pixel_size: PixelSize | None, origin_um: Pair
) -> list[dict[str, Any]]:
    """Scale and translation of a level whose pixels lie amid those they stand for."""
    size = pixel_size or PixelSize(1.0, 1.0)
    left, top = (0.0, 0.0) if pixel_size is None else origin_um
    edges, corner = {"y": size.y_um, "x": size.x_um}, {"y": top, "x": left}
    scale = [factor * edges[axis] if axis in edges else 1.0 for axis in axes]
    shift = [
        corner[axis] + (factor - 1) / 2 * edges[axis] if axis in edges else 0.0
        for axis in axes
    ]
    moved = [{"type": "translation", "translation": shift}] if any(shift) else []
    return [{"type": "scale", "scale": scale}, *moved]
