"""How far each answer hangs on choices: the same change, read in other ways."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd

from mifprofile.core.study.pooling import MAIN, Reading, pool
from mifprofile.core.study.questions import ALL_ARMS, Values, change, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mifprofile.core.study.sheet import Study

READINGS: dict[str, Reading] = {
    "main analysis": MAIN,
    "pseudo-count 0.1": Reading(pseudo_cells=0.1),
    "pseudo-count 1": Reading(pseudo_cells=1.0),
    "without LIMITED or reviewed samples": Reading(limited=False),
    "same lesion only": Reading(same_lesion=True),
    "gates at 0.8": Reading(source="low gates"),
    "gates at 1.25": Reading(source="high gates"),
    "counts corrected for gate errors": Reading(source="corrected"),
}
SAME_SITE = "same biopsy site at both times"
COLUMNS = [
    *("endpoint", "title", "reading", "unit", "estimate", "low", "high", "p_value"),
    *("n_patients", "n_missing", "n_changed", "status", "reason"),
]


def sensitivity_rows(
    observations: pd.DataFrame, values: Mapping[str, Values], study: Study
) -> pd.DataFrame:
    """Change of every endpoint, read in every way.

    Parameters
    ----------
    observations : pandas.DataFrame
        As from `mifprofile.core.study.pooling.place`.
    values : mapping of str to Values
        Of the main analysis.
    study : Study

    Returns
    -------
    pandas.DataFrame
        ``n_changed`` is how many slides are read otherwise than in the main analysis.
    """
    rows = list(_rows(observations, values, study))
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(
    observations: pd.DataFrame, values: Mapping[str, Values], study: Study
) -> Iterator[dict[str, Any]]:
    pooled = {name: pool(observations, r) for name, r in READINGS.items()}
    for main in values.values():
        mine = observations[observations["variable"] == main.asked.name]
        for name, reading in READINGS.items():
            read = values_of(pooled[name], main.asked, study, reading)
            yield _row(read, name) | {"n_changed": _changed(mine, reading)}
        yield _row(_same_site(main), SAME_SITE) | {"n_changed": 0}


def _row(values: Values, reading: str) -> dict[str, Any]:
    found = asdict(change(values, ALL_ARMS))
    return {k: found[k] for k in COLUMNS if k in found} | {"reading": reading}


def _same_site(values: Values) -> Values:
    """Without patients whose biopsies are of two sites."""
    before, after = (values.sites[t] for t in (values.asked.before, values.asked.after))
    return values.of(list(values.table.index[before == after]))


def _changed(mine: pd.DataFrame, reading: Reading) -> int:
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
    return len(used) if reading != MAIN else 0
