"""Human and mouse side by side: what may be compared, and whether directions agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy import optimize, stats

from mifprofile.core.statistics.association import permutation_p
from mifprofile.core.statistics.result import LEVEL, Estimate
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

Comparison = Literal["as is", "direction", "no"]

MIN_PER_GROUP = 3
MIN_RANKED = 5


@dataclass(frozen=True)
class Counterpart:
    """Something measured in both species.

    Attributes
    ----------
    human, mouse : str
        What it is called in either: a molecule, or a metric of the landscape.
    comparison : str
        ``as is``: effects may be compared; ``direction``: only which way they go;
        ``no``: not at all.
    why : str
        What stands in the way, else ``""``.
    """

    human: str
    mouse: str
    comparison: Comparison
    why: str = ""


_DENSER = "mouse tumours are denser, grow fast and hold little stroma"
_CUTS = "the cut was set on human tumours"

MOLECULES = (
    Counterpart("CD8", "CD8a", "as is"),
    Counterpart("FOXP3", "FOXP3", "as is"),
    Counterpart("CD3", "CD3", "as is"),
    Counterpart("CD4", "CD4", "as is"),
    Counterpart("PanCK", "CK8", "as is"),
    Counterpart("PD-L1", "PD-L1", "as is"),
    Counterpart("PD-1", "PD-1", "as is"),
    Counterpart("Ki67", "Ki67", "as is"),
    Counterpart("GZMB", "GZMB", "as is"),
    Counterpart("CD68", "F480", "direction", "CD68 and F4/80 mark other macrophages"),
    Counterpart("CD20", "B220", "direction", "B220 is on more than B cells"),
    Counterpart(
        "HER2",
        "HER2",
        "direction",
        "the level is a transgene's and depends on doxycycline, without which the "
        "tumour regresses",
    ),
)
METRICS = (
    Counterpart("density", "density", "direction", _DENSER),
    Counterpart("itil_density", "itil_density", "direction", _DENSER),
    Counterpart("pct_of_cells", "pct_of_cells", "as is"),
    Counterpart("pct_positive", "pct_positive", "as is"),
    Counterpart("log2_ratio", "log2_ratio", "as is"),
    Counterpart("nn_median_um", "nn_median_um", "as is"),
    Counterpart("pct_with_neighbour", "pct_with_neighbour", "as is"),
    Counterpart("g_auc", "g_auc", "as is"),
    Counterpart("mixing_keren", "mixing_keren", "as is"),
    Counterpart("morisita_horn", "morisita_horn", "as is"),
    Counterpart("log2_nest_stroma", "log2_nest_stroma", "as is"),
    Counterpart(
        "immune_class", "immune_class", "as is", "relative to the own species' baseline"
    ),
    Counterpart("her2_h_score", "her2_h_score", "direction", "a transgene's level"),
    Counterpart("her2_pct_pos", "her2_pct_pos", "direction", "a transgene's level"),
    Counterpart("her2_class", "her2_class", "no", "ASCO/CAP bins are human"),
    Counterpart("her2_pct_bin", "her2_pct_bin", "no", "ASCO/CAP bins are human"),
    Counterpart("pdl1_tps", "pdl1_tps", "as is"),
    Counterpart("pdl1_cps", "pdl1_cps", "no", _CUTS),
    Counterpart("pdl1_ic", "pdl1_ic", "no", _CUTS),
    Counterpart("stil_area_pct", "stil_area_pct", "no", _CUTS),
)
_RANK = {"as is": 0, "direction": 1, "no": 2}
UNMAPPED = "no counterpart in the other species is known"


def comparable(metric: str, *molecules: str) -> tuple[Comparison, str]:
    """How a human metric of some molecules may be compared with the mouse's, and why.

    Parameters
    ----------
    metric : str
        As in the landscape.
    *molecules : str
        Human names of the molecules that it rests on.

    Returns
    -------
    comparison : str
        The strictest that metric and molecules ask for; ``no`` for what is not mapped.
    why : str
    """
    known = {("metric", c.human): c for c in METRICS}
    known |= {("molecule", c.human): c for c in MOLECULES}
    asked = [("metric", metric), *(("molecule", name) for name in molecules)]
    strange = [name for kind, name in asked if (kind, name) not in known]
    if strange:
        return "no", f"{', '.join(strange)}: {UNMAPPED}"
    found = [known[one] for one in asked]
    strictest = max(found, key=lambda c: _RANK[c.comparison]).comparison
    return strictest, "; ".join(dict.fromkeys(c.why for c in found if c.why))


def hedges_g(
    changes: ArrayLike,
    what: str,
    *,
    controls: ArrayLike | None = None,
    level: float = LEVEL,
) -> Estimate:
    """Effect in standard deviations, without the bias of small samples.

    Parameters
    ----------
    changes : (n,) array
        Of each patient against the own baseline, or of each treated mouse; NaN is left
        out, and counted.
    what : str
        The value and its unit.
    controls : (m,) array, optional
        The same of the concurrent vehicle arm: then the difference, by pooled SD.
    level : float

    Notes
    -----
    Hedges 1981 (doi 10.3102/10769986006002107); limits by the noncentral t, p-value by
    Student's t. A mouse is one value: pool its tumours before.
    """
    treated, missing = _finite(changes)
    other, more = _finite([] if controls is None else controls)
    two = controls is not None
    nothing = Estimate(
        what=f"Hedges' g of {what}",
        test="Student's t, limits by the noncentral t",
        n_patients=len(treated) + len(other),
        n_missing=missing + more,
        level=level,
        reason=_why_no_g(treated, other, two),
    )
    if nothing.reason:
        return nothing
    freedom = len(treated) + len(other) - (2 if two else 1)
    pooled = ((treated - treated.mean()) ** 2).sum()
    pooled += ((other - other.mean()) ** 2).sum() if two else 0.0
    size = 1 / len(treated) + (1 / len(other) if two else 0.0)
    mean = treated.mean() - (other.mean() if two else 0.0)
    d = mean / np.sqrt(pooled / freedom)
    t, shrunk = d / np.sqrt(size), 1 - 3 / (4 * freedom - 1)
    low, high = (shrunk * x * np.sqrt(size) for x in _noncentral(t, freedom, level))
    return Estimate(
        what=nothing.what,
        test=nothing.test,
        n_patients=nothing.n_patients,
        n_missing=nothing.n_missing,
        estimate=float(shrunk * d),
        low=float(low),
        high=float(high),
        level=level,
        p_value=float(2 * stats.t.sf(abs(t), freedom)),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Concordance(Estimate):
    """Whether effects go the same way in both species; the estimate is the share.

    Attributes
    ----------
    table : pandas.DataFrame
        ``metric, human, mouse, agree``, a row per metric with both effects.
    rho, rho_p : float
        Spearman's correlation of the effects, and its p-value by dealing out the
        mouse's labels; NaN with fewer than 5 metrics.
    """

    table: pd.DataFrame
    rho: float
    rho_p: float


def concordance(
    human: Mapping[str, float],
    mouse: Mapping[str, float],
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> Concordance:
    """Compare the directions and ranks of standardised effects.

    Parameters
    ----------
    human, mouse : mapping of str to float
        Metric, under the human name, → effect such as Hedges' g. What only one species
        has, or is NaN, is left out, and counted. Give what `comparable` allows only.
    level : float
        Coverage of Clopper and Pearson's interval of the share that agrees.
    seed : int
        Of the random labels with more than 7 metrics.

    Notes
    -----
    The p-value is the exact binomial's against ½. It takes metrics for independent,
    which metrics of the same cells are not: choose few that measure different things.
    """
    both = pd.DataFrame({"human": pd.Series(human), "mouse": pd.Series(mouse)})
    both = both.astype(float)
    known = both.dropna()
    # An effect of exactly 0 has no direction.
    used = known[(known != 0).all(axis=1)]
    same = np.sign(used["human"]) == np.sign(used["mouse"])
    agreeing, number = int(same.sum()), len(used)
    tested = stats.binomtest(agreeing, number) if number else None
    limits = tested.proportion_ci(level) if tested else (np.nan, np.nan)
    rho, rho_p = _ranked(used, seed)
    table = used.rename_axis("metric").reset_index()
    return Concordance(
        what="share of metrics whose effects have one direction in both species",
        test="exact binomial test against ½",
        n_patients=number,
        n_missing=len(both) - number,
        estimate=agreeing / number if number else np.nan,
        low=float(limits[0]),
        high=float(limits[1]),
        level=level,
        p_value=float(tested.pvalue) if tested else np.nan,
        reason="" if number else "no metric has an effect in both species",
        note="n counts metrics; they are taken for independent, which metrics of the "
        "same cells are not",
        table=table.assign(agree=same.to_numpy()),
        rho=rho,
        rho_p=rho_p,
    )


def _finite(values: ArrayLike) -> tuple[Floats, int]:
    given = np.asarray(values, float)
    if given.ndim != 1:
        raise UsageError(f"hedges' g: values are {given.shape}; give (n,)")
    known = np.isfinite(given)
    return given[known], int((~known).sum())


def _why_no_g(treated: Floats, other: Floats, two: bool) -> str:
    if len(treated) < MIN_PER_GROUP or (two and len(other) < MIN_PER_GROUP):
        counts = f"{len(treated)} against {len(other)}" if two else f"{len(treated)}"
        return f"{counts} values are too few; it takes {MIN_PER_GROUP}"
    alike = np.ptp(treated) == 0 and (not two or np.ptp(other) == 0)
    return "all values are equal: there is no deviation to go by" if alike else ""


def _noncentral(t: float, freedom: int, level: float) -> tuple[float, float]:
    """Noncentralities under which t would be at the edge of its distribution."""
    tail = (1 - level) / 2
    width = 10 + abs(t)

    def limit(chance: float) -> float:
        def off(centre: float) -> float:
            below = stats.nct.cdf(t, freedom, centre)
            # It is lost far from the middle, where it is 0 or 1.
            return float((centre < t if np.isnan(below) else below) - chance)

        return float(optimize.brentq(off, t - width, t + width))

    return limit(1 - tail), limit(tail)


def _ranked(used: pd.DataFrame, seed: int) -> tuple[float, float]:
    if len(used) < MIN_RANKED or (used.nunique() == 1).any():
        return np.nan, np.nan
    x, y = (stats.rankdata(used[name]) for name in ("human", "mouse"))
    return float(np.corrcoef(x, y)[0, 1]), permutation_p(x, y, seed)
