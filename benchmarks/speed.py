"""Ratios of run times against named peers, and how far the results agree."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from cellpose import dynamics, metrics
from skimage.measure import regionprops_table
from skimage.segmentation import expand_labels

from benchmarks.fields import lung_image, network_output, noisy_output, tissue_image
from mifprofile.core.measure import Reading, cell_runs, measure_cells
from mifprofile.core.segment import ObjectRules, segment_nuclei
from mifprofile.synthetic import nuclei_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

EDGE_PX = 2048
CHANNELS = 8
RUNS = 3
# A crowd of about 4 000 nuclei, a usual field of tissue.
CROWDING = 0.45


def figures(data: Path | None = None) -> str:
    """Markdown table of the ratios; real network flows need the data folder."""
    rng = np.random.default_rng(0)
    _, labels = nuclei_field(rng, (EDGE_PX, EDGE_PX), crowding=CROWDING)
    rows = [_masks("noisy flows to masks", noisy_output(rng, labels))]
    if data is not None and (data / "nuclei_tissue").is_dir():
        rows += [
            _masks(f"network flows to masks, {name}", network_output(picture))
            for name, picture in (
                ("tissue", tissue_image(data, EDGE_PX)),
                ("lung", lung_image(data, EDGE_PX)),
            )
        ]
    rows += _measuring(rng, labels)
    return "\n".join(
        [
            f"## Speed, {EDGE_PX}² px, median of {RUNS} runs",
            "",
            "Ours on one thread, the peers on as many as they take.",
            "",
            "| task | peer | ours, s | peer, s | ratio | agreement |",
            "|---|---|---|---|---|---|",
            *rows,
        ]
    )


def cellpose_masks(output: NDArray[np.float32]) -> NDArray[np.int32]:
    """Masks that Cellpose makes of flows and logit."""
    masks = dynamics.resize_and_compute_masks(
        5 * output[:2], output[2], flow_threshold=0.4, device=torch.device("cpu")
    )
    return np.asarray(masks, np.int32)


def our_masks(output: NDArray[np.float32]) -> NDArray[np.int32]:
    """Masks that we make of flows and logit, by the same limits."""
    limits = {"min_contrast": 0.0, "min_area_um2": 4.0, "max_area_um2": 700.0}
    rules = ObjectRules.at(0.5, cell_probability=0, flow_error=0.4, **limits)
    return segment_nuclei(output[:2], output[2], rules)[0]


def agreement(
    theirs: NDArray[np.int32], ours: NDArray[np.int32]
) -> tuple[float, float]:
    """Average precision at IoU 0.5 and 0.75."""
    at = metrics.average_precision(theirs, ours, threshold=[0.5, 0.75])[0]
    return float(at[0]), float(at[1])


def _masks(task: str, output: NDArray[np.float32]) -> str:
    """Flows to masks, against Cellpose."""
    ours, mine = _timed(lambda: our_masks(output))
    theirs, peer = _timed(lambda: cellpose_masks(output))
    half, most = agreement(theirs, ours)
    text = f"{theirs.max()} objects, AP {half:.3f} at IoU 0.5, {most:.3f} at 0.75"
    return _line(task, "Cellpose 3 compute_masks", mine, peer, text)


def _measuring(rng: np.random.Generator, labels: NDArray[np.int32]) -> Iterator[str]:
    """Every channel in every cell, against skimage: means alone, then all figures.

    skimage is asked for whole cells only, ours are in four compartments.
    """
    nuclei = labels.astype(np.uint32)
    cells = expand_labels(nuclei, 2)
    image = rng.integers(0, 60_000, (CHANNELS, *labels.shape)).astype(np.uint16)
    last = np.moveaxis(image, 0, -1)
    shapes = ("label", "area", "centroid", "eccentricity")
    few = [Reading(str(c)) for c in range(CHANNELS)]
    many = [Reading(str(c), "cell", 30_000) for c in range(CHANNELS)]
    for task, readings, wanted, extra in (
        ("means", few, (*shapes, "intensity_mean"), ()),
        (
            "also sd, p50, p95",
            many,
            (*shapes, "intensity_mean", "intensity_std"),
            (_tails,),
        ),
    ):
        ours, mine = _timed(partial(_our_table, image, nuclei, cells, readings))
        theirs, peer = _timed(
            partial(
                regionprops_table,
                *(cells, last),
                properties=wanted,
                extra_properties=extra,
            )
        )
        difference = np.abs(ours["0_cell_mean"] / theirs["intensity_mean-0"] - 1).max()
        text = f"largest relative difference of means {difference:.1e}; "
        text += f"{len(ours)} cells, ours in 4 compartments, the peer's whole"
        yield _line(f"8 channels: {task}", "regionprops_table", mine, peer, text)


def _our_table(
    image: NDArray[np.uint16],
    nuclei: NDArray[np.uint32],
    cells: NDArray[np.uint32],
    readings: list[Reading],
) -> pd.DataFrame:
    whole = (slice(0, cells.shape[0]), slice(0, cells.shape[1]))
    runs = cell_runs(nuclei, cells, whole, (0, 0), 2.0)
    flat = image.reshape(len(image), -1)
    return measure_cells(runs, flat, readings, um=1.0, percentiles=(50, 95))


def _tails(mask: NDArray[np.bool_], values: NDArray[Any]) -> NDArray[np.float64]:
    return np.percentile(values[mask], (50, 95), axis=0).ravel()


def _timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Result and median seconds, after one run that is not counted."""
    function()
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - started)
    return result, float(np.median(seconds))


def _line(task: str, peer: str, mine: float, theirs: float, text: str) -> str:
    ratio = f"{mine:.2f} | {theirs:.2f} | {theirs / mine:.1f}"
    return f"| {task} | {peer} | {ratio} | {text} |"
