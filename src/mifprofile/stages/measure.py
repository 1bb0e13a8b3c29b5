"""Slide and labels → ``measurements.parquet`` and ``contacts.parquet``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.core.facts import MeasureFacts
from mifprofile.core.maps import places_on
from mifprofile.core.measure import (
    CellRuns,
    Reading,
    add_edges,
    backgrounds,
    cell_runs,
    compensate_spill_over,
    contact_table,
    label_areas,
    measure_cells,
    outline_edges,
    perimeters_um,
    whole_cells,
)
from mifprofile.core.segment import Block, plan_blocks
from mifprofile.errors import UsageError
from mifprofile.io.readers import open_slide
from mifprofile.io.store import open_label_store
from mifprofile.io.tables import write_table
from mifprofile.model import nearest
from mifprofile.stages.correct import fit_correction, read_corrected
from mifprofile.stages.quality import read_tissue

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    import zarr
    from numpy.typing import NDArray

    from mifprofile.core.correct import Correction
    from mifprofile.core.measure import Background
    from mifprofile.model import Panel, Slide
    from mifprofile.options import MeasureOptions
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
    correction: Correction | None


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
    nuclei, cells = (labels[name].levels[0] for name in ("nuclei", "cells"))
    channels = column_channels(slide, job.panel)
    check_thresholds(channels, job.panel, options)
    correction, corrected = fit_correction(job, slide, list(channels.values()))
    scene = _Scene(slide, channels, nuclei, cells, correction)
    survey = _survey(job, scene)
    grounds = _backgrounds(job, scene, survey)
    readings = _readings(job.panel, options, grounds)
    table = _measure_all(job, scene, survey.areas, readings)
    outline = perimeters_um(survey.edges, table["cell_id"].to_numpy(), slide.um)
    table.insert(table.columns.get_loc("eccentricity"), "perimeter_um", outline)
    contacts = contact_table(survey.edges, slide.um)
    if options.spill_over:
        _tell_uncompensated(job)
        levels = {r.name: grounds[r.name].level for r in _on_membrane(readings)}
        table = compensate_spill_over(table, contacts, levels, options.spill_over_gamma)
    write_table(table, job.results.measurements)
    write_table(contacts, job.results.contacts)
    thresholds = _facts({r.name: r.threshold for r in readings})
    return {
        "cells": len(table),
        "columns": len(table.columns),
        "contacts": len(contacts),
        "backgrounds": _facts({name: g.level for name, g in grounds.items()}),
    } | MeasureFacts(thresholds, **corrected).noted()


def column_channels(slide: Slide, panel: Panel) -> dict[str, int]:
    """Channel by the name used in columns: markers, then the other channels."""
    named = {m: slide.channel_index(v.channel) for m, v in panel.markers.items()}
    others = {
        n: i for i, n in enumerate(slide.channel_names) if i not in named.values()
    }
    return named | others


def check_thresholds(
    channels: Collection[str], panel: Panel, options: MeasureOptions
) -> None:
    """Raise UsageError for a threshold of what is not measured."""
    for name in options.pixel_thresholds:
        if name not in channels:
            raise UsageError(
                f"measure.pixel_thresholds: no marker {name!r} in panel {panel.name}"
                f"{nearest(name, channels)}"
            )


def _survey(job: Job, scene: _Scene) -> _Survey:
    """Go over the labels once, before any image is read."""
    squares = plan_blocks(scene.slide.shape_px, SAMPLE_PX, 1)
    edges, counts = [], []
    for square in job.track(squares, "outlines", len(squares)):
        labels = np.asarray(scene.cells[square.outer_slices])
        counts.append(label_areas(labels[square.inner_slices]))
        if labels.any():
            edges.append(outline_edges(labels, square.inner_slices))
    highest = max((int(ids.max(initial=0)) for ids, _ in counts), default=0)
    areas = np.zeros(highest + 1, np.int64)
    for ids, pixels in counts:
        areas[ids] += pixels
    filled = np.array([pixels.sum() for _, pixels in counts])
    return _Survey(areas, add_edges(edges), filled)


def _backgrounds(job: Job, scene: _Scene, survey: _Survey) -> dict[str, Background]:
    """Each channel's unstained level, from squares spread evenly over the cells."""
    ends = np.cumsum(survey.filled)
    places = (np.arange(SAMPLE_BLOCKS) + 0.5) / SAMPLE_BLOCKS * ends[-1]
    picks = np.unique(np.searchsorted(ends, places)) if ends[-1] else []
    tissue = _tissue_lookup(job, scene.slide)
    none = np.zeros((len(scene.channels), 0), scene.slide.levels[0].dtype)
    inside, between = [none], [none]
    squares = plan_blocks(scene.slide.shape_px, SAMPLE_PX, 0)
    for square in (squares[k] for k in picks):
        cells = np.asarray(scene.cells[square.outer_slices]) > 0
        planes = _planes(scene, square).reshape(len(scene.channels), -1)
        inside.append(_sample(planes, cells))
        between.append(_sample(planes, ~cells & tissue(square)))
    nuclear = list(scene.channels.values()).index(
        scene.slide.channel_index(job.panel.nucleus)
    )
    found = backgrounds(
        np.concatenate(inside, 1), np.concatenate(between, 1), nuclear=nuclear
    )
    return dict(zip(scene.channels, found, strict=True))


