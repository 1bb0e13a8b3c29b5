"""How many pairs and fields a change takes, by simulation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from mifprofile.core.statistics.model import CountModel
from mifprofile.core.statistics.paired import PSEUDO_CELLS, signed_rank_null
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RUNS = 1000
ALPHA = 0.05
MOST_PAIRS = 200


@dataclass(frozen=True)
class Power:
    """Chance to find a change that is there.

    Attributes
    ----------
    power : float
        Share of simulated trials whose signed-rank test finds it.
    low, high : float
        95 % interval of that share, by the number of simulated trials.
    n_pairs, n_fields : int
        Patients with both biopsies, and fields of each biopsy.
    fold_change : float
    reason : str
        Why no number of pairs will do, else ``""``.
    """

    power: float
    low: float
    high: float
    n_pairs: int
    n_fields: int
    fold_change: float
    reason: str = ""


def paired_power(
    n_pairs: int,
    n_fields: int,
    fold_change: float,
    *,
    model: CountModel | None = None,
    alpha: float = ALPHA,
    runs: int = RUNS,
    seed: int = 0,
) -> Power:
    """Chance that the signed-rank test finds a fold change.

    Parameters
    ----------
    n_pairs, n_fields : int
        Patients with both biopsies, and fields of each biopsy.
    fold_change : float
        Median fold change of density; 1 asks for the false positives.
    model : CountModel, optional
        What is assumed of the counts.
    alpha : float
        Two-sided level of the test.
    runs : int
        Simulated trials.
    seed : int

    Raises
    ------
    UsageError
        If a number is not positive.
    """
    if min(n_pairs, n_fields, runs) < 1 or fold_change <= 0:
        raise UsageError("power: pairs, fields, runs and fold change must be above 0")
    rng = np.random.default_rng(seed)
    counts = (model or CountModel()).draw_pairs(
        rng, runs, n_pairs, n_fields, fold_change
    )
    found = int((_p_values(counts.sum(axis=-1)) <= alpha).sum())
    limits = stats.binomtest(found, runs).proportion_ci(method="wilson")
    return Power(
        found / runs,
        float(limits.low),
        float(limits.high),
        n_pairs,
        n_fields,
        fold_change,
    )


def power_table(
    pairs: Sequence[int],
    fields: Sequence[int],
    fold_changes: Sequence[float],
    *,
    model: CountModel | None = None,
    alpha: float = ALPHA,
    runs: int = RUNS,
    seed: int = 0,
) -> pd.DataFrame:
    """`paired_power` of all combinations, a row each."""
    return pd.DataFrame(
        [
            paired_power(
                n, k, fold, model=model, alpha=alpha, runs=runs, seed=seed
            ).__dict__
            for fold in fold_changes
            for k in fields
            for n in pairs
        ]
    )


def pairs_needed(
    n_fields: int,
    fold_change: float,
    *,
    power: float = 0.8,
    model: CountModel | None = None,
    alpha: float = ALPHA,
    runs: int = RUNS,
    seed: int = 0,
) -> Power:
    """Least number of pairs that finds a fold change often enough.

    Parameters
    ----------
    n_fields : int
        Fields of each biopsy.
    fold_change : float
    power : float
        How often it must be found.
    model, alpha, runs, seed
        As for `paired_power`.

    Returns
    -------
    Power
        Of that number, or of 200 with a reason if those are too few.
    """

    def at(n_pairs: int) -> Power:
        return paired_power(
            n_pairs,
            n_fields,
            fold_change,
            model=model,
            alpha=alpha,
            runs=runs,
            seed=seed,
        )

    few, enough = 1, at(MOST_PAIRS)
    if enough.power < power:
        short = f"even {MOST_PAIRS} pairs find it in {100 * enough.power:.0f} % only"
        return replace(enough, reason=short)
    while enough.n_pairs - few > 1:
        middle = at((few + enough.n_pairs) // 2)
        if middle.power >= power:
            enough = middle
        else:
            few = middle.n_pairs
    return enough


def variance_parts(
    fields: Sequence[int], *, model: CountModel | None = None, fold_change: float = 1.0
) -> pd.DataFrame:
    """Where the variance of a patient's log₂ change comes from, by number of fields.

    Parameters
    ----------
    fields : sequence of int
        Fields of either biopsy.
    model : CountModel, optional
    fold_change : float

    Returns
    -------
    pandas.DataFrame
        ``n_fields, own_changes, biopsies, aggregation, counting, total``. More fields
        lower aggregation and counting; only patients help against the other two.
    """
    assumed = model or CountModel()
    rows = [assumed.variance_of_change(n, fold_change) for n in fields]
    names = ["own_changes", "biopsies", "aggregation", "counting"]
    table = pd.DataFrame(rows, columns=names)
    table.insert(0, "n_fields", list(fields))
    return table.assign(total=table[names].sum(axis=1))


def _p_values(pooled: NDArray[np.int64]) -> Floats:
    """Two-sided signed-rank p-values of trials, (run, patient, time); mean ranks."""
    changes = np.diff(np.log2(pooled + PSEUDO_CELLS), axis=-1)[..., 0]
    n_pairs = changes.shape[1]
    ranks = stats.rankdata(np.abs(changes), axis=1)
    sums = (ranks * (changes > 0)).sum(axis=1) + (ranks * (changes == 0)).sum(
        axis=1
    ) / 2
    lesser = np.minimum(sums, n_pairs * (n_pairs + 1) / 2 - sums)
    cumulated = np.cumsum(signed_rank_null(n_pairs))
    return np.minimum(2 * cumulated[np.floor(lesser).astype(int)], 1)
