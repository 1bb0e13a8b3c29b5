"""Slide and labels → ``measurements.parquet`` and ``contacts.parquet``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.core.measure import (
    compensate_spill_over,
    contact_table,
    perimeters_um,
)
from mifprofile.io.readers import open_slide
from mifprofile.io.store import open_label_store
from mifprofile.io.tables import write_table

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

    from mifprofile.model import Panel, Slide
    from mifprofile.stages.job import Job

BLOCK_PX = 2048
# The background is looked for in at most so many squares, and pixels of each.
SAMPLE_PX = 1024
SAMPLE_BLOCKS = 32
SAMPLE_PIXELS = 1 << 15


@dataclass(frozen=True)
class _Scene:
    """What is measured: the channels by the name of their columns, and the labels."""

    slide: Slide
    channels: dict[str, int]
    nuclei: zarr.Array[Any]
    cells: zarr.Array[Any]


@dataclass(frozen=True)
class _Survey:
    """What the labels alone tell: areas by id, outlines, and cell pixels by square."""

    areas: NDArray[np.int64]
    edges: pd.DataFrame
    filled: NDArray[np.int64]


def measure(job: Job) -> dict[str, Any]:
    """Read every channel in every compartment of every cell."""
    job.results.require("segment")
    options = job.options.measure
    slide = open_slide(job.results.slide)
    labels = open_label_store(job.results.labels)
    stores = (labels[name].levels[0] for name in ("nuclei", "cells"))
    scene = _Scene(slide, column_channels(slide, job.panel), *stores)
    survey = _survey(job, scene)
    grounds = _backgrounds(scene, survey)
    readings = _readings(job.panel, options, grounds)
    table = _measure_all(job, scene, survey.areas, readings)
    outline = perimeters_um(survey.edges, table["cell_id"].to_numpy(), slide.um)
    table.insert(table.columns.get_loc("eccentricity"), "perimeter_um", outline)
    contacts = contact_table(survey.edges, slide.um)
    if options.spill_over:
        levels = {r.name: grounds[r.name].level for r in _on_membrane(readings)}
        table = compensate_spill_over(table, contacts, levels, options.spill_over_gamma)
    write_table(table, job.results.measurements)
    write_table(contacts, job.results.contacts)
    return {
        "cells": len(table),
        "columns": len(table.columns),
        "contacts": len(contacts),
        "pixel_thresholds": _facts({r.name: r.threshold for r in readings}),
        "backgrounds": _facts({name: g.level for name, g in grounds.items()}),
    }


def column_channels(slide: Slide, panel: Panel) -> dict[str, int]:
    """Channel by the name used in columns: markers, then the other channels."""
    named = {m: slide.channel_index(v.channel) for m, v in panel.markers.items()}
    others = {
        n: i for i, n in enumerate(slide.channel_names) if i not in named.values()
    }
    return named | others
