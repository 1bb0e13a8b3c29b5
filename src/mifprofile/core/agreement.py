"""How far found cells are from known ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Matches:
    """One-to-one pairs of known and found positions.

    Attributes
    ----------
    known, found : (m,) int64 array
        Row numbers of the paired positions.
    n_known, n_found : int
        Positions in all.
    """

    known: NDArray[np.int64]
    found: NDArray[np.int64]
    n_known: int
    n_found: int

    @property
    def recall(self) -> float:
        """Share of the known positions that were found."""
        return self.known.size / self.n_known if self.n_known else np.nan

    @property
    def extra(self) -> float:
        """Share of the found positions that are not known."""
        return 1 - self.found.size / self.n_found if self.n_found else np.nan

    @property
    def f1(self) -> float:
        """Twice the pairs over all positions."""
        total = self.n_known + self.n_found
        return 2 * self.known.size / total if total else np.nan


def match_positions(
    known: NDArray[np.float64], found: NDArray[np.float64], within_um: float
) -> Matches:
    """Pair positions, the closest first, each used once.

    Parameters
    ----------
    known, found : (n, 2) float64 arrays
        Positions in µm.
    within_um : float
        Largest distance of a pair.
    """
    pairs = cKDTree(known).sparse_distance_matrix(
        cKDTree(found), within_um, output_type="ndarray"
    )
    pairs = pairs[np.argsort(pairs["v"], kind="stable")]
    used_known, used_found = np.zeros(len(known), bool), np.zeros(len(found), bool)
    kept = []
    for i, j, _ in pairs.tolist():
        if not used_known[i] and not used_found[j]:
            used_known[i] = used_found[j] = True
            kept.append((i, j))
    chosen = np.array(kept, np.int64).reshape(-1, 2)
    return Matches(chosen[:, 0], chosen[:, 1], len(known), len(found))


def compare_counts(
    truth: pd.Series,
    found: pd.Series,
    areas_mm2: tuple[float, float],
    names: Sequence[str],
) -> pd.DataFrame:
    """Counts and densities by phenotype beside the truth.

    Parameters
    ----------
    truth, found : pandas.Series
        Phenotype per cell.
    areas_mm2 : tuple of float
        True and measured tissue area.
    names : sequence of str
        Phenotypes to compare.

    Returns
    -------
    pandas.DataFrame
        ``phenotype, true, found, count_error_pct, true_density, density,
        density_error_pct``; errors are NaN where the truth is 0.
    """
    table = pd.DataFrame(
        {
            "phenotype": list(names),
            "true": [int((truth == n).sum()) for n in names],
            "found": [int((found == n).sum()) for n in names],
        }
    )
    table["true_density"] = table["true"] / areas_mm2[0]
    table["density"] = table["found"] / areas_mm2[1]
    for mine, theirs, error in (
        ("found", "true", "count_error_pct"),
        ("density", "true_density", "density_error_pct"),
    ):
        known = table[theirs].where(table[theirs] > 0)
        table[error] = 100 * (table[mine] / known - 1)
    return table


def compare_calls(
    truth: pd.DataFrame,
    called: pd.DataFrame,
    levels: pd.DataFrame,
) -> pd.DataFrame:
    """Calls beside the truth, and beside what the best threshold could reach.

    Parameters
    ----------
    truth, called : pandas.DataFrame
        One bool column per marker, the same cells in the same order.
    levels : pandas.DataFrame
        Their levels, in the same columns.

    Returns
    -------
    pandas.DataFrame
        ``marker, true_pct, called_pct, kappa, best_kappa``: Cohen's kappa of the calls
        and of the best single threshold. NaN where all cells are alike in truth.
    """
    rows = [
        {
            "marker": marker,
            "true_pct": 100 * truth[marker].mean(),
            "called_pct": 100 * called[marker].mean(),
            "kappa": _kappa_of(truth[marker], called[marker]),
            "best_kappa": _best_kappa(truth[marker], levels[marker]),
        }
        for marker in truth
    ]
    return pd.DataFrame(rows)


def _kappa_of(truth: pd.Series, called: pd.Series) -> float:
    positive, calls = truth.to_numpy(bool), called.to_numpy(bool)
    hits = np.array([np.count_nonzero(positive & calls)])
    above = np.array([np.count_nonzero(calls)])
    return float(_kappa(hits, above, np.count_nonzero(positive), positive.size)[0])


def _best_kappa(truth: pd.Series, levels: pd.Series) -> float:
    level, positive = levels.to_numpy(float), truth.to_numpy(bool)
    order = np.argsort(-level, kind="stable")
    # A threshold does not part cells of one level.
    ends = np.flatnonzero(np.append(np.diff(level[order]) != 0, True))
    hits = np.cumsum(positive[order])[ends]
    return float(_kappa(hits, ends + 1, int(positive.sum()), positive.size).max())


def _kappa(
    hits: NDArray[np.int64], called: NDArray[np.int64], positive: int, cells: int
) -> NDArray[np.float64]:
    """Cohen's kappa from true and called positive cells; NaN if all are alike."""
    if positive in (0, cells):
        return np.full(hits.shape, np.nan)
    agreeing = (cells - positive - called + 2 * hits) / cells
    chance = (called * positive + (cells - called) * (cells - positive)) / cells**2
    return np.asarray((agreeing - chance) / (1 - chance))
