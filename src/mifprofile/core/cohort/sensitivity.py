"""How far each answer hangs on choices: the same question, read in other ways."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from mifprofile.core.cohort.answers import primary_answer, primary_question
from mifprofile.core.cohort.pooling import Reading, pool
from mifprofile.core.cohort.questions import ALL_ARMS, Values, values_of
from mifprofile.core.statistics import (
    beta_binomial,
    lognormal_mixed,
    negative_binomial,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mifprofile.core.cohort.sheet import Study
    from mifprofile.options import CohortOptions

# Changes to how values are read in the main analysis, one at a time.
READINGS: dict[str, dict[str, Any]] = {
    "main analysis": {},
    "pseudo-count 0.1": {"pseudo_cells": 0.1},
    "pseudo-count 1": {"pseudo_cells": 1.0},
    "without LIMITED or reviewed samples": {"limited": False},
    "same lesion only": {"same_lesion": True},
    "gates at 0.8": {"source": "low gates"},
    "gates at 1.25": {"source": "high gates"},
    "counts corrected for gate errors": {"source": "corrected"},
}
SAME_SITE = "same biopsy site at both times"
COLUMNS = [
    *("endpoint", "title", "reading", "unit", "estimate", "low", "high", "p_value"),
    *("n_patients", "n_missing", "n_changed", "status", "reason"),
]


def sensitivity_rows(
    observations: pd.DataFrame,
    values: Mapping[str, Values],
    study: Study,
    options: CohortOptions,
) -> pd.DataFrame:
    """The predeclared answer of every endpoint, read in every way.

    Parameters
    ----------
    observations : pandas.DataFrame
        As from `mifprofile.core.cohort.pooling.place`.
    values : mapping of str to Values
        Of the main analysis.
    study : Study
    options : CohortOptions

    Returns
    -------
    pandas.DataFrame
        ``n_changed`` is how many slides are read otherwise than in the main analysis.
    """
    rows = list(_rows(observations, values, study, options))
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(
    observations: pd.DataFrame,
    values: Mapping[str, Values],
    study: Study,
    options: CohortOptions,
) -> Iterator[dict[str, Any]]:
    main_reading = Reading(pseudo_cells=options.pseudo_cells)
    readings = {n: replace(main_reading, **other) for n, other in READINGS.items()}
    pooled = {name: pool(observations, one) for name, one in readings.items()}
    for main in values.values():
        mine = observations[observations["variable"] == main.asked.name]
        for name, reading in readings.items():
            read = values_of(pooled[name], main.asked, study, reading)
            otherwise = _changed(mine, reading, name)
            yield _row(read, name, study, options) | {"n_changed": otherwise}
        if primary_question(main.asked, study) == "change":
            same = _row(_same_site(main), SAME_SITE, study, options)
            yield same | {"n_changed": 0}
            yield from _modelled(main, mine, options)


def _modelled(
    values: Values, mine: pd.DataFrame, options: CohortOptions
) -> Iterator[dict[str, Any]]:
    """Models of all slides at once, where they speak of the same scale."""
    asked, used = values.asked, mine[mine["enters"]]
    kinds = set(used["kind"])
    given: dict[str, Any] = {"level": options.level}
    models: dict[str, Any] = {}
    if kinds == {"rate"} and asked.scale == "log2":
        models["mixed model, log-normal"] = partial(
            lognormal_mixed, pseudo_cells=options.pseudo_cells
        )
        models["model of counts, negative binomial"] = negative_binomial
    elif kinds == {"share"} and asked.scale == "logit":
        models["model of shares, beta-binomial"] = beta_binomial
    alike = not (used.groupby("timepoint")["value"].nunique() > 1).any()
    for name, model in models.items():
        finding = asked.finding("change", ALL_ARMS, "")
        if alike:
            answer = finding.refused("all values of a time are equal")
        else:
            found = model(used, asked.before, asked.after, asked.title, **given)
            answer = finding.answered(found)
        said = {k: v for k, v in asdict(answer).items() if k in COLUMNS}
        yield said | {"reading": name, "n_changed": len(used)}


def _row(
    values: Values, reading: str, study: Study, options: CohortOptions
) -> dict[str, Any]:
    found = asdict(primary_answer(values, study, options))
    return {k: found[k] for k in COLUMNS if k in found} | {"reading": reading}


def _same_site(values: Values) -> Values:
    """Without patients whose biopsies are of two sites."""
    before, after = (values.sites[t] for t in (values.asked.before, values.asked.after))
    return values.of(list(values.table.index[before == after]))


def _changed(mine: pd.DataFrame, reading: Reading, name: str) -> int:
    """Slides that enter otherwise than in the main analysis."""
    used = mine[mine["enters"]]
    if not reading.limited:
        return int((used["limited"] | used["status"].eq("SMALL")).sum())
    if reading.same_lesion:
        return int(used["same_lesion"].eq(False).sum())
    column = {
        "low gates": "value_at_low_gates",
        "high gates": "value_at_high_gates",
        "corrected": "n_corrected",
    }.get(reading.source)
    if column is not None:
        return int(used[column].notna().sum())
    return len(used) if READINGS[name] else 0
