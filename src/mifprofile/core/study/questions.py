"""What is asked of a variable, answered by the statistics of `mifprofile.core.cohort`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mifprofile.core.cohort import auroc, leave_one_out, mann_whitney, paired_difference
from mifprofile.core.study.findings import Finding
from mifprofile.core.study.pooling import MAIN, Reading, scaled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mifprofile.core.study.endpoints import Scale, Variable
    from mifprofile.core.study.sheet import Study

ALL_ARMS = "all arms"


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
        tables = (self.table, self.sites, self.lesions, self.days)
        return Values(self.asked, *(t.loc[kept] for t in tables), self.reading)


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


def changes(values: Values, study: Study) -> Iterator[Finding]:
    """Change between the times, of all patients and of each arm."""
    groups = {ALL_ARMS: list(study.patients)}
    if len(study.arms) > 1:
        groups |= {arm: patients_of(study, arm) for arm in study.arms}
    for group, patients in groups.items():
        yield change(values.of(patients), group)


def change(values: Values, group: str) -> Finding:
    """Change between the times of a group of patients."""
    asked, found = values.asked, values.changes
    finding = asked.finding("change", group, f"{asked.before} to {asked.after}")
    if not found.notna().any():
        return finding.refused(_no_pair(values), 0, len(found))
    first = np.zeros(len(found))
    answer = finding.answered(
        paired_difference(first, found.to_numpy(), f"change of {asked.title}")
    )
    out = leave_one_out(found.dropna().to_numpy())
    return replace(answer, loo_low=out.low, loo_high=out.high)


def response(values: Values, study: Study) -> Iterator[Finding]:
    """Responders against the others: at each time, and by their change."""
    asked = values.asked
    responded = {n: p.responded for n, p in study.patients.items()}
    known = [name for name, answer in responded.items() if answer is not None]
    times = {asked.before: values.table[asked.before], "change": values.changes}
    for time, column in times.items():
        label = f"{asked.before} to {asked.after}" if time == "change" else time
        scores = column.reindex(known)
        labels = np.array([bool(responded[name]) for name in known])
        group = "responders against others"
        ranked = asked.finding("response", group, label, "probability")
        yield ranked.answered(auroc(scores.to_numpy(float), labels))
        shifted = asked.finding("response", group, label)
        yield shifted.answered(
            mann_whitney(scores.to_numpy(float), labels, f"shift of {asked.title}")
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
