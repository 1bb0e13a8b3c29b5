"""Survival by a variable: before treatment, and on treatment without immortal time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mifprofile.core.cohort.findings import COVARIATES
from mifprofile.core.statistics import (
    cox,
    kaplan_meier,
    landmark_cox,
    log_rank,
    time_varying_cox,
    value_intervals,
)
from mifprofile.errors import UsageError
from mifprofile.model import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mifprofile.core.cohort.findings import Finding
    from mifprofile.core.cohort.questions import End, Values
    from mifprofile.core.cohort.sheet import Study
    from mifprofile.core.statistics import CoxEffect, KaplanMeier
    from mifprofile.options import CohortOptions

ENDS: dict[End, str] = {
    "pfs": "progression-free survival",
    "os": "overall survival",
}


@dataclass(frozen=True)
class Curve:
    """A Kaplan-Meier curve of some patients.

    Attributes
    ----------
    label : str
    found : KaplanMeier
    """

    label: str
    found: KaplanMeier


def survival_table(study: Study, end: End) -> pd.DataFrame:
    """``days`` and ``event`` of every patient; NaN where either is not known."""
    known = {n: p.survival(end) or (np.nan, 0) for n, p in study.patients.items()}
    table = pd.DataFrame.from_dict(known, orient="index", columns=["days", "event"])
    return table.astype(float)


def survival(values: Values, study: Study, options: CohortOptions) -> Iterator[Finding]:
    """Hazard by the value before treatment, the log-rank at its median, and later.

    What is measured on treatment is looked at from a landmark on and as a value that
    changes with time, of endpoints alone.
    """
    ends = sorted(ENDS, key=lambda end: end != values.asked.end)
    for end in ends:
        times = survival_table(study, end)
        if times["days"].notna().any():
            yield from _before(values, times, end, study, options)
            if values.asked.endpoint:
                yield from _later(values, times, end, options)


def split_curves(values: Values, study: Study, end: End) -> tuple[Curve, ...]:
    """Curves of patients above the median before treatment, and of the others."""
    times = survival_table(study, end)
    above = _above_median(values)
    known = above.notna() & times["days"].notna()
    return tuple(
        Curve(label, _curve(times[known & (above == side)]))
        for label, side in (("up to the median", 0.0), ("above the median", 1.0))
    )


def arm_curves(study: Study, end: End) -> tuple[Curve, ...]:
    """Curve of each arm."""
    times = survival_table(study, end)
    arms = pd.Series({n: p.arm for n, p in study.patients.items()})
    return tuple(Curve(arm, _curve(times[arms == arm])) for arm in study.arms)


def covariates_of(study: Study, options: CohortOptions) -> pd.DataFrame | None:
    """Numbers to adjust for, a row per patient; raises UsageError for unknown ones."""
    if not options.adjust:
        return None
    known = {k for p in study.patients.values() for k in (*p.facts, *p.own)}
    for name in options.adjust:
        if name not in known:
            hint = nearest(name, known)
            raise UsageError(f"cohort.adjust: no column {name!r} in the sheet{hint}")
    return pd.DataFrame(
        {
            name: [p.number(name) for p in study.patients.values()]
            for name in options.adjust
        },
        index=[*study.patients],
        dtype=float,
    )


def _before(
    values: Values,
    times: pd.DataFrame,
    end: End,
    study: Study,
    options: CohortOptions,
) -> Iterator[Finding]:
    asked = values.asked
    finding = asked.finding("survival", ENDS[end], asked.before, _per(values))
    found = cox(
        times["days"],
        times["event"],
        values.table[asked.before],
        asked.title,
        covariates=covariates_of(study, options),
        level=options.level,
    )
    yield finding.answered(found)
    if asked.endpoint:
        yield from _adjusted_for(finding, found)
        yield _at_median(values, times, finding, options)


def _adjusted_for(finding: Finding, found: CoxEffect) -> Iterator[Finding]:
    """The covariates of the same model."""
    if found.coefficients.empty:
        return
    table = found.coefficients
    for row in table[table["name"] != "value"].to_dict("records"):
        yield replace(
            finding.answered(found),
            family=COVARIATES,
            what=f"hazard ratio per unit of {row['name']}, beside {finding.title}",
            unit=f"per unit of {row['name']}",
            estimate=row["hazard_ratio"],
            low=row["low"],
            high=row["high"],
            p_value=row["p_value"],
            note="",
        )


def _at_median(
    values: Values, times: pd.DataFrame, finding: Finding, options: CohortOptions
) -> Finding:
    above = _above_median(values)
    known = above.notna() & times["days"].notna()
    found = log_rank(
        times.loc[known, "days"],
        times.loc[known, "event"],
        above[known] == 1,
        level=options.level,
    )
    answer = replace(finding, unit="hazard ratio").answered(found)
    chi2 = f"chi2 {found.chi2:.3g}" if np.isfinite(found.chi2) else ""
    said = "; ".join(filter(None, [answer.note, "split at the median", chi2]))
    return replace(answer, what="above the median against the others", note=said)


def _later(
    values: Values, times: pd.DataFrame, end: End, options: CohortOptions
) -> Iterator[Finding]:
    """What is measured on treatment: from a landmark on, and as it changes."""
    asked = values.asked
    after, day = values.table[asked.after], values.days[asked.after]
    finding = asked.finding("survival", ENDS[end], asked.after, _per(values))
    if not after.notna().any():
        return
    last = day[after.notna()].max()
    landmark = options.landmark_day if options.landmark_day is not None else last
    if not np.isfinite(landmark):
        why = "the sheet has no days_from_treatment_start of these biopsies"
        yield finding.refused(why, 0, len(after))
        return
    what = asked.title
    columns = times["days"], times["event"], after, day
    yield finding.answered(landmark_cox(*columns, landmark, what, level=options.level))
    patients = times.rename_axis("patient_id").reset_index()
    intervals = value_intervals(patients.dropna(), _measured(values))
    yield finding.answered(time_varying_cox(intervals, what, level=options.level))


def _measured(values: Values) -> pd.DataFrame:
    """Day and value of every biopsy, long."""
    parts = [
        pd.DataFrame(
            {
                "patient_id": values.table.index,
                "day": values.days[time].to_numpy(float),
                "value": values.table[time].to_numpy(float),
            }
        )
        for time in (values.asked.before, values.asked.after)
    ]
    return pd.concat(parts, ignore_index=True).dropna()


def _above_median(values: Values) -> pd.Series:
    """1 above the median before treatment, 0 up to it, NaN without a value."""
    column = values.table[values.asked.before]
    if not column.notna().any():
        return column
    return (column > column.median()).astype(float).where(column.notna())


def _curve(times: pd.DataFrame) -> KaplanMeier:
    return kaplan_meier(times["days"], times["event"])


def _per(values: Values) -> str:
    """Of what step the hazard ratio is."""
    doubling = values.asked.scale in {"log2", "logit"}
    return "hazard ratio per doubling" if doubling else "hazard ratio per unit"
