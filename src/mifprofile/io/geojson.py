"""GeoJSON as QuPath reads and writes it: cell outlines out, drawn areas in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from mifprofile.core.masks import DrawnArea
from mifprofile.errors import FormatError, MissingError
from mifprofile.io.atomic import atomic_output

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray


def cell_feature(
    cell: NDArray[np.float64],
    nucleus: NDArray[np.float64] | None,
    name: str,
    colour: tuple[int, int, int],
    measurements: dict[str, float],
) -> dict[str, Any]:
    """One QuPath cell of (k, 2) outlines; coordinates in px of the full resolution."""
    feature: dict[str, Any] = {
        "type": "Feature",
        "geometry": _polygon(cell),
        "properties": {
            "objectType": "cell",
            "classification": {"name": name, "color": list(colour)},
            "measurements": measurements,
        },
    }
    if nucleus is not None:
        feature["nucleusGeometry"] = _polygon(nucleus)
    return feature


def write_features(features: Iterable[dict[str, Any]], path: Path) -> None:
    """Write a FeatureCollection, one feature at a time."""
    with atomic_output(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for i, feature in enumerate(features):
            file.write((",\n" if i else "\n") + json.dumps(feature, allow_nan=False))
        file.write("\n]}\n")


def read_drawn_areas(path: Path) -> tuple[DrawnArea, ...]:
    """Read areas that people have drawn, in px of the slide at full resolution.

    Parameters
    ----------
    path : Path
        A FeatureCollection, a list of features or a single one; of each, a Polygon or
        MultiPolygon counts, and its classification or name becomes the note.

    Raises
    ------
    MissingError
        There is no such file.
    FormatError
        It is no GeoJSON, or holds a shape that has no area.
    """
    if not path.is_file():
        raise MissingError(f"{path}: no such file of drawn areas")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as e:
        raise FormatError(f"{path}: not valid JSON ({e})") from e
    if isinstance(content, dict):
        content = content.get("features", [content])
    if not isinstance(content, list):
        raise FormatError(f"{path}: not GeoJSON; expected a FeatureCollection")
    return tuple(
        _drawn_area(f, f"{path}: feature {i + 1}") for i, f in enumerate(content)
    )


def _drawn_area(feature: Any, where: str) -> DrawnArea:
    if not isinstance(feature, dict) or not isinstance(feature.get("geometry"), dict):
        raise FormatError(f"{where}: no feature with a geometry")
    geometry = feature["geometry"]
    polygons: Any
    match geometry.get("type"):
        case "Polygon":
            polygons = [geometry.get("coordinates")]
        case "MultiPolygon":
            polygons = geometry.get("coordinates")
        case kind:
            raise FormatError(
                f"{where}: a {kind} has no area; draw a polygon around what is meant"
            )
    if not isinstance(polygons, list) or not polygons:
        raise FormatError(f"{where}: no coordinates")
    rings = tuple(_rings(polygon, where) for polygon in polygons)
    return DrawnArea(rings, _note(feature.get("properties") or {}))


def _rings(polygon: Any, where: str) -> tuple[NDArray[np.float64], ...]:
    """Outer ring and holes, with finite coordinates."""
    try:
        rings = tuple(np.asarray(ring, float) for ring in polygon)
    except (TypeError, ValueError) as e:
        raise FormatError(f"{where}: coordinates are not numbers") from e
    plain = all(r.ndim == 2 and r.shape[0] >= 3 and r.shape[1] >= 2 for r in rings)
    if not rings or not plain or not all(np.isfinite(r).all() for r in rings):
        raise FormatError(f"{where}: a ring needs at least three points (x, y)")
    return tuple(ring[:, :2] for ring in rings)


def _note(properties: dict[str, Any]) -> str:
    kind = properties.get("classification")
    name = kind.get("name") if isinstance(kind, dict) else kind
    return str(name or properties.get("name") or "")


def _polygon(outline: NDArray[np.float64]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [outline.round(2).tolist()]}
