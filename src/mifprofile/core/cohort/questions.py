"""What is asked of a variable, answered by `mifprofile.core.statistics`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mifprofile.core.cohort.findings import Finding
from mifprofile.core.cohort.pooling import MAIN, Reading, scaled
from mifprofile.core.statistics import (
    arm_effect,
    auroc,
    firth_logistic,
    leave_one_out,
    mann_whitney,
    paired_difference,
)
from mifprofile.errors import UsageError
from mifprofile.model import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from mifprofile.core.cohort.endpoints import Question, Scale, Variable
    from mifprofile.core.cohort.sheet import Study
    from mifprofile.core.statistics import Estimate
    from mifprofile.options import CohortOptions

ALL_ARMS = "all arms"
End = Literal["pfs", "os"]
# An arm of such a name is what others are compared with; else the sheet's first.
CONTROLS = frozenset({"control", "vehicle", "placebo", "standard", "untreated"})


@dataclass(frozen=True)
class Asked:
    """A variable of which something is asked.

    Attributes
    ----------
    name, title : str
        As in the tables, and for people.
    variable : Variable
    scale : str
    unit : str
        Of a change.
    family : str
    before, after : str
        Times that are compared.
    question : str
        That is predeclared.
    end : str
        Survival that is looked at first: ``pfs`` or ``os``.
    endpoint : str
        Empty for exploratory variables.
    """

    name: str
    title: str
    variable: Variable
    scale: Scale
    unit: str
    family: str
    before: str
    after: str
    question: Question = "change"
    end: End = "pfs"
    endpoint: str = ""

    def finding(self, question: str, group: str, time: str, unit: str = "") -> Finding:
        """An answer that is still to be had."""
        return Finding(
            endpoint=self.endpoint,
            title=self.title,
            variable=self.variable.name,
            family=self.family,
            question=question,
            group=group,
            time=time,
            unit=unit or self.unit,
        )


@dataclass(frozen=True)
class Values:
    """A variable of all patients, on its scale.

    Attributes
    ----------
    asked : Asked
    table : pandas.DataFrame
        Patients down, times across; NaN where a patient has no value.
    sites, lesions, days : pandas.DataFrame
        Of the biopsies, in the same places.
    reading : Reading
    """

    asked: Asked
    table: pd.DataFrame
    sites: pd.DataFrame
    lesions: pd.DataFrame
    days: pd.DataFrame
    reading: Reading = MAIN

    @property
    def changes(self) -> pd.Series:
        """Second less first time of each patient."""
        before, after = self.asked.before, self.asked.after
        found = self.table[after] - self.table[before]
        if self.reading.same_lesion:
            found = found.where(self.lesions[before] == self.lesions[after])
        return found

    def of(self, patients: Sequence[str]) -> Values:
        """The same of some patients."""
        kept = [name for name in self.table.index if name in set(patients)]
        return replace(
            self,
            table=self.table.loc[kept],
            sites=self.sites.loc[kept],
            lesions=self.lesions.loc[kept],
            days=self.days.loc[kept],
        )


def values_of(
    pooled: pd.DataFrame, asked: Asked, study: Study, reading: Reading = MAIN
) -> Values:
    """Values of every patient of a study, on the scale on which they are compared."""
    mine = pooled[pooled["variable"] == asked.name]
    mine = mine.assign(scaled=scaled(mine, asked.scale, reading))
    times = list(dict.fromkeys([*study.timepoints, asked.before, asked.after]))

    def spread(column: str, nothing: object) -> pd.DataFrame:
        wide = mine.pivot(index="patient_id", columns="timepoint", values=column)
        return wide.reindex(index=[*study.patients], columns=times, fill_value=nothing)

    return Values(
        asked,
        spread("scaled", np.nan).astype(float),
        spread("biopsy_site", ""),
        spread("lesion", ""),
        spread("day", np.nan).astype(float),
        reading,
    )


def ask(values: Values, study: Study, options: CohortOptions) -> Iterator[Finding]:
    """Every question that the sheet can answer, the primary group first."""
    if planned(values.asked, study) or values.asked.endpoint:
        yield from changes(values, study, options)
    if len(study.arms) > 1:
        yield from arms(values, study, options)
    if any(p.responded is not None for p in study.patients.values()):
        yield from response(values, study, options)
        if values.asked.endpoint:
            yield from odds(values, study, options)


def planned(asked: Asked, study: Study) -> bool:
    """Whether the sheet has both times."""
    return {asked.before, asked.after} <= set(study.timepoints)


def control_of(study: Study, options: CohortOptions) -> str:
    """The arm that others are compared with; raises UsageError if it is not there."""
    given = options.control_arm
    if given is None:
        named = [arm for arm in study.arms if arm.casefold() in CONTROLS]
        return (named or study.arms)[0]
    if given in study.arms:
        return given
    raise UsageError(
        f"cohort: no arm {given!r}{nearest(given, study.arms)}; there are "
        f"{', '.join(study.arms)}"
    )


def changes(values: Values, study: Study, options: CohortOptions) -> Iterator[Finding]:
    """Change between the times, of all patients and of each arm."""
    groups = {ALL_ARMS: list(study.patients)}
    if len(study.arms) > 1 and values.asked.endpoint:
        groups |= {arm: patients_of(study, arm) for arm in study.arms}
    for group, patients in groups.items():
        yield change(values.of(patients), group, options)


def change(values: Values, group: str, options: CohortOptions) -> Finding:
    """Change between the times of a group of patients."""
    asked, found = values.asked, values.changes
    finding = asked.finding("change", group, f"{asked.before} to {asked.after}")
    if not found.notna().any():
        return finding.refused(_no_pair(values), 0, len(found))
    first = np.zeros(len(found))
    answer = finding.answered(
        paired_difference(
            first,
            found.to_numpy(),
            f"change of {asked.title}",
            level=options.level,
            seed=options.seed,
        )
    )
    out = leave_one_out(found.dropna().to_numpy())
    test = f"Wilcoxon signed-rank, {answer.test}; Hodges–Lehmann"
    return replace(answer, test=test, loo_low=out.low, loo_high=out.high)


def response(values: Values, study: Study, options: CohortOptions) -> Iterator[Finding]:
    """Responders against the others: at each time, and by their change."""
    asked = values.asked
    responded = {n: p.responded for n, p in study.patients.items()}
    known = [name for name, answer in responded.items() if answer is not None]
    times = {asked.before: values.table[asked.before], "change": values.changes}
    for time, column in times.items():
        label = f"{asked.before} to {asked.after}" if time == "change" else time
        scores = column.reindex(known).to_numpy(float)
        labels = np.array([bool(responded[name]) for name in known])
        ranked = asked.finding("response", "responders against others", label, "AUROC")
        shift = mann_whitney(scores, labels, asked.title, **_asking(options))
        answer = ranked.answered(auroc(scores, labels, **_asking(options)))
        yield replace(answer, note=_joined(answer.note, _shifted(shift, asked.unit)))


def odds(values: Values, study: Study, options: CohortOptions) -> Iterator[Finding]:
    """Odds of a response per unit of the value, which needs no groups apart."""
    asked = values.asked
    known = {n: p.responded for n, p in study.patients.items()}
    names = [name for name, answer in known.items() if answer is not None]
    for time, column in (
        (asked.before, values.table[asked.before]),
        (f"{asked.before} to {asked.after}", values.changes),
    ):
        labels = np.array([bool(known[name]) for name in names])
        scores = column.reindex(names).to_numpy(float)
        finding = asked.finding("odds", "responders against others", time, "odds ratio")
        found = firth_logistic(scores, labels, asked.title, level=options.level)
        yield finding.answered(found)


def _shifted(shift: Estimate, unit: str) -> str:
    """How far the groups lie apart, in words."""
    if not np.isfinite(shift.estimate):
        return ""
    limits = f"{shift.low:.3g} to {shift.high:.3g}"
    known = limits if np.isfinite(shift.low + shift.high) else "no interval"
    return f"shift {shift.estimate:.3g} ({known}) {unit}"


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def arms(values: Values, study: Study, options: CohortOptions) -> Iterator[Finding]:
    """Each arm against the control: change given the start, else values after.

    Mice that were never biopsied before treatment can be compared after it alone.
    """
    asked, control = values.asked, control_of(study, options)
    for arm in study.arms:
        if arm == control:
            continue
        both = [*patients_of(study, arm), *patients_of(study, control)]
        here = values.of(both)
        treated = np.array([study.patients[n].arm == arm for n in here.table.index])
        group = f"{arm} against {control}"
        if here.table[asked.before].notna().any():
            label = f"{asked.before} to {asked.after}"
            finding = asked.finding("arms", group, label)
            yield finding.answered(_adjusted(here, treated, study, options))
        else:
            finding = asked.finding("arms", group, asked.after)
            after = here.table[asked.after].to_numpy()
            yield finding.answered(
                mann_whitney(after, treated, asked.title, **_asking(options))
            )


def _asking(options: CohortOptions) -> Any:
    """What every statistic with a permutation is told."""
    return {"level": options.level, "seed": options.seed}


def _adjusted(
    values: Values, treated: NDArray[np.bool_], study: Study, options: CohortOptions
) -> Estimate:
    asked, names = values.asked, values.table.index
    cages = [str(study.patients[name].facts.get("cage", "")) for name in names]
    sites = list(values.sites[asked.after].astype(str))
    return arm_effect(
        values.table[asked.before].to_numpy(),
        values.table[asked.after].to_numpy(),
        treated,
        asked.title,
        sites=sites if len(set(sites)) > 1 else None,
        clusters=cages if all(cages) else None,
        level=options.level,
    )


def patients_of(study: Study, arm: str) -> list[str]:
    """Names of the patients of an arm."""
    return [name for name, patient in study.patients.items() if patient.arm == arm]


def _no_pair(values: Values) -> str:
    """Why no patient has both times."""
    before, after = values.asked.before, values.asked.after
    table = values.table
    for time in (before, after):
        if not table[time].notna().any():
            return f"no patient has a value at {time}"
    return f"no patient has a value at both {before} and {after}"
