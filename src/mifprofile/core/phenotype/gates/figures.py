"""What a gate does to the cells, how firm it is, and whether it still fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import chi2

from mifprofile.core.levels import to_scale, unit_of
from mifprofile.core.phenotype.gates.evidence import gate_alone
from mifprofile.core.phenotype.gates.shape import Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.core.phenotype.gates.gate import Grade
    from mifprofile.options import PhenotypeOptions

CLEAR_SHARE = 0.1
# How firm each gate is; see `gate_figures`.
GATE_FIGURES = (
    "positive_pct",
    "positive_pct_at_0.8",
    "positive_pct_at_1.25",
    "separation_sd",
    "corrected_pct",
    "corrected_low",
    "corrected_high",
    "dim",
)
# The negative peak ends so many of its flanks above its middle.
EDGE_FLANKS = 4.0


def gate_figures(levels: NDArray[np.float64], threshold: float) -> dict[str, float]:
    """What a gate does to the cells, whoever set it, and how firm it is.

    Parameters
    ----------
    levels : (n,) float64 array
        A marker's level per cell.
    threshold : float
        NaN if there is no gate.

    Returns
    -------
    dict
        Of `GATE_FIGURES`: cells above the gate in %, and above 0.8 and 1.25 times the
        gate; and how far positive and negative cells lie apart: the means on the
        scale of `mifprofile.core.levels`, in standard deviations within both. NaN where
        there is no gate, no cell, or none on one side. Then the size of the positive
        population, see `population_pct`; and ``dim``, the level at which its dimmest
        cells may begin.
    """
    known = levels[np.isfinite(levels)]
    if known.size == 0 or not np.isfinite(threshold):
        return dict.fromkeys(GATE_FIGURES, np.nan)
    shares = [100 * float((known > threshold * f).mean()) for f in (1, 0.8, 1.25)]
    dim = dim_threshold(known, threshold)
    size = population_pct(known, threshold, dim)
    values = [*shares, _apart(known, threshold), *size, dim]
    return dict(zip(GATE_FIGURES, values, strict=True))


def dim_threshold(levels: NDArray[np.float64], threshold: float) -> float:
    """Level at which the negative peak ends, if that is below the gate; else the gate.

    Graded cells lie between both, and are positive or not by convention.

    Parameters
    ----------
    levels : (n,) float64 array
        Finite, n > 0.
    threshold : float
    """
    shape = Shape(levels)
    return min(threshold, shape.edge(EDGE_FLANKS)) if shape.is_spread else threshold


def population_pct(
    levels: NDArray[np.float64], threshold: float, dim: float
) -> tuple[float, float, float]:
    """Size of the positive population, whatever is in doubt about its dim cells.

    It has at least the cells above the gate and at most those above `dim_threshold`:
    see `population`.

    Parameters
    ----------
    levels : (n,) float64 array
        Finite, n > 0.
    threshold, dim : float

    Returns
    -------
    corrected, low, high : float
        % of the cells; the interval is of 95 %.
    """
    few, many = int((levels > threshold).sum()), int((levels > dim).sum())
    middle, low, high = (100 / levels.size * n for n in population(few, many))
    return middle, low, high


def population(few: float, many: float) -> tuple[float, float, float]:
    """Number of cells where between ``few`` and ``many`` are positive by convention.

    Their geometric mean stands for it, and the interval of 95 % reaches from the exact
    Poisson limit (Garwood 1936) below the one to that above the other.

    Returns
    -------
    corrected, low, high : float
    """
    few, many = min(few, many), max(few, many)
    low = chi2.ppf(0.025, 2 * few) / 2 if few else 0.0
    high = chi2.ppf(0.975, 2 * many + 2) / 2
    return float((few * many) ** 0.5), float(low), float(high)


def grade_of(levels: NDArray[np.float64], threshold: float, given: str = "") -> Grade:
    """Grade of a gate that was found elsewhere or set by hand.

    Without a threshold no cell is positive, as with one that no cell exceeds. Else it
    is ``clear`` if hardly any cell lies near it: if the positive share moves by at most
    `CLEAR_SHARE` of itself, or of the negative one if that is smaller, at 0.8 and 1.25
    times the gate.

    Parameters
    ----------
    levels : (n,) float64 array
        A marker's level per cell.
    threshold : float
        NaN if there is no gate.
    given : str
        The grade that came with it: one that nobody decided stays so while there is no
        threshold, and populations that were found apart, or to overlap, stay so.
    """
    if given == "undecided" and not np.isfinite(threshold):
        return "undecided"
    figures = gate_figures(levels, threshold)
    share = figures["positive_pct"]
    if not share > 0:
        return "absent"
    if given in ("clear", "graded"):
        return "clear" if given == "clear" else "graded"
    firm = _moves(figures) <= CLEAR_SHARE * min(share, 100 - share)
    return "clear" if firm else "graded"


def drift(
    levels: NDArray[np.float64], threshold: float, options: PhenotypeOptions
) -> str:
    """Why a gate that was set elsewhere may no longer fit these cells.

    Parameters
    ----------
    levels : (n,) float64 array
        A marker's level per cell.
    threshold : float
        NaN if there is no gate.
    options : PhenotypeOptions

    Returns
    -------
    str
        Empty if nothing speaks against the gate: it separates what it calls positive,
        the share does not hang on its exact place, and the gate that these cells would
        have been given lies near.
    """
    own = gate_alone(levels, options).threshold
    if not np.isfinite(threshold):
        text = f"no gate was given, but the cells split at {own:.4g}"
        return text if np.isfinite(own) else ""
    figures = gate_figures(levels, threshold)
    doubts = (
        _weak(figures, options),
        _shaky(figures, options),
        _far(own, threshold, options),
    )
    return "; ".join(doubt for doubt in doubts if doubt)


def _apart(levels: NDArray[np.float64], threshold: float) -> float:
    logs = to_scale(levels, unit_of(levels))
    positive, negative = logs[levels > threshold], logs[levels <= threshold]
    if positive.size == 0 or negative.size == 0:
        return np.nan
    within = np.r_[positive - positive.mean(), negative - negative.mean()]
    spread = float(within.std())
    apart = float(positive.mean() - negative.mean())
    return apart / spread if spread > 0 else np.nan


def _moves(figures: dict[str, float]) -> float:
    """How far the positive share moves, in %, at 0.8 and 1.25 times the gate."""
    share, high, low = (figures[name] for name in GATE_FIGURES[:3])
    return max(high - share, share - low)


def _weak(figures: dict[str, float], options: PhenotypeOptions) -> str:
    """Whether what is called positive is only the upper part of one population."""
    apart, share = figures["separation_sd"], figures["positive_pct"]
    if share < 100 * options.min_share or not apart < options.drift_separation_sd:
        return ""
    return f"separates by only {apart:.1f} SD"


def _shaky(figures: dict[str, float], options: PhenotypeOptions) -> str:
    share = figures["positive_pct"]
    low, high = figures["positive_pct_at_1.25"], figures["positive_pct_at_0.8"]
    if not _moves(figures) > max(options.drift_share * share, 100 * options.min_share):
        return ""
    return f"{share:.1f} % positive would be {low:.1f} to {high:.1f} % at 1.25 to 0.8 ×"


def _far(own: float, threshold: float, options: PhenotypeOptions) -> str:
    if not np.isfinite(own) or threshold <= 0:
        return ""
    ratio = own / threshold
    if 1 / options.drift_factor <= ratio <= options.drift_factor:
        return ""
    return f"the sample's own gate would be {own:.4g}, {ratio:.2g} times this one"
