"""How sure the value of one biopsy is: over its slides and fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.core.statistics import two_level_interval

if TYPE_CHECKING:
    from mifprofile.options import CohortOptions

COLUMNS = [
    *("variable", "patient_id", "timepoint", "lesion", "value", "low", "high"),
    *("n_slides", "method", "reason"),
]
SCALES = {"rate": 1.0, "share": 100.0, "ratio": 1.0}


def biopsy_values(
    placed: pd.DataFrame, pooled: pd.DataFrame, options: CohortOptions
) -> pd.DataFrame:
    """Pooled value of every biopsy with its interval.

    Of six slides or fields on, they are drawn anew, blocks of tissue first and fields
    within them; a single slide keeps the interval of its landscape; between, there is
    none.

    Parameters
    ----------
    placed : pandas.DataFrame
        As from `mifprofile.core.cohort.pooling.place`.
    pooled : pandas.DataFrame
        As from `mifprofile.core.cohort.pooling.pool`: the lesions that were chosen.
    options : CohortOptions
    """
    keys = ["variable", "patient_id", "timepoint", "lesion"]
    chosen = placed[placed["enters"]].merge(pooled[keys], on=keys)
    rows = [
        dict(zip(keys, key, strict=True)) | _value(rows, options)
        for key, rows in chosen.groupby(keys, sort=False)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _value(rows: pd.DataFrame, options: CohortOptions) -> dict[str, Any]:
    first, slides = rows.iloc[0], len(rows)
    if slides == 1:
        known = bool(np.isfinite(first["ci_low"]))
        return {
            **{"value": first["value"], "low": first["ci_low"]},
            **{"high": first["ci_high"], "n_slides": 1},
            "method": "blocks of the slide" if known else "none",
            "reason": "" if known else str(first["reason"]),
        }
    if first["kind"] == "mean":
        weight = rows["n_den"].fillna(rows["area_mm2"]).fillna(1.0)
        mean = float(np.average(rows["value"], weights=weight))
        why = "a mean of slides has no interval"
        return {"value": mean, "n_slides": slides, "method": "none", "reason": why}
    return _drawn(rows, options) | {"n_slides": slides}


def _drawn(rows: pd.DataFrame, options: CohortOptions) -> dict[str, Any]:
    kind = rows["kind"].iloc[0]
    found = two_level_interval(
        rows["block"],
        rows["n_num"],
        rows["area_mm2"] if kind == "rate" else rows["n_den"],
        str(rows["variable"].iloc[0]),
        draws=options.bootstrap_samples,
        level=options.level,
        seed=options.seed,
    )
    scale = SCALES[str(kind)]
    known = bool(np.isfinite(found.low))
    return {
        **{"value": scale * found.estimate, "low": scale * found.low},
        "high": scale * found.high,
        "method": found.test if known else "none",
        "reason": found.reason or found.note,
    }
