"""OME-Zarr (NGFF) metadata: written as 0.5, understood as 0.4 and 0.5."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mifprofile.model import PixelSize

VERSION = "0.5"
_COLOURS = ("0000FF", "00FF00", "FF0000", "FFFF00", "FF00FF", "00FFFF", "FFFFFF")

Size = tuple[int, int]


def pyramid_shapes(shape_px: Size, levels: int | None, smallest: int = 512) -> list[Size]:
    """(height, width) of each level: halved, until the smaller side fits `smallest`."""
    shapes = [shape_px]
    while len(shapes) < levels if levels else min(shapes[-1]) > smallest:
        height, width = shapes[-1]
        shapes.append(((height + 1) // 2, (width + 1) // 2))
    return shapes


def multiscales(
    name: str,
    axes: str,
    levels: int,
    pixel_size: PixelSize | None,
    origin_um: tuple[float, float],
) -> list[dict[str, Any]]:
    """Describe a pyramid of `levels` with `axes` such as ``"cyx"``."""
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
    names: Sequence[str], largest: float, windows: Sequence[tuple[float, float]]
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


def _axis(axis: str, *, known: bool) -> dict[str, str]:
    if axis == "c":
        return {"name": "c", "type": "channel"}
    unit = {"unit": "micrometer"} if known else {}
    return {"name": axis, "type": "space", **unit}


def _placing(
    axes: str,
    factor: int,
    pixel_size: PixelSize | None,
    origin_um: tuple[float, float],
) -> list[dict[str, Any]]:
    """Scale and translation of one level, whose pixels lie amid those they average."""
    edge = {"y": 1.0, "x": 1.0}
    if pixel_size is not None:
        edge = {"y": pixel_size.y_um, "x": pixel_size.x_um}
    start = {"y": origin_um[1], "x": origin_um[0]} if pixel_size is not None else {}
    scale = [factor * edge.get(axis, 1 / factor) for axis in axes]
    shift = [
        start.get(axis, 0.0) + (factor - 1) / 2 * edge[axis] if axis in edge else 0.0
        for axis in axes
    ]
    moved = [{"type": "translation", "translation": shift}] if any(shift) else []
    return [{"type": "scale", "scale": scale}, *moved]
