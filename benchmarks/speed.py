"""Ratios of run times against named peers, and how far the results agree."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from cellpose import dynamics, metrics
from scipy.ndimage import gaussian_filter
from skimage.measure import regionprops_table
from skimage.segmentation import expand_labels

from mifprofile.core.measure import add_blocks, cell_table, sum_block
from mifprofile.core.segment import NucleusRules, segment_nuclei
from mifprofile.testing import nuclei_field

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

EDGE_PX = 2048
CHANNELS = 8
RUNS = 3
# A crowd of about 4 000 nuclei, a usual field of tissue.
CROWDING = 0.45


def figures() -> str:
    """Markdown table of the ratios."""
    rng = np.random.default_rng(0)
    _, labels = nuclei_field(rng, (EDGE_PX, EDGE_PX), crowding=CROWDING)
    rows = [_masks(rng, labels), _measuring(rng, labels)]
    return "\n".join(
        [
            f"## Speed, {EDGE_PX}² px, {labels.max()} nuclei, median of {RUNS} runs",
            "",
            "| task | peer | ours, s | peer, s | ratio | agreement |",
            "|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _masks(rng: np.random.Generator, labels: NDArray[np.int32]) -> str:
    """Noisy flows to masks, against Cellpose."""
    device = torch.device("cpu")
    noise = [gaussian_filter(rng.normal(size=labels.shape), 1) for _ in range(2)]
    flows = dynamics.masks_to_flows(labels, device=device) + 0.7 * np.stack(noise)
    flows = flows.astype(np.float32)
    logit = np.where(labels > 0, 5, -5).astype(np.float32)
    limits = {"min_contrast": 0.0, "min_nucleus_um2": 4.0, "max_nucleus_um2": 700.0}
    rules = NucleusRules.at(0.5, cell_probability=0, flow_error=0.4, **limits)
    ours, mine = _timed(lambda: segment_nuclei(flows, logit, rules)[0])
    theirs, peer = _timed(
        lambda: dynamics.resize_and_compute_masks(
            5 * flows, logit, flow_threshold=0.4, device=device
        )
    )
    agreement = metrics.average_precision(
        theirs.astype(np.int32), ours, threshold=[0.5, 0.75]
    )[0]
    text = f"AP {agreement[0]:.3f} at IoU 0.5, {agreement[1]:.3f} at 0.75"
    return _line("flows to masks", "Cellpose 3 compute_masks", mine, peer, text)


def _measuring(rng: np.random.Generator, labels: NDArray[np.int32]) -> str:
    """Means of every channel, against skimage."""
    nuclei = labels.astype(np.uint32)
    cells = expand_labels(nuclei, 2)
    image = rng.integers(0, 60_000, (CHANNELS, *labels.shape)).astype(np.uint16)
    names = [str(c) for c in range(CHANNELS)]
    whole = (slice(0, EDGE_PX), slice(0, EDGE_PX))

    def measure() -> Any:
        part = sum_block(image, nuclei, cells, whole, (0, 0), 2.0)
        return cell_table(add_blocks([part], CHANNELS), names, 1.0)

    last = np.moveaxis(image, 0, -1)
    wanted = ("label", "area", "intensity_mean", "eccentricity")
    ours, mine = _timed(measure)
    theirs, peer = _timed(lambda: regionprops_table(cells, last, properties=wanted))
    difference = np.abs(ours["0_cell_mean"] / theirs["intensity_mean-0"] - 1).max()
    text = f"largest relative difference {difference:.1e}; ours in 4 compartments"
    return _line("8 channels measured", "regionprops_table", mine, peer, text)


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
