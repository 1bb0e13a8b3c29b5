"""Where positive begins: every way to find a threshold, and how firm it is."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd
from scipy.stats import binom
from skimage.filters import threshold_otsu, threshold_triangle
from sklearn.mixture import GaussianMixture

from mifprofile.core.phenotype import call_positive, matches
from mifprofile.errors import UsageError
from mifprofile.model import Rule, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from mifprofile.model import Panel
    from mifprofile.options import GateMethod, PhenotypeOptions

GATE_COLUMNS = (
    *("sample", "marker", "threshold", "method", "scope", "note"),
    # Who set a gate by hand and when, and whether it still fits the sample.
    *("author", "time", "drift"),
)
# How firm each gate is; see `gate_figures`.
GATE_FIGURES = (
    "positive_pct",
    "positive_pct_at_0.8",
    "positive_pct_at_1.25",
    "separation_sd",
)
# The mixture is fitted to at most this many cells, taken evenly in order of level.
MAX_FIT_CELLS = 50_000
MAX_POOL_CELLS = 50_000
# A gap as deep as the one seen must be rarer than this in one population.
GAP_P = 0.01
# Windows that look for a gap: so many fit between the middles of both populations.
GAP_WINDOWS = (4, 6)
STEPS_PER_WINDOW = 8


ValueT = TypeVar("ValueT", bound=np.generic)


@dataclass(frozen=True)
class Gate:
    """Where positive begins; a NaN threshold says that there is no such population."""

    threshold: float
    note: str


@dataclass(frozen=True)
class _Split:
    """Two Gaussians of one width on log(1 + level)."""

    fit: GaussianMixture
    low: int
    high: int

    @property
    def separation(self) -> float:
        means = self.fit.means_[:, 0]
        return float(
            (means[self.high] - means[self.low]) / np.sqrt(self.fit.covariances_.item())
        )

    @property
    def share(self) -> float:
        return float(self.fit.weights_[self.high])

    @property
    def fold(self) -> float:
        low, high = np.expm1(self.fit.means_[[self.low, self.high], 0])
        return float(high / low) if low > 0 else np.inf

    @property
    def cut(self) -> float:
        """Where both are equally probable."""
        ends = self.fit.means_[[self.low, self.high], 0]
        grid = np.linspace(ends[0], ends[1], 1001)
        upper = self.fit.predict_proba(grid[:, None])[:, self.high]
        return float(grid[np.argmax(upper >= 0.5)])


def find_gates(
    levels: pd.DataFrame,
    panel: Panel,
    options: PhenotypeOptions,
    *,
    known: Mapping[str, float] | None = None,
    control: pd.DataFrame | None = None,
) -> dict[str, Gate]:
    """Gate every marker by its own method, those that rest on others after them.

    Parameters
    ----------
    levels : pandas.DataFrame
        A column per marker, a row per cell.
    panel : Panel
    options : PhenotypeOptions
    known : mapping of str to float
        Thresholds that stand already, by marker; these are not sought.
    control : pandas.DataFrame or None
        Levels of the cells of a negative-control slide.

    Returns
    -------
    dict of str to Gate
        Of the markers that are not known, in the panel's order.

    Raises
    ------
    UsageError
        Options that name markers the panel lacks, or gates that rest on each other.
    """
    thresholds = dict(known or {})
    found: dict[str, Gate] = {}
    for marker in gating_order(panel, options, thresholds):
        method = method_of(marker, options)
        if method == "control":
            rule = options.negatives.get(marker)
            gate = (
                _from_slide(control, marker, options)
                if rule is None
                else _from_negatives(
                    levels, marker, Rule.parse(rule, panel.markers), thresholds, options
                )
            )
        else:
            gate = find_gate(levels[marker].to_numpy(float), method, options)
        found[marker], thresholds[marker] = gate, gate.threshold
    return {marker: found[marker] for marker in panel.markers if marker in found}


def method_of(marker: str, options: PhenotypeOptions) -> GateMethod:
    """The method for a marker; one with known negatives is anchored to them."""
    usual = "control" if marker in options.negatives else options.method
    return options.methods.get(marker, usual)


def gating_order(
    panel: Panel, options: PhenotypeOptions, known: Iterable[str] = ()
) -> tuple[str, ...]:
    """Markers to gate, each after those on which its negatives rest.

    Raises
    ------
    UsageError
        A marker is not in the panel, or gates rest on each other.
    """
    for name in (*options.methods, *options.negatives):
        if name not in panel.markers:
            raise UsageError(
                f"phenotype: no marker {name!r} in panel {panel.name}"
                f"{nearest(name, panel.markers)}"
            )
    stands = set(known)
    needs = {
        marker: _rests_on(marker, panel, options) - stands
        for marker in panel.markers
        if marker not in stands
    }
    try:
        return tuple(TopologicalSorter(needs).static_order())
    except CycleError as e:
        circle = " needs ".join(reversed(e.args[1]))
        raise UsageError(
            f"phenotype.negatives: the gates rest on each other ({circle}); gate one "
            "of them by hand or by another method (phenotype.methods)"
        ) from e


def find_gate(
    levels: NDArray[np.float64], method: GateMethod, options: PhenotypeOptions
) -> Gate:
    """Gate a marker from its own levels alone.

    Parameters
    ----------
    levels : (n,) float64 array
        A marker's level per cell.
    method : str
        ``gmm`` (see `fit_gate`), ``otsu`` or ``triangle`` on log(1 + level), which find
        a threshold in any levels, or ``manual``: none is sought.
    options : PhenotypeOptions
    """
    if method == "manual":
        return Gate(np.nan, "to be set by hand: give it in a table with --gates")
    if method == "gmm":
        return fit_gate(levels, options)
    logs = _logs(levels)
    if logs.size < options.min_cells:
        return _too_few(logs.size)
    if np.ptp(logs) == 0:
        return Gate(np.nan, "no positive population: every cell has the same level")
    cut = (threshold_otsu if method == "otsu" else threshold_triangle)(logs)
    return Gate(float(np.expm1(cut)), "finds a gate in any levels: look at it")


def fit_gate(levels: NDArray[np.float64], options: PhenotypeOptions) -> Gate:
    """Find the level that splits negative from positive cells, if there is one.

    Two Gaussians of one width are fitted to log(1 + level): with widths of their own,
    the few cells between both populations would pull the gate down among the negative
    ones. They count as two populations if the Bayesian information criterion prefers
    them to one, their means lie at least ``min_separation_sd`` standard deviations and
    ``min_fold`` apart, the share of the upper one is within ``min_share`` and
    ``max_share``, and there is a gap between them. The last holds whatever the shape of
    the negative cells: a skewed or heavy-tailed population is fitted better by two
    Gaussians, too, but its cells only become fewer away from their middle. Of several
    splits, the most probable that passes is taken. The gate is where both Gaussians are
    equally probable.

    Parameters
    ----------
    levels : (n,) float64 array
        A marker's level per cell.
    options : PhenotypeOptions
    """
    logs = _logs(levels)
    if logs.size < options.min_cells:
        return _too_few(logs.size)
    sample = _evenly(np.sort(logs), MAX_FIT_CELLS)
    if np.ptp(sample) == 0:
        return Gate(np.nan, "no positive population: every cell has the same level")
    splits = _splits(sample, options.seed)
    doubts = [_doubt(split, sample, options) for split in splits]
    for split, doubt in zip(splits, doubts, strict=True):
        if not doubt:
            return Gate(float(np.expm1(split.cut)), _facts(split))
    return Gate(
        np.nan, f"no positive population: {doubts[0]}; best split: {_facts(splits[0])}"
    )


def ungated_markers(gates: pd.DataFrame) -> frozenset[str]:
    """Markers of a gate table in which no positive population was found."""
    return frozenset(gates.loc[gates["threshold"].isna(), "marker"])


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
        gate; and how far positive and negative cells lie apart: the means of
        log(1 + level), in standard deviations within both. NaN where there is no gate,
        no cell, or none on one side.
    """
    known = levels[np.isfinite(levels)]
    if known.size == 0 or not np.isfinite(threshold):
        return dict.fromkeys(GATE_FIGURES, np.nan)
    shares = [100 * float((known > threshold * f).mean()) for f in (1, 0.8, 1.25)]
    return dict(zip(GATE_FIGURES, [*shares, _apart(known, threshold)], strict=True))


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
    own = fit_gate(levels, options).threshold
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


