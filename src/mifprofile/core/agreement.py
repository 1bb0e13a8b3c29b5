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
