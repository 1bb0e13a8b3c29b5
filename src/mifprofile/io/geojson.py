"""Cell outlines as GeoJSON that QuPath opens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mifprofile.io.atomic import atomic_output

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def cell_feature(
    cell: NDArray[np.float64],
    nucleus: NDArray[np.float64] | None,
    name: str,
    colour: tuple[int, int, int],
    measurements: dict[str, float],
) -> dict[str, Any]:
    """One QuPath cell object; coordinates in px of the slide at full resolution."""
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


def _polygon(outline: NDArray[np.float64]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [outline.round(2).tolist()]}
