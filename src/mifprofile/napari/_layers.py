"""A result folder as napari layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from napari.utils.colormaps import Colormap, CyclicLabelColormap, DirectLabelColormap

from mifprofile import open_results, open_slide
from mifprofile.napari._painted import PaintedLabels
from mifprofile.viewer import (
    REGION_NAMES,
    open_label_store,
    phenotype_colours,
    read_parquet,
    shown_channels,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mifprofile import Panel, Results, Slide

LayerData = tuple[Any, dict[str, Any], str]
Role = Literal["channel", "regions", "nuclei", "cells"]

# Key of a layer's metadata that holds its `Origin`.
ORIGIN = "mifprofile"
SHOWN_PERCENTILES = (1.0, 99.5)
# The nuclear stain is a backdrop to the markers.
NUCLEUS_OPACITY = 0.5
# For channels that stand for no phenotype.
SPARE_COLOURS = ((204, 121, 167), (0, 114, 178), (240, 228, 66), (200, 200, 200))
REGION_COLOURS = {
    "tumour": "#ff5aa5",
    "stroma": "#7fd4ff",
    "outside": "#9a9a9a",
    "excluded": "#c0392b",
}


@dataclass(frozen=True)
class Origin:
    """Where a layer comes from.

    Attributes
    ----------
    folder : Path
        The result folder.
    role : str
        ``channel``, ``regions``, ``nuclei`` or ``cells``.
    channel : str
        Of a channel's layer, its name in the file.
    painted : PaintedLabels or None
        Of nuclei and cells, what their colours are changed with.
    """

    folder: Path
    role: Role
    channel: str = ""
    painted: PaintedLabels | None = None


def read_layers(folder: Path) -> list[LayerData]:
    """Layers of a finished result folder, from the bottom up; no pixels are read."""
    job = open_results(folder)
    slide = open_slide(job.results.slide)
    return [
        *_channels(slide, job.panel, folder),
        _regions(job.results, slide),
        *_labels(job.results, job.panel, slide),
    ]


def cell_values(cells: pd.DataFrame, panel: Panel) -> NDArray[np.uint32]:
    """Values for `PaintedLabels`: one per cell, and one colour per phenotype.

    With n phenotypes, the value modulo n tells the phenotype; a value of its own for
    each cell keeps neighbours of one phenotype apart.
    """
    names = list(phenotype_colours(panel))
    codes = pd.Categorical(cells["phenotype"].astype(str), names).codes
    ids = cells["cell_id"].to_numpy(np.uint32)
    values = np.zeros(int(ids.max(initial=0)) + 1, np.uint32)
    values[ids] = ids * np.uint32(len(names)) + codes.astype(np.uint32) + np.uint32(1)
    return values


def cell_features(cells: pd.DataFrame, values: NDArray[np.uint32]) -> pd.DataFrame:
    """What napari says of the cell under the pointer."""
    return pd.DataFrame(
        {
            "index": values[cells["cell_id"]],
            "cell_id": cells["cell_id"],
            "phenotype": cells["phenotype"].astype(str),
            "confidence": cells["phenotype_confidence"].round(2),
        }
    )


def read_calls(results: Results) -> pd.DataFrame:
    """Id, phenotype and confidence of every cell."""
    columns = ["cell_id", "phenotype", "phenotype_confidence"]
    return read_parquet(results.phenotypes, columns)


def read_regions(results: Results) -> tuple[NDArray[np.uint8], float]:
    """Region map and its pixel size, µm."""
    pyramid = open_label_store(results.regions)["regions"]
    return np.asarray(pyramid.levels[0][:, :]).astype(np.uint8), pyramid.um


def layers_of(layers: Iterable[Any], folder: Path) -> Iterator[tuple[Any, Origin]]:
    """Layers that come from a result folder."""
    for layer in layers:
        origin = layer.metadata.get(ORIGIN)
        if isinstance(origin, Origin) and origin.folder == folder:
            yield layer, origin


def refresh_layers(layers: Iterable[Any], folder: Path) -> None:
    """Show what the stages have found since the layers were made."""
    job = open_results(folder)
    calls = read_calls(job.results)
    values = cell_values(calls, job.panel)
    for layer, origin in layers_of(layers, folder):
        if origin.painted is not None:
            origin.painted.paint(values)
            layer.features = cell_features(calls, values)
            layer.refresh()
        elif origin.role == "regions":
            layer.data = read_regions(job.results)[0]


def _channels(slide: Slide, panel: Panel, folder: Path) -> list[LayerData]:
    shown = {channel.channel: channel for channel in shown_channels(panel)}
    markers = {marker.channel: name for name, marker in panel.markers.items()}
    colours = {name: channel.colour for name, channel in shown.items()}
    spare = [name for name in slide.channel_names if name not in colours]
    for i, name in enumerate(spare):
        colours[name] = SPARE_COLOURS[i % len(SPARE_COLOURS)]
    return [
        (
            _pyramid([level[i] for level in slide.levels]),
            {
                "name": markers.get(name, name),
                "colormap": _ramp(name, colours[name]),
                "contrast_limits": _limits(slide, i),
                "blending": "additive",
                "opacity": NUCLEUS_OPACITY if name == panel.nucleus else 1.0,
                "visible": name in shown,
                **_place(slide.um, Origin(folder, "channel", name)),
            },
            "image",
        )
        for i, name in enumerate(slide.channel_names)
    ]


def _regions(results: Results, slide: Slide) -> LayerData:
    regions, um = read_regions(results)
    colours: dict[int | None, str] = {None: "transparent"}
    for i, name in enumerate(REGION_NAMES):
        colours[i] = REGION_COLOURS.get(name, "transparent")
    names = pd.DataFrame({"index": range(len(REGION_NAMES)), "region": REGION_NAMES})
    options = {
        "name": "regions",
        "colormap": DirectLabelColormap(color_dict=colours),
        "features": names,
        "opacity": 0.35,
        "visible": False,
        # The map's pixels are larger: their centres lie further from the corner.
        "translate": ((um - slide.um) / 2,) * 2,
        **_place(um, Origin(results.folder, "regions")),
    }
    return regions, options, "labels"


def _labels(results: Results, panel: Panel, slide: Slide) -> list[LayerData]:
    store = open_label_store(results.labels)
    calls = read_calls(results)
    values = cell_values(calls, panel)
    layers = []
    roles: tuple[Role, ...] = ("nuclei", "cells")
    for role in roles:
        painted = PaintedLabels(store[role].levels, values)
        options = {
            "name": role,
            "colormap": _by_phenotype(panel),
            "features": cell_features(calls, values),
            "opacity": 0.8,
            "visible": role == "cells",
            **_place(slide.um, Origin(results.folder, role, painted=painted)),
        }
        layers.append((painted.data, options, "labels"))
    return layers


def _by_phenotype(panel: Panel) -> CyclicLabelColormap:
    colours = [(*colour, 255) for colour in phenotype_colours(panel).values()]
    return CyclicLabelColormap(
        colors=np.array([(0, 0, 0, 0), *colours]) / 255, name="phenotype"
    )


def _ramp(name: str, colour: tuple[int, int, int]) -> Colormap:
    return Colormap(np.array([(0, 0, 0), colour]) / 255, name=f"{name} colour")


def _limits(slide: Slide, channel: int) -> tuple[float, float]:
    """Contrast limits, from the coarsest level alone."""
    plane = np.asarray(slide.levels[-1][channel])
    low, high = np.percentile(plane, SHOWN_PERCENTILES)
    return float(low), float(max(high, low + 1e-6))


def _place(um: float, origin: Origin) -> dict[str, Any]:
    return {"scale": (um, um), "units": "µm", "metadata": {ORIGIN: origin}}


def _pyramid(levels: Sequence[Any]) -> Any:
    """Levels as napari wants them: a single one is no list."""
    return list(levels) if len(levels) > 1 else levels[0]