def pool(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Equally many cells of every table, taken evenly over its rows.

    No sample dominates a gate that is fitted to the result, however large it is.
    """
    count = min(min(map(len, tables)), MAX_POOL_CELLS)
    parts = [_evenly(np.arange(len(table)), count) for table in tables]
    picked = [table.iloc[rows] for table, rows in zip(tables, parts, strict=True)]
    return pd.concat(picked, ignore_index=True)


def _rests_on(marker: str, panel: Panel, options: PhenotypeOptions) -> set[str]:
    rule = options.negatives.get(marker)
    if rule is None or method_of(marker, options) != "control":
        return set()
    return {name for name, _ in Rule.parse(rule, panel.markers).signs}


def _from_negatives(
    levels: pd.DataFrame,
    marker: str,
    rule: Rule,
    thresholds: Mapping[str, float],
    options: PhenotypeOptions,
) -> Gate:
    """Percentile of the cells that cannot carry the marker."""
    ungated = [n for n, _ in rule.signs if not np.isfinite(thresholds.get(n, np.nan))]
    if ungated:
        return Gate(np.nan, f"its negatives are {rule.text}, but {ungated[0]} has none")
    negative = matches(call_positive(levels, thresholds), rule)
    return _percentile(levels.loc[negative, marker], rule.text, options)


def _from_slide(
    control: pd.DataFrame | None, marker: str, options: PhenotypeOptions
) -> Gate:
    if control is None:
        raise UsageError(
            f"phenotype: {marker} has the method 'control' but nothing to be anchored "
            "to; name its negatives (phenotype.negatives), or give a control slide"
        )
    return _percentile(control[marker], "control slide", options)


def _percentile(levels: pd.Series, of: str, options: PhenotypeOptions) -> Gate:
    known = levels.to_numpy(float)
    known = known[np.isfinite(known)]
    if known.size < options.min_cells:
        return Gate(np.nan, f"only {known.size} cells of its negatives ({of})")
    q = options.control_percentile
    return Gate(
        float(np.percentile(known, q)), f"percentile {q:g} of {known.size} cells: {of}"
    )


def _logs(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log1p(np.maximum(levels[np.isfinite(levels)], 0.0))


def _too_few(cells: int) -> Gate:
    return Gate(np.nan, f"only {cells} cells: too few for an automatic gate")


def _evenly(ordered: NDArray[ValueT], count: int) -> NDArray[ValueT]:
    if ordered.size <= count:
        return ordered
    return ordered[np.linspace(0, ordered.size - 1, count).round().astype(int)]


def _splits(sample: NDArray[np.float64], seed: int) -> list[_Split]:
    """Splits from several starts, the most probable first.

    Starts with an ever smaller upper group, or a small lower one: a rare population is
    else never found.
    """
    splits = []
    for q in (0.9, 0.5, 0.1, 0.02):
        parts = np.split(sample, [round((1 - q) * sample.size)])
        within = sum(part.var() * part.size for part in parts) / sample.size
        fit = GaussianMixture(
            2,
            covariance_type="tied",
            weights_init=[1 - q, q],
            means_init=[[np.median(part)] for part in parts],
            precisions_init=[[1 / max(within, 1e-6)]],
            random_state=seed,
            max_iter=500,
        ).fit(sample[:, None])
        splits.append(_Split(fit, *np.argsort(fit.means_[:, 0]).tolist()))
    return sorted(splits, key=lambda split: -split.fit.lower_bound_)


def _doubt(
    split: _Split, sample: NDArray[np.float64], options: PhenotypeOptions
) -> str:
    """Why a split does not show two populations; empty if it does."""
    if split.fit.bic(sample[:, None]) >= _bic_of_one(sample):
        return "one Gaussian fits better"
    if split.separation < options.min_separation_sd:
        return "the two would be too close"
    if split.fold < options.min_fold:
        return "the upper would be hardly brighter"
    if not options.min_share <= split.share <= options.max_share:
        return "the upper would be too small or too large"
    if not any(_is_gap(*_gap(sample, split.cut, n), options) for n in GAP_WINDOWS):
        return "no gap between the two, as in one skewed population"
    return ""


def _bic_of_one(sample: NDArray[np.float64]) -> float:
    """Bayesian information criterion of one Gaussian."""
    spread = np.log(2 * np.pi * sample.var()) + 1
    return float(sample.size * spread + 2 * np.log(sample.size))


def _gap(sample: NDArray[np.float64], cut: float, windows: int) -> tuple[int, int]:
    """Fewest cells in a window between both groups, and in one at their middles.

    Of the windows at the two middles, the emptier counts.
    """
    middles = [np.median(part) for part in np.split(sample, [_above(sample, cut)])]
    width = (middles[1] - middles[0]) / windows
    at = np.linspace(middles[0], middles[1], STEPS_PER_WINDOW * windows + 1)
    inside = _above(sample, at + width / 2) - _above(sample, at - width / 2)
    clear = inside[STEPS_PER_WINDOW:-STEPS_PER_WINDOW]
    return int(clear.min()), int(min(inside[0], inside[-1]))


def _is_gap(between: int, beside: int, options: PhenotypeOptions) -> bool:
    """Whether so few cells between are more than chance in falling numbers."""
    chance = float(binom.sf(beside - 1, between + beside, 0.5))
    return between <= options.max_gap * beside and chance <= GAP_P


def _above(
    sample: NDArray[np.float64], at: NDArray[np.float64] | float
) -> NDArray[np.int64]:
    return np.searchsorted(sample, at, side="right")


def _facts(split: _Split) -> str:
    return f"separation {split.separation:.2f} SD, share {100 * split.share:.1f} %"


def _apart(levels: NDArray[np.float64], threshold: float) -> float:
    logs = np.log1p(np.maximum(levels, 0.0))
    positive, negative = logs[levels > threshold], logs[levels <= threshold]
    if positive.size == 0 or negative.size == 0:
        return np.nan
    within = np.r_[positive - positive.mean(), negative - negative.mean()]
    spread = float(within.std())
    apart = float(positive.mean() - negative.mean())
    return apart / spread if spread > 0 else np.nan


def _weak(figures: dict[str, float], options: PhenotypeOptions) -> str:
    """Whether what is called positive is only the upper part of one population."""
    apart, share = figures["separation_sd"], figures["positive_pct"]
    if share < 100 * options.min_share or not apart < options.drift_separation_sd:
        return ""
    return f"separates by only {apart:.1f} SD"


def _shaky(figures: dict[str, float], options: PhenotypeOptions) -> str:
    share = figures["positive_pct"]
    low, high = figures["positive_pct_at_1.25"], figures["positive_pct_at_0.8"]
    moves = max(high - share, share - low)
    if not moves > max(options.drift_share * share, 100 * options.min_share):
        return ""
    return f"{share:.1f} % positive would be {low:.1f} to {high:.1f} % at 1.25 to 0.8 ×"


def _far(own: float, threshold: float, options: PhenotypeOptions) -> str:
    if not np.isfinite(own) or threshold <= 0:
        return ""
    ratio = own / threshold
    if 1 / options.drift_factor <= ratio <= options.drift_factor:
        return ""
    return f"the sample's own gate would be {own:.4g}, {ratio:.2g} times this one"
