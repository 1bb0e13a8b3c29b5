"""Features from elsewhere, tested like those of the landscape and against them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.cohort.findings import Finding
from mifprofile.core.statistics import associate, auroc
from mifprofile.errors import UsageError
from mifprofile.model import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from mifprofile.core.cohort.questions import Values
    from mifprofile.core.cohort.sheet import Study
    from mifprofile.options import CohortOptions

FAMILY = "outside features"
OUTSIDE = "outside"


def placed_features(features: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Features by patient and time; those of slides are averaged over a biopsy.

    Parameters
    ----------
    features : pandas.DataFrame
        As from `mifprofile.io.tables.read_features`.
    study : Study

    Returns
    -------
    pandas.DataFrame
        ``feature, patient_id, timepoint, value``; a time of ``""`` is no time.

    Raises
    ------
    UsageError
        If a sample or a patient is not in the sheet.
    """
    slides = {s.sample_id: s for s in study.specimens if s.sample_id is not None}
    by_sample = features["sample_id"] != ""
    _refuse_unknown(features.loc[by_sample, "sample_id"], slides, "sample")
    _refuse_unknown(features.loc[~by_sample, "patient_id"], study.patients, "patient")
    mine = features["sample_id"].map(slides)
    patient = features["patient_id"].where(
        ~by_sample, mine.map(lambda s: s.patient_id, na_action="ignore")
    )
    time = features["timepoint"].where(
        ~by_sample, mine.map(lambda s: s.timepoint, na_action="ignore")
    )
    table = features.assign(patient_id=patient, timepoint=time)
    keys = ["feature", "patient_id", "timepoint"]
    return table.groupby(keys, sort=False)["value"].mean().reset_index()


def outside(
    placed: pd.DataFrame,
    values: Mapping[str, Values],
    study: Study,
    options: CohortOptions,
) -> Iterator[Finding]:
    """Each feature against response, and by rank against each endpoint.

    A feature with times is taken before treatment; what is taken at both times enters
    as its change, too.
    """
    here = placed[placed["patient_id"].isin(list(study.patients))]
    for feature, rows in here.groupby("feature", sort=False):
        for label, column in _columns(rows, study, options):
            name = f"{feature}, {label}" if label else str(feature)
            yield _response(name, column, study, options)
            for one in values.values():
                yield from _against(name, column, one, options)


def _columns(
    rows: pd.DataFrame, study: Study, options: CohortOptions
) -> Iterator[tuple[str, pd.Series]]:
    wide = rows.pivot(index="patient_id", columns="timepoint", values="value")
    wide = wide.reindex([*study.patients])
    before, after = options.baseline, options.on_treatment
    for time in wide.columns:
        yield str(time), wide[time]
    if {before, after} <= set(wide.columns):
        yield f"change {before} to {after}", wide[after] - wide[before]


def _response(
    name: str, column: pd.Series, study: Study, options: CohortOptions
) -> Finding:
    known = {n: p.responded for n, p in study.patients.items()}
    names = [n for n, answer in known.items() if answer is not None]
    finding = _finding(name, "response", "responders against others", "AUROC")
    if not names:
        return finding.refused("the sheet has no response of any patient")
    labels = np.array([bool(known[n]) for n in names])
    scores = column.reindex(names).to_numpy(float)
    return finding.answered(auroc(scores, labels, level=options.level))


def _against(
    name: str, column: pd.Series, values: Values, options: CohortOptions
) -> Iterator[Finding]:
    asked = values.asked
    for time, other in (
        (asked.before, values.table[asked.before]),
        (f"{asked.before} to {asked.after}", values.changes),
    ):
        finding = _finding(name, "association", f"with {asked.title}", "Spearman's rho")
        found = associate(
            column.to_numpy(float),
            other.to_numpy(float),
            f"{name} with {asked.title}",
            level=options.level,
            seed=options.seed,
        )
        yield replace(finding.answered(found), time=time)


def _finding(name: str, question: str, group: str, unit: str) -> Finding:
    return Finding(
        title=name,
        variable=f"{OUTSIDE}__{name}",
        family=f"{FAMILY}: {question}",
        question=question,
        group=group,
        time="",
        unit=unit,
    )


def _refuse_unknown(given: pd.Series, known: Mapping[str, object], what: str) -> None:
    for name in dict.fromkeys(given):
        if name not in known:
            hint = nearest(str(name), known)
            raise UsageError(f"features: no {what} {name!r} in the sheet{hint}")
