"""Time to an event: curves, groups compared, and hazard by a marker."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.core.statistics.result import LEVEL, Estimate
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# Events below which no hazard is fitted, and per coefficient for one to be trusted.
MIN_EVENTS = 5
EVENTS_PER_COEFFICIENT = 10
MIN_CLUSTERS = 6
NOT_PROPORTIONAL = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class KaplanMeier(Estimate):
    """Share without an event over time; the estimate is the median time in days.

    Attributes
    ----------
    table : pandas.DataFrame
        ``day, n_at_risk, n_events, n_censored, survival, low, high``, a row per day
        with an event or a censored patient, from day 0. At risk are those before it.
    """

    table: pd.DataFrame

    def at_risk(self, days: ArrayLike) -> NDArray[np.int64]:
        """Patients still watched and without an event just before each day."""
        left = self.table["n_events"] + self.table["n_censored"]
        ends = np.repeat(self.table["day"], left)
        return np.array([(ends >= day).sum() for day in np.atleast_1d(days)])


@dataclass(frozen=True, kw_only=True)
class LogRank(Estimate):
    """Groups compared over all of time; the estimate is Peto's hazard ratio.

    Attributes
    ----------
    chi2 : float
    freedom : int
    """

    chi2: float = np.nan
    freedom: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class CoxEffect(Estimate):
    """Hazard ratio per unit of a value; per doubling where it is on a log₂ scale.

    Attributes
    ----------
    coefficients : pandas.DataFrame
        ``name, hazard_ratio, low, high, p_value, proportionality_p``; the value is
        called ``value``, the others as their covariates.
    proportionality_p : float
        Of hazards that keep their ratio over time (Schoenfeld residuals by rank of
        time, Grambsch and Therneau 1994); NaN where it was not looked at.
    """

    coefficients: pd.DataFrame = field(default_factory=pd.DataFrame)
    proportionality_p: float = np.nan


@dataclass(frozen=True, eq=False)
class Landmark:
    """Who can be looked at from a landmark on, whatever happens later.

    Attributes
    ----------
    kept : (n,) bool array
        Still without an event and watched at the landmark, and measured by then.
    days : (n,) float64 array
        Days from the landmark.
    n_gone : int
        Had an event or were no longer watched by the landmark.
    n_unmeasured : int
        Of the others, those without a measurement by then.
    """

    kept: NDArray[np.bool_]
    days: Floats
    n_gone: int
    n_unmeasured: int


def kaplan_meier(
    days: ArrayLike, events: ArrayLike, *, level: float = LEVEL
) -> KaplanMeier:
    """Kaplan–Meier curve with numbers at risk and censored patients.

    Parameters
    ----------
    days : (n,) array
        Time watched, from day 0; NaN is left out, and counted.
    events : (n,) bool array
        Whether the time ended with the event.
    level : float
        Coverage of the limits, on log(−log S) (Greenwood).

    Raises
    ------
    UsageError
        If lengths differ, a time is negative or an event neither true nor false.
    """
    times, ended, missing = _times(days, events)
    found = KaplanMeier(
        what="median time to the event, days",
        test="Kaplan–Meier, limits on log(−log S)",
        n_patients=len(times),
        n_events=int(ended.sum()),
        n_missing=missing,
        level=level,
        table=pd.DataFrame(),
        reason="" if len(times) else "no patient with a time",
    )
    if found.reason:
        return found
    from lifelines import KaplanMeierFitter
    from lifelines.utils import median_survival_times

    curve = KaplanMeierFitter(alpha=1 - level).fit(times, ended)
    limits = curve.confidence_interval_.set_axis(["low", "high"], axis=1)
    median = float(curve.median_survival_time_)
    low, high = median_survival_times(limits).to_numpy(float).ravel()
    return replace(
        found,
        table=_curve_table(curve, limits),
        estimate=median if np.isfinite(median) else np.nan,
        low=low if np.isfinite(low) else np.nan,
        high=high if np.isfinite(high) else np.nan,
        reason=_why_no_median(median, low, high),
    )


def log_rank(
    days: ArrayLike, events: ArrayLike, groups: ArrayLike, *, level: float = LEVEL
) -> LogRank:
    """Log-rank test; of two groups also Peto's hazard ratio, second against first.

    Parameters
    ----------
    days, events : (n,) arrays
        As for `kaplan_meier`.
    groups : (n,) array
        Two or more kinds, sorted: False before True. Who has none is left out.
    level : float

    Raises
    ------
    UsageError
        As `kaplan_meier`.

    Notes
    -----
    The ratio is exp((O − E) / V): Yusuf, Peto et al. 1985 (doi
    10.1016/S0033-0620(85)80003-7). It is the size that belongs to this test; where the
    groups differ much it is nearer to 1 than Cox's.
    """
    known = ~pd.isna(np.asarray(groups))
    times, ended, missing = _times(
        np.where(known, np.asarray(days, float), np.nan), events
    )
    kinds = np.asarray(groups)[known & ~np.isnan(np.asarray(days, float))]
    names = np.unique(kinds)
    found = LogRank(
        what="hazard ratio of the second group against the first (Peto)",
        test="log-rank test",
        n_patients=len(times),
        n_events=int(ended.sum()),
        n_missing=missing,
        level=level,
        reason=_why_no_log_rank(ended, len(names)),
    )
    if found.reason:
        return found
    from lifelines.statistics import multivariate_logrank_test

    tested = multivariate_logrank_test(times, kinds, ended)
    with_test = replace(
        found,
        p_value=float(tested.p_value),
        chi2=float(tested.test_statistic),
        freedom=len(names) - 1,
        reason="more than two groups have no single ratio",
    )
    return (
        with_test
        if len(names) > 2
        else _with_ratio(with_test, times, ended, kinds == names[1])
    )


def cox(
    days: ArrayLike,
    events: ArrayLike,
    values: ArrayLike,
    what: str,
    *,
    covariates: pd.DataFrame | None = None,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
) -> CoxEffect:
    """Hazard ratio per unit of a continuous value, by Cox's model (ties by Efron).

    Parameters
    ----------
    days, events : (n,) arrays
        As for `kaplan_meier`.
    values : (n,) array
        On a log₂ scale the ratio is per doubling. A row with a NaN is left out.
    what : str
        The value and its unit.
    covariates : pandas.DataFrame, optional
        Numbers to adjust for, a row per patient in the same order.
    clusters : (n,) array, optional
        Patient of each row, where patients have several (ducts, lesions): errors are
        then robust by patient.
    level : float

    Raises
    ------
    UsageError
        As `kaplan_meier`.
    """
    table, extra, missing = _cox_table(days, events, values, covariates, clusters)
    n_events = int(table["event"].sum())
    found = CoxEffect(
        what=f"hazard ratio per unit of {what}",
        test="Cox, errors robust by patient" if clusters is not None else "Cox",
        n_patients=table["cluster"].nunique(),
        n_events=n_events,
        n_missing=missing,
        level=level,
        reason=_why_no_hazard(table, extra, clusters is not None),
        note=_few_events(n_events, 1 + len(extra)),
    )
    if found.reason:
        return found
    from lifelines import CoxPHFitter

    columns = ["days", "event", "value", *extra]
    clustered = {"cluster_col": "cluster"} if clusters is not None else {}
    used = table[[*columns, *clustered.values()]].astype(float)
    model, reason = _converged(
        lambda: CoxPHFitter(alpha=1 - level).fit(used, "days", "event", **clustered)
    )
    return _with_hazards(found, model, used) if model else replace(found, reason=reason)


def landmark(
    days: ArrayLike, events: ArrayLike, measured_on_days: ArrayLike, at_day: float
) -> Landmark:
    """Set the clock to a landmark, so that nobody lives longer by being measured.

    A marker taken on treatment is known only of those who lived to be biopsied. From
    the landmark on, all who are left started alike (Anderson, Cain and Gelber 1983, doi
    10.1200/JCO.1983.1.11.710).

    Parameters
    ----------
    days, events : (n,) arrays
        As for `kaplan_meier`.
    measured_on_days : (n,) array
        Day of each patient's biopsy; NaN without one.
    at_day : float
    """
    times = np.asarray(days, float)
    measured = np.asarray(measured_on_days, float)
    if times.shape != measured.shape or times.shape != np.shape(events):
        raise UsageError("landmark: days, events and measurements differ in length")
    there = times > at_day
    known = measured <= at_day
    return Landmark(
        there & known,
        times - at_day,
        int((times <= at_day).sum()),
        int((there & ~known).sum()),
    )


def landmark_cox(
    days: ArrayLike,
    events: ArrayLike,
    values: ArrayLike,
    measured_on_days: ArrayLike,
    at_day: float,
    what: str,
    *,
    level: float = LEVEL,
) -> CoxEffect:
    """`cox` of an on-treatment marker from a landmark on; see `landmark`."""
    start = landmark(days, events, measured_on_days, at_day)
    kept = start.kept
    found = cox(
        start.days[kept],
        np.asarray(events)[kept],
        np.asarray(values, float)[kept],
        what,
        level=level,
    )
    left_out = (
        f"from day {at_day:g} on; {start.n_gone} patients had an event or were no "
        f"longer watched by then, {start.n_unmeasured} had no measurement"
    )
    return replace(
        found,
        test=f"{found.test}, landmark at day {at_day:g}",
        n_missing=found.n_missing + start.n_unmeasured,
        note="; ".join(filter(None, [left_out, found.note])),
    )


def value_intervals(patients: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """Stretches of time in which a patient's marker has one value.

    Parameters
    ----------
    patients : pandas.DataFrame
        ``patient_id, days, event``.
    measured : pandas.DataFrame
        ``patient_id, day, value``: a value holds from its day to the next one. What is
        measured on the last day or later comes too late to matter, and before the first
        measurement a patient is not at risk.

    Returns
    -------
    pandas.DataFrame
        ``patient_id, start, stop, event, value``.
    """
    together = measured.dropna(subset=["day", "value"]).merge(patients, on="patient_id")
    # A baseline biopsy is taken before day 0.
    together["start"] = together["day"].clip(lower=0)
    together = together.sort_values(["patient_id", "day"], kind="stable")
    together = together.drop_duplicates(["patient_id", "start"], keep="last")
    early = together[together["start"] < together["days"]]
    following = early.groupby("patient_id")["start"].shift(-1)
    last = following.isna()
    return pd.DataFrame(
        {
            "patient_id": early["patient_id"],
            "start": early["start"],
            "stop": following.fillna(early["days"]),
            "event": early["event"].astype(bool) & last,
            "value": early["value"],
        }
    ).reset_index(drop=True)


def time_varying_cox(
    intervals: pd.DataFrame, what: str, *, level: float = LEVEL
) -> CoxEffect:
    """Hazard ratio of a marker that is measured again on treatment.

    Parameters
    ----------
    intervals : pandas.DataFrame
        As from `value_intervals`.
    what : str
        The value and its unit.
    level : float
    """
    table = intervals.rename(columns={"patient_id": "cluster"})
    n_events = int(table["event"].sum())
    found = CoxEffect(
        what=f"hazard ratio per unit of {what}, as last measured",
        test="Cox with a time-varying marker",
        n_patients=table["cluster"].nunique(),
        n_events=n_events,
        level=level,
        reason=_why_no_hazard(table, [], clustered=False),
        note=_few_events(n_events, 1),
    )
    if found.reason:
        return found
    from lifelines import CoxTimeVaryingFitter

    names = {"id_col": "cluster", "start_col": "start", "stop_col": "stop"}
    model, reason = _converged(
        lambda: CoxTimeVaryingFitter(alpha=1 - level).fit(
            table, event_col="event", **names
        )
    )
    return _with_hazards(found, model, None) if model else replace(found, reason=reason)


def _times(days: ArrayLike, events: ArrayLike) -> tuple[Floats, NDArray[np.bool_], int]:
    """Known times and whether they ended with the event; how many are not known."""
    times, ended = np.asarray(days, float), np.asarray(events)
    if times.shape != ended.shape or times.ndim != 1:
        shapes = f"{times.shape} and {ended.shape}"
        raise UsageError(f"survival: days and events are {shapes}; give (n,) of both")
    known = ~np.isnan(times)
    if not np.isin(ended[known], (0, 1)).all():
        raise UsageError("survival: an event is neither true nor false")
    if (times[known] < 0).any():
        raise UsageError("survival: a time is negative")
    return times[known], ended[known].astype(bool), int((~known).sum())


def _curve_table(curve: Any, limits: pd.DataFrame) -> pd.DataFrame:
    events = curve.event_table
    return pd.DataFrame(
        {
            "day": events.index.to_numpy(float),
            "n_at_risk": events["at_risk"].to_numpy(int),
            "n_events": events["observed"].to_numpy(int),
            "n_censored": events["censored"].to_numpy(int),
            "survival": curve.survival_function_.iloc[:, 0].to_numpy(float),
            "low": limits["low"].to_numpy(float),
            "high": limits["high"].to_numpy(float),
        }
    )


def _why_no_median(median: float, low: float, high: float) -> str:
    if not np.isfinite(median):
        return "the median is not reached: more than half are without an event"
    return (
        "" if np.isfinite([low, high]).all() else "a limit of the median is not reached"
    )


def _why_no_log_rank(ended: NDArray[np.bool_], groups: int) -> str:
    if groups < 2:
        return "one group has no patient with a time"
    return "" if ended.any() else "no event was seen"


def _with_ratio(
    found: LogRank, times: Floats, ended: NDArray[np.bool_], second: NDArray[np.bool_]
) -> LogRank:
    """Add exp((O − E) / V) and its limits."""
    from scipy import stats

    excess, variance = _excess(times, ended, second)
    if variance == 0:
        return replace(found, reason="the groups were never watched at the same time")
    reach = stats.norm.ppf((1 + found.level) / 2) / np.sqrt(variance)
    low, ratio, high = np.exp(excess / variance + np.array([-reach, 0, reach]))
    return replace(
        found, estimate=float(ratio), low=float(low), high=float(high), reason=""
    )


def _excess(
    times: Floats, ended: NDArray[np.bool_], second: NDArray[np.bool_]
) -> tuple[float, float]:
    """Observed less expected events of the second group, and the variance."""
    excess = variance = 0.0
    for day in np.unique(times[ended]):
        watched, fell = times >= day, (times == day) & ended
        n, d, share = watched.sum(), fell.sum(), second[watched].mean()
        excess += (fell & second).sum() - d * share
        variance += d * share * (1 - share) * (n - d) / max(n - 1, 1)
    return float(excess), float(variance)


def _cox_table(
    days: ArrayLike,
    events: ArrayLike,
    values: ArrayLike,
    covariates: pd.DataFrame | None,
    clusters: ArrayLike | None,
) -> tuple[pd.DataFrame, list[str], int]:
    """Whole rows, names of the covariates, and how many rows are left out."""
    _times(days, events)
    table = pd.DataFrame(
        {
            "days": np.asarray(days, float),
            "event": np.asarray(events),
            "value": np.asarray(values, float),
        }
    )
    table["cluster"] = np.arange(len(table)) if clusters is None else clusters
    extra = [] if covariates is None else list(covariates)
    taken = sorted(set(extra) & set(table))
    if taken:
        raise UsageError(f"cox: a covariate cannot be called {', '.join(taken)}")
    if covariates is not None:
        table[extra] = covariates.to_numpy(float)
    known = table.notna().all(axis=1)
    return table[known], extra, int((~known).sum())


def _why_no_hazard(table: pd.DataFrame, extra: list[str], clustered: bool) -> str:
    events = int(table["event"].sum())
    if events < MIN_EVENTS:
        return f"{events} events are too few for a hazard ratio; it takes {MIN_EVENTS}"
    if table["value"].nunique() == 1:
        return "all values are equal"
    if equal := [name for name in extra if table[name].nunique() == 1]:
        return f"all values of {', '.join(equal)} are equal"
    if "days" in table and table["days"].nunique() == 1:
        return "all patients were watched until one day, which orders nobody"
    if clustered and table["cluster"].nunique() < MIN_CLUSTERS:
        return f"fewer than {MIN_CLUSTERS} patients"
    return ""


def _few_events(events: int, coefficients: int) -> str:
    if events >= EVENTS_PER_COEFFICIENT * coefficients:
        return ""
    return (
        f"{coefficients} coefficients on {events} events: fewer than "
        f"{EVENTS_PER_COEFFICIENT} for each, the ratio is unstable"
    )


def _converged(fit: Callable[[], Any]) -> tuple[Any, str]:
    """The model, or why it could not be fitted."""
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning
    from scipy.linalg import LinAlgWarning

    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        warnings.simplefilter("error", LinAlgWarning)
        # A guess beforehand; whether the fit converged is seen afterwards.
        warnings.filterwarnings("ignore", "Column", ConvergenceWarning)
        try:
            return fit(), ""
        except (ConvergenceError, ConvergenceWarning, LinAlgWarning):
            return None, (
                "the model does not converge: the values, or a covariate, order the "
                "patients exactly as their events do (separation), two columns say the "
                "same, or all events were on one day"
            )


def _with_hazards(found: CoxEffect, model: Any, used: pd.DataFrame | None) -> CoxEffect:
    """Add what the model found, and whether hazards were proportional."""
    ratios, limits = np.exp(model.params_), np.exp(model.confidence_intervals_)
    checked = _proportionality(model, used)
    table = pd.DataFrame(
        {
            "name": ratios.index,
            "hazard_ratio": ratios.to_numpy(float),
            "low": limits.iloc[:, 0].to_numpy(float),
            "high": limits.iloc[:, 1].to_numpy(float),
            "p_value": model.summary["p"].to_numpy(float),
            "proportionality_p": checked.reindex(ratios.index).to_numpy(float),
        }
    )
    own = table.set_index("name").loc["value"]
    changing = "the ratio changes over time (p {:.3g}): read it as an average"
    crossed = own["proportionality_p"] < NOT_PROPORTIONAL
    warned = changing.format(own["proportionality_p"]) if crossed else ""
    return replace(
        found,
        estimate=float(own["hazard_ratio"]),
        low=float(own["low"]),
        high=float(own["high"]),
        p_value=float(own["p_value"]),
        coefficients=table,
        proportionality_p=float(own["proportionality_p"]),
        note="; ".join(filter(None, [found.note, warned])),
    )


def _proportionality(model: Any, used: pd.DataFrame | None) -> pd.Series:
    """P-value of each coefficient's constancy over time."""
    if used is None:
        return pd.Series(dtype=float)
    from lifelines.statistics import proportional_hazard_test

    tested = proportional_hazard_test(model, used, time_transform="rank")
    return pd.Series(np.atleast_1d(tested.p_value), index=list(model.params_.index))
