"""Positivity on synthetic slides with spill-over, before and after compensation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.measure import (
    Background,
    Reading,
    add_edges,
    background,
    cell_runs,
    compensate_spill_over,
    contact_table,
    measure_cells,
    outline_edges,
    perimeters_um,
)
from mifprofile.core.gates import fit_gate
from mifprofile.options import MeasureOptions, PhenotypeOptions
from mifprofile.testing import SynthOptions, synthetic_block, synthetic_truth

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from mifprofile.testing import SyntheticBlock

MARKERS = ("CD8", "PD-L1", "HER2")
SHARES = (0.0, 0.05, 0.2, 0.3, 0.4)
GAMMAS = (0.0, 1.0, 2.0)
SEEDS = (0, 1, 2)
EDGE_MM = 0.6


@dataclass(frozen=True)
class _Measured:
    cells: pd.DataFrame
    contacts: pd.DataFrame
    grounds: dict[str, Background]


def figures() -> str:
    """Markdown table of F1 by share of spilt light and strength of compensation."""
    heads = [f"γ = {gamma:g}" for gamma in GAMMAS]
    rows = [
        f"| {share:g} | {marker} | {' | '.join(_cell(scores[marker]))} |"
        for share in SHARES
        for scores in [_scores(share)]
        for marker in MARKERS
    ]
    return "\n".join(
        [
            f"## Spill-over, {len(SEEDS)} synthetic slides of {EDGE_MM}² mm each",
            "",
            "F1 of positivity on the true masks with fitted gates: mean (lowest).",
            "",
            f"| share of light spilt | marker | measured | {' | '.join(heads)} |",
            "|---" * (3 + len(GAMMAS)) + "|",
            *rows,
        ]
    )


def _scores(share: float) -> dict[str, NDArray[np.float64]]:
    """F1 by marker, (seeds, 1 + gammas): as measured, then compensated."""
    found: dict[str, list[list[float]]] = {marker: [] for marker in MARKERS}
    for seed in SEEDS:
        options = SynthOptions(
            size_mm=(EDGE_MM, EDGE_MM), seed=seed, spill_over=share, markers=MARKERS
        )
        block = synthetic_block(options, 0, 0, *options.shape_px)
        truth = synthetic_truth(options).set_index("cell_id")
        tables = _tables(_measured(block, options.pixel_size_um))
        for marker in MARKERS:
            true = truth[f"{marker}_positive"]
            found[marker].append([_f1(table, marker, true) for table in tables])
    return {marker: np.array(values) for marker, values in found.items()}


def _measured(block: SyntheticBlock, um: float) -> _Measured:
    options = MeasureOptions()
    whole = (slice(0, block.cells.shape[0]), slice(0, block.cells.shape[1]))
    widths = (options.membrane_um / um, options.spill_over_strip_um / um)
    runs = cell_runs(block.nuclei, block.cells, whole, (0, 0), *widths)
    planes = block.channels[1:].reshape(len(MARKERS), -1)
    inside = np.flatnonzero(block.cells)
    pairs = zip(MARKERS, planes, strict=True)
    grounds = {marker: background(plane[inside]) for marker, plane in pairs}
    readings = [Reading(marker, "membrane") for marker in MARKERS]
    cells = measure_cells(runs, planes, readings, um=um, strip=True)
    edges = add_edges([outline_edges(block.cells, whole)])
    cells["perimeter_um"] = perimeters_um(edges, cells["cell_id"].to_numpy(), um)
    return _Measured(cells, contact_table(edges, um), grounds)


def _tables(measured: _Measured) -> list[pd.DataFrame]:
    levels = {marker: ground.level for marker, ground in measured.grounds.items()}
    compensated = (
        compensate_spill_over(measured.cells, measured.contacts, levels, gamma)
        for gamma in GAMMAS
    )
    return [measured.cells, *compensated]


def _f1(table: pd.DataFrame, marker: str, truth: pd.Series) -> float:
    levels = table[f"{marker}_membrane_mean"].to_numpy(float)
    called = levels > fit_gate(levels, PhenotypeOptions()).threshold
    true = truth[table["cell_id"]].to_numpy(bool)
    return float(2 * (called & true).sum() / (called.sum() + true.sum()))


def _cell(scores: NDArray[np.float64]) -> list[str]:
    return [f"{column.mean():.3f} ({column.min():.3f})" for column in scores.T]


if __name__ == "__main__":
    print(figures())
