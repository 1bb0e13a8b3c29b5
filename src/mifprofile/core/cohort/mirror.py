"""Mice beside patients: direction and rank of effects, and what is not comparable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.core.cohort.questions import control_of, patients_of
from mifprofile.core.panel.targets import names_of
from mifprofile.core.statistics import comparable, concordance, hedges_g

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mifprofile.core.cohort.questions import Values
    from mifprofile.core.cohort.sheet import Study
    from mifprofile.core.statistics import Concordance, Estimate
    from mifprofile.options import CohortOptions

COLUMNS = [
    *("endpoint", "title", "comparison", "why_not", "human_g", "human_low"),
    *("human_high", "human_n", "human_reason", "mouse_g", "mouse_low", "mouse_high"),
    *("mouse_n", "mouse_reason", "mouse_against", "agree"),
]


def mirror(
    human: Sequence[Values],
    mouse: Sequence[Values],
    studies: tuple[Study, Study],
    options: CohortOptions,
) -> tuple[pd.DataFrame, Concordance]:
    """Standardised effects of both species, endpoint by endpoint.

    Patients are compared with their own baseline; mice with the concurrent control
    arm, by their change where they were biopsied before, else by the value after.

    Parameters
    ----------
    human, mouse : sequences of Values
        Of the same endpoints.
    studies : (Study, Study)
        Of patients and of mice.
    options : CohortOptions

    Returns
    -------
    table : pandas.DataFrame
        A row per endpoint, with what stands in the way of a comparison.
    found : Concordance
        Of those endpoints that may be compared at least by direction.
    """
    rows = [
        _row(one, two, studies, options) for one, two in zip(human, mouse, strict=True)
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    usable = table[table["comparison"] != "no"].set_index("endpoint")
    found = concordance(
        usable["human_g"].to_dict(),
        usable["mouse_g"].to_dict(),
        level=options.level,
        seed=options.seed,
    )
    return table, found


def _row(
    human: Values, mouse: Values, studies: tuple[Study, Study], options: CohortOptions
) -> dict[str, Any]:
    asked = human.asked
    comparison, why = comparable(asked.variable.metric, *_molecules(human))
    patients = _human_effect(human, studies[0], options)
    mice, against = _mouse_effect(mouse, studies[1], options)
    signs = np.sign([patients.estimate, mice.estimate])
    known = comparison != "no" and np.isfinite(signs).all()
    return {
        "endpoint": asked.name,
        "title": asked.title,
        "comparison": comparison,
        "why_not": why,
        **_said("human", patients),
        **_said("mouse", mice),
        "mouse_against": against,
        "agree": bool(signs[0] == signs[1]) if known else None,
    }


def _molecules(values: Values) -> list[str]:
    """Molecules that a variable names."""
    variable = values.asked.variable
    named = (variable.phenotype.removesuffix("+"), variable.phenotype_b.rstrip("+"))
    return sorted(names_of([name for name in named if name]))


def _human_effect(values: Values, study: Study, options: CohortOptions) -> Estimate:
    """Of treated patients; of all of them where there is one arm."""
    treated = _treated(study, options)
    changes = values.changes.reindex(treated).to_numpy(float)
    return hedges_g(changes, values.asked.title, level=options.level)


def _mouse_effect(
    values: Values, study: Study, options: CohortOptions
) -> tuple[Estimate, str]:
    asked, treated = values.asked, _treated(study, options)
    before = values.table[asked.before].notna().any()
    column = values.changes if before else values.table[asked.after]
    others = [name for name in study.patients if name not in treated]
    found = hedges_g(
        column.reindex(treated).to_numpy(float),
        asked.title,
        controls=column.reindex(others).to_numpy(float) if others else None,
        level=options.level,
    )
    base = "change" if before else f"value at {asked.after}"
    return found, f"{base}, {'control arm' if others else 'own baseline'}"


def _treated(study: Study, options: CohortOptions) -> list[str]:
    if len(study.arms) == 1:
        return [*study.patients]
    others = set(patients_of(study, control_of(study, options)))
    return [name for name in study.patients if name not in others]


def _said(species: str, found: Estimate) -> dict[str, Any]:
    return {
        f"{species}_g": found.estimate,
        f"{species}_low": found.low,
        f"{species}_high": found.high,
        f"{species}_n": found.n_patients,
        f"{species}_reason": found.reason,
    }
