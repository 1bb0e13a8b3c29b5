"""From patients to fields: what of a study could be looked at, and why not the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.core.cohort.sheet import REASON_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mifprofile.core.cohort.observe import SampleResult
    from mifprofile.core.cohort.sheet import Patient, Study

EVALUABLE = "evaluable"
NO_ROW = "not in the sheet"
NO_RESULTS = "no results"
FAILED = "failed quality"
STATES = [
    *("patient_id", "arm", "species", "timepoint", "state", "kind", "reason"),
    *("n_slides", "n_evaluable", "day", "biopsy_site"),
]
FLOW = ["arm", "timepoint", "step", "kind", "reason", "n_patients", "n_slides"]
MEASURED = ("age", "prior_lines", "pfs_days", "os_days")
NAMED = (
    *("species", "sex", "er_status", "strain", "dose"),
    *("best_response_recist", "objective_response", "pcr", "pfs_event", "os_event"),
)


def biopsy_states(study: Study, samples: Mapping[str, SampleResult]) -> pd.DataFrame:
    """What became of the biopsy of each patient at each time.

    Parameters
    ----------
    study : Study
    samples : mapping of str to SampleResult
        Those with results.

    Returns
    -------
    pandas.DataFrame
        `STATES`; ``kind`` tells a biopsy that was looked at (``evaluable``) from one
        that was not had (``event``, ``no tumour left``, ``missing``, ``not planned``),
        one of which nothing is known (``not in the sheet``), and one that could not be
        used (``no results``, ``failed quality``).
    """
    rows = [
        _state(study, patient, time, samples)
        for patient in study.patients.values()
        for time in study.timepoints
    ]
    return pd.DataFrame(rows, columns=STATES)


def flow_table(states: pd.DataFrame) -> pd.DataFrame:
    """Patients and slides at each step, by arm and time."""
    rows: list[dict[str, Any]] = []
    for arm, mine in states.groupby("arm", sort=False):
        rows.append(_step(arm, "", "patients", "", "", mine))
        for time, here in mine.groupby("timepoint", sort=False):
            had = here[here["n_slides"] > 0]
            rows.append(_step(arm, time, "biopsy", "had", "", had))
            for (kind, why), few in here[here["kind"] != EVALUABLE].groupby(
                ["kind", "reason"], sort=False
            ):
                step = "not evaluable" if (few["n_slides"] > 0).any() else "no biopsy"
                rows.append(_step(arm, time, step, kind, why, few))
            good = here[here["kind"] == EVALUABLE]
            rows.append(_step(arm, time, EVALUABLE, "had", "", good))
    return pd.DataFrame(rows, columns=FLOW)


def table_one(study: Study, states: pd.DataFrame) -> pd.DataFrame:
    """Who the patients are, by arm, with how many lack each fact and why.

    Returns
    -------
    pandas.DataFrame
        ``fact``, ``level``, and a column of text per arm and for all.
    """
    groups = {
        **{arm: _of(study, arm) for arm in study.arms},
        **({"all": [*study.patients.values()]} if len(study.arms) > 1 else {}),
    }
    facts = [
        name
        for name in (*MEASURED, *NAMED)
        if any(_told(p, name) for p in study.patients.values())
    ]
    rows = [{"fact": "patients", "level": "n"} | _sizes(groups)]
    for name in facts:
        lines = _measured if name in MEASURED else _named
        rows += lines(name, groups)
        rows += _lacking(name, groups)
    rows += list(_pairs(states, groups))
    return pd.DataFrame(rows, columns=["fact", "level", *groups])


def _state(
    study: Study, patient: Patient, time: str, samples: Mapping[str, SampleResult]
) -> dict[str, Any]:
    mine = [
        s
        for s in study.specimens
        if s.patient_id == patient.patient_id and s.timepoint == time
    ]
    slides = [s for s in mine if s.missing_reason is None]
    names = study.slides_of(patient.patient_id, time)
    known = [samples[name] for name in names if name in samples]
    good = [s for s in known if s.verdict != "fail"]
    kind, reason = EVALUABLE, ""
    if not mine:
        kind = NO_ROW
    elif not slides:
        reasons = [s.missing_reason for s in mine if s.missing_reason is not None]
        kind, reason = REASON_KINDS[reasons[0]], reasons[0].replace("_", " ")
    elif not known:
        kind = NO_RESULTS
    elif not good:
        kind, reason = FAILED, "; ".join(dict.fromkeys(known[0].reasons))
    days = [
        s.days_from_treatment_start
        for s in mine
        if s.days_from_treatment_start is not None
    ]
    return {
        "patient_id": patient.patient_id,
        "arm": patient.arm,
        "species": patient.species,
        "timepoint": time,
        "state": EVALUABLE if kind == EVALUABLE else "not evaluable",
        "kind": kind,
        "reason": reason,
        "n_slides": len(slides),
        "n_evaluable": len(good),
        "day": min(days) if days else np.nan,
        "biopsy_site": next((s.biopsy_site for s in mine if s.biopsy_site), ""),
    }


def _step(
    arm: Any, time: Any, step: str, kind: Any, reason: Any, rows: pd.DataFrame
) -> dict[str, Any]:
    slides = "n_evaluable" if step == EVALUABLE else "n_slides"
    return {
        **{"arm": arm, "timepoint": time, "step": step, "kind": kind},
        "reason": reason,
        "n_patients": rows["patient_id"].nunique(),
        "n_slides": int(rows[slides].sum()),
    }


def _told(patient: Patient, name: str) -> bool:
    """Whether the sheet says anything of a fact."""
    return name in patient.facts or patient.absent.get(name, "not given") != "not given"


def _of(study: Study, arm: str) -> list[Patient]:
    return [p for p in study.patients.values() if p.arm == arm]


def _sizes(groups: Mapping[str, list[Patient]]) -> dict[str, str]:
    return {name: str(len(patients)) for name, patients in groups.items()}


def _measured(name: str, groups: Mapping[str, list[Patient]]) -> list[dict[str, str]]:
    row = {"fact": name, "level": "median (range)"}
    for group, patients in groups.items():
        found = [float(p.facts[name]) for p in patients if name in p.facts]
        row[group] = _range(found) if found else "–"
    return [row]


def _range(found: list[float]) -> str:
    return f"{np.median(found):g} ({min(found):g} to {max(found):g})"


def _named(name: str, groups: Mapping[str, list[Patient]]) -> list[dict[str, str]]:
    every = [p for patients in groups.values() for p in patients]
    levels = sorted({_level(p.facts[name]) for p in every if name in p.facts})
    return [
        {"fact": name, "level": level}
        | {
            group: _share(
                sum(_level(p.facts.get(name)) == level for p in patients), patients
            )
            for group, patients in groups.items()
        }
        for level in levels
    ]


def _level(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _lacking(name: str, groups: Mapping[str, list[Patient]]) -> list[dict[str, str]]:
    """How many have no value, by what the sheet says of it."""
    every = [p for patients in groups.values() for p in patients]
    whys = dict.fromkeys(
        p.absent.get(name, "not given") for p in every if name not in p.facts
    )
    return [
        {"fact": name, "level": f"missing: {why}"}
        | {
            group: str(
                sum(
                    name not in p.facts and p.absent.get(name, "not given") == why
                    for p in patients
                )
            )
            for group, patients in groups.items()
        }
        for why in whys
    ]


def _pairs(
    states: pd.DataFrame, groups: Mapping[str, list[Patient]]
) -> Iterator[dict[str, str]]:
    """Patients with an evaluable biopsy at each time."""
    good = states[states["kind"] == EVALUABLE]
    for time in dict.fromkeys(states["timepoint"]):
        names = set(good.loc[good["timepoint"] == time, "patient_id"])
        yield {"fact": "evaluable biopsy", "level": str(time)} | {
            group: _share(sum(p.patient_id in names for p in patients), patients)
            for group, patients in groups.items()
        }


def _share(count: int, patients: list[Patient]) -> str:
    return f"{count} ({100 * count / len(patients):.0f} %)" if patients else "0"
