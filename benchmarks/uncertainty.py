"""How often intervals hold the truth when cells cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from mifprofile.core.landscape.uncertainty import (
    Blocks,
    Tallies,
    block_edge_um,
    block_intervals,
    bootstrap_sums,
    cut_blocks,
)
from mifprofile.synthetic import thomas_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RUNS = 500
PER_MM2 = (50.0, 250.0, 1000.0)
UM = 20.0
# Name, edge of the window in µm, largest block in µm; None: as the landscape chooses.
WINDOWS = (
    ("square 3 mm, 9 blocks", 3000.0, 1000.0),
    ("square 3 mm", 3000.0, None),
    ("disc 5 mm", 5000.0, None),
    ("square 6 mm", 6000.0, None),
    ("core 0.8 × 11 mm", 9000.0, None),
)
METHODS = ("log-t, neighbours", "log-t", "tile percentile", "Poisson")

INTRODUCTION = (
    "Thomas process, 25 cells per cluster, σ 60 µm, {runs} runs a line: how often a "
    "nominal 95 % interval of the density holds the true one. The first is the "
    "landscape's. The Monte Carlo error of a figure is 0.01."
)


def figures(runs: int = RUNS) -> str:
    """Coverage of nominal 95 % intervals of a density, as a table."""
    lines = [
        "## Intervals of clustered cells",
        "",
        INTRODUCTION.format(runs=runs),
        "",
        f"| tissue | cells/mm² | blocks | {' | '.join(METHODS)} |",
        "|---|---|---|" + "---|" * len(METHODS),
    ]
    for nth, (name, size_um, edge_um) in enumerate(WINDOWS):
        mask = _window(name, size_um)
        blocks = _blocks(mask, edge_um)
        for per_mm2 in PER_MM2:
            rng = np.random.default_rng([nth, int(per_mm2)])
            counts = np.stack(
                [_counts(rng, per_mm2, size_um, blocks, mask) for _ in range(runs)], 1
            )
            shares = _coverage(counts, blocks, mask, per_mm2)
            cells = " | ".join(f"{share:.3f}" for share in shares)
            lines.append(f"| {name} | {per_mm2:g} | {blocks.count} | {cells} |")
    return "\n".join(lines)


def _window(name: str, size_um: float) -> NDArray[np.bool_]:
    n = round(size_um / UM)
    rows, cols = np.mgrid[:n, :n] + 0.5
    if name.startswith("disc"):
        return (rows - n / 2) ** 2 + (cols - n / 2) ** 2 < (n / 2) ** 2
    if name.startswith("core"):
        inside = (rows + cols > 0.06 * n * 2) & (rows + cols < 0.94 * n * 2)
        return inside & (np.abs(rows - cols) * UM < 400 * np.sqrt(2))
    return np.ones((n, n), bool)


def _blocks(mask: NDArray[np.bool_], edge_um: float | None) -> Blocks:
    area_mm2 = mask.sum() * UM**2 / 1e6
    chosen = block_edge_um(area_mm2, largest_um=1000.0, smallest_um=500.0)
    return cut_blocks(mask, UM, edge_um or chosen)


def _counts(
    rng: np.random.Generator,
    per_mm2: float,
    size_um: float,
    blocks: Blocks,
    mask: NDArray[np.bool_],
) -> Floats:
    x, y = thomas_process(rng, per_mm2, size_um).T
    inside = mask[(y / UM).astype(int), (x / UM).astype(int)]
    of = blocks.of(x[inside], y[inside])
    return np.bincount(of, minlength=blocks.count).astype(float)


def _coverage(
    counts: Floats, blocks: Blocks, mask: NDArray[np.bool_], truth: float
) -> list[float]:
    areas = blocks.areas_mm2(mask, UM)
    intervals = (
        _log_t(counts, areas, blocks.weights),
        _log_t(counts, areas, np.eye(len(areas))),
        _percentile(counts, areas),
        _poisson(counts, areas),
    )
    return [float(np.mean([a <= truth <= b for a, b in each])) for each in intervals]


def _log_t(
    counts: Floats, areas: Floats, weights: Floats
) -> Iterator[tuple[float, float]]:
    runs = counts.shape[1]
    tallies = Tallies(
        counts,
        np.repeat(areas[:, None], runs, axis=1),
        ["rate"] * runs,
        np.full(runs, np.inf),
    )
    for found in block_intervals(tallies, weights, min_blocks=6, block_um=1000.0):
        yield found.low, found.high


def _percentile(counts: Floats, areas: Floats) -> Iterator[tuple[float, float]]:
    for nth, column in enumerate(counts.T):
        drawn = bootstrap_sums(np.stack([column, areas], axis=1), 999, seed=nth)
        low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
        yield float(low), float(high)


def _poisson(counts: Floats, areas: Floats) -> Iterator[tuple[float, float]]:
    for total in counts.sum(axis=0):
        low = stats.chi2.ppf(0.025, 2 * total) / 2
        high = stats.chi2.ppf(0.975, 2 * total + 2) / 2
        yield low / areas.sum(), high / areas.sum()


if __name__ == "__main__":
    print(figures())
