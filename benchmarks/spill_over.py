"""Positivity on synthetic slides with spill-over, before and after compensation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.true_cells import f1, true_cells
from mifprofile.core.measure import compensate_spill_over
from mifprofile.core.phenotype.gates import fit_gate
from mifprofile.options import PhenotypeOptions
from mifprofile.synthetic import SynthOptions

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from benchmarks.true_cells import TrueCells

MARKERS = ("CD8", "PD-L1", "HER2")
SHARES = (0.0, 0.05, 0.2, 0.3, 0.4)
GAMMAS = (0.0, 1.0, 2.0)
SEEDS = (0, 1, 2)
EDGE_MM = 0.6


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
        slide = true_cells(options)
        tables = _tables(slide)
        for marker in MARKERS:
            true = slide.truth[f"{marker}_positive"]
            found[marker].append([_f1(table, marker, true) for table in tables])
    return {marker: np.array(values) for marker, values in found.items()}


def _tables(slide: TrueCells) -> list[pd.DataFrame]:
    levels = {marker: ground.level for marker, ground in slide.grounds.items()}
    compensated = (
        compensate_spill_over(slide.cells, slide.contacts, levels, gamma)
        for gamma in GAMMAS
    )
    return [slide.cells, *compensated]


def _f1(table: pd.DataFrame, marker: str, true: pd.Series) -> float:
    levels = table[f"{marker}_membrane_mean"]
    gate = fit_gate(levels.to_numpy(float), PhenotypeOptions())
    return f1(true, levels > gate.threshold)


def _cell(scores: NDArray[np.float64]) -> list[str]:
    return [f"{column.mean():.3f} ({column.min():.3f})" for column in scores.T]


if __name__ == "__main__":
    print(figures())
