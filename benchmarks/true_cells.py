"""Synthetic slides measured in their true cells, and what is true of these."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.measure import (
    Background,
    Reading,
    add_edges,
    background,
    cell_runs,
    contact_table,
    measure_cells,
    outline_edges,
    perimeters_um,
)
from mifprofile.io.config import read_panel
from mifprofile.options import MeasureOptions
from mifprofile.panels import demo_panel_path
from mifprofile.synthetic import MARKERS, SynthOptions, synthetic_block, synthetic_truth

if TYPE_CHECKING:
    import pandas as pd

    from mifprofile.model import Panel


@dataclass(frozen=True)
class TrueCells:
    """One synthetic slide without any segmentation.

    Attributes
    ----------
    cells : pandas.DataFrame
        As measured, with perimeters and what spill-over compensation needs.
    truth : pandas.DataFrame
        Of the same cells, row by row.
    contacts : pandas.DataFrame
    grounds : dict
        Marker → background of its channel.
    """

    cells: pd.DataFrame
    truth: pd.DataFrame
    contacts: pd.DataFrame
    grounds: dict[str, Background]


@cache
def demo_panel() -> Panel:
    """Panel of the demo."""
    with demo_panel_path() as path:
        return read_panel(path)


@cache
def true_cells(options: SynthOptions) -> TrueCells:
    """Draw a slide and measure it in its true cells."""
    block = synthetic_block(options, 0, 0, *options.shape_px)
    measure, um = MeasureOptions(), options.pixel_size_um
    whole = (slice(0, block.cells.shape[0]), slice(0, block.cells.shape[1]))
    widths = (measure.membrane_um / um, measure.spill_over_strip_um / um)
    runs = cell_runs(block.nuclei, block.cells, whole, (0, 0), *widths)
    planes = block.channels[1:].reshape(len(options.markers), -1)
    readings = [Reading(name, MARKERS[name].measure) for name in options.markers]
    cells = measure_cells(runs, planes, readings, um=um, strip=True)
    edges = add_edges([outline_edges(block.cells, whole)])
    cells["perimeter_um"] = perimeters_um(edges, cells["cell_id"].to_numpy(), um)
    truth = synthetic_truth(options).set_index("cell_id")
    # A cell that straddles the slide's edge may have its middle outside.
    cells = cells[cells["cell_id"].isin(truth.index)].reset_index(drop=True)
    inside = np.flatnonzero(block.cells)
    pairs = zip(options.markers, planes, strict=True)
    return TrueCells(
        cells,
        truth.loc[cells["cell_id"]].reset_index(),
        contact_table(edges, um),
        {marker: background(plane[inside]) for marker, plane in pairs},
    )


def f1(true: pd.Series, called: pd.Series) -> float:
    """F1 of calls; 1 if there is neither a positive cell nor a call."""
    hits = np.count_nonzero(np.asarray(true) & np.asarray(called))
    total = np.count_nonzero(true) + np.count_nonzero(called)
    return 2 * hits / total if total else 1.0