def _sample(planes: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    """Some pixels of a mask, taken evenly, in every plane.

    By their place, so that a pixel more or less in the mask changes no other.
    """
    places = np.flatnonzero(mask)
    step = max(-(-places.size // SAMPLE_PIXELS), 1)
    return planes[:, places[places % step == 0]]


def _tissue_lookup(job: Job, slide: Slide) -> Callable[[Block], NDArray[np.bool_]]:
    """Tell tissue from glass over a block."""
    tissue, um = read_tissue(job.results)
    rows, cols = places_on(tissue.shape, um, slide.shape_px, slide.um)

    def over(block: Block) -> NDArray[np.bool_]:
        high, wide = block.outer_slices
        return tissue[np.ix_(rows[high], cols[wide])]

    return over


def _readings(
    panel: Panel, options: MeasureOptions, grounds: dict[str, Background]
) -> list[Reading]:
    given = options.pixel_thresholds
    return [
        Reading(
            name,
            panel.markers[name].measure if name in panel.markers else None,
            given.get(name, ground.threshold(options.pixel_noises)),
            ground.floor,
        )
        for name, ground in grounds.items()
    ]


def _measure_all(
    job: Job, scene: _Scene, areas: NDArray[np.int64], readings: list[Reading]
) -> pd.DataFrame:
    options = job.options.measure
    none = (CellRuns.none(), np.zeros((len(readings), 0)))
    percentiles = {*options.percentiles, *job.panel.percentiles}
    parts = [
        measure_cells(
            runs,
            planes,
            readings,
            um=scene.slide.um,
            percentiles=sorted(percentiles),
            sectors=options.sectors,
            strip=options.spill_over,
        )
        for runs, planes in chain([none], whole_cells(_cut(job, scene), areas))
    ]
    return pd.concat(parts).sort_values("cell_id", ignore_index=True)


def _cut(job: Job, scene: _Scene) -> Iterator[tuple[CellRuns, NDArray[Any]]]:
    """Cells and planes of each block that has cells."""
    options, um = job.options.measure, scene.slide.um
    membrane_px = options.membrane_um / um
    strip_px = options.spill_over_strip_um / um if options.spill_over else None
    halo_px = int(np.ceil(max(membrane_px, strip_px or 0.0))) + 1
    blocks = plan_blocks(scene.slide.shape_px, BLOCK_PX, halo_px)
    for block in job.track(blocks, "cells", len(blocks)):
        cells = np.asarray(scene.cells[block.outer_slices])
        if cells[block.inner_slices].any():
            nuclei = np.asarray(scene.nuclei[block.outer_slices])
            corner = (block.outer[0], block.outer[2])
            runs = cell_runs(
                nuclei, cells, block.inner_slices, corner, membrane_px, strip_px
            )
            yield runs, _planes(scene, block)


def _planes(scene: _Scene, block: Block) -> NDArray[Any]:
    """The channels over a block with its halo, corrected, (c, h, w)."""
    channels = list(scene.channels.values())
    return read_corrected(scene.slide, channels, block.outer_slices, scene.correction)


def _tell_uncompensated(job: Job) -> None:
    for name, marker in job.panel.markers.items():
        if marker.measure == "membrane" and marker.statistic != "mean":
            job.say(
                f"  warn: {name} is read as membrane {marker.statistic}, which "
                "measure.spill_over does not change: it compensates means"
            )


def _on_membrane(readings: list[Reading]) -> list[Reading]:
    return [r for r in readings if r.compartment == "membrane"]


def _facts(values: dict[str, float]) -> dict[str, float | None]:
    """Six digits, which also serves images of small numbers; None for no number."""
    return {n: float(f"{v:.6g}") if np.isfinite(v) else None for n, v in values.items()}
