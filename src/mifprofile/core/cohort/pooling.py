"""From slides to patients: ΣN / ΣA over the slides and fields of a lesion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from mifprofile.core.cohort.endpoints import Scale
    from mifprofile.core.cohort.sheet import Study

Source = Literal["value", "corrected", "low gates", "high gates"]
KEYS = ["variable", "patient_id", "timepoint", "lesion"]
SUMS = ["n_num", "n_den", "area_mm2", "weighted", "weight"]


@dataclass(frozen=True)
class Reading:
    """How observations are read: the main analysis by default, or a variation.

    Attributes
    ----------
    pseudo_cells : float
        Added to every count.
    source : str
        ``value``, counts ``corrected`` for the gates' errors, or those at ``low
        gates`` or ``high gates``; where a row has none, its value.
    limited : bool
        Whether samples that are SMALL, under review or LIMITED enter.
    same_lesion : bool
        Whether only lesions that were biopsied at baseline enter.
    """

    pseudo_cells: float = 0.5
    source: Source = "value"
    limited: bool = True
    same_lesion: bool = False


MAIN = Reading()


def place(observations: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Observations with patient, time, lesion, site, batch and day of their slide."""
    sheet = pd.DataFrame(
        [
            {
                "sample_id": slide.sample_id,
                "patient_id": slide.patient_id,
                "timepoint": slide.timepoint,
                "lesion": slide.lesion,
                "biopsy_site": slide.biopsy_site or "",
                "batch": slide.batch or "",
                "block": slide.block_id or slide.slide_id or slide.sample_id,
                "day": slide.days_from_treatment_start,
                "same_lesion": slide.same_lesion_as_baseline,
            }
            for slide in study.slides
        ]
    )
    return observations.merge(sheet, on="sample_id", how="inner")


def pool(placed: pd.DataFrame, reading: Reading = MAIN) -> pd.DataFrame:
    """Pool the slides of each patient, time and lesion, and choose one lesion.

    Parameters
    ----------
    placed : pandas.DataFrame
        As from `place`.
    reading : Reading

    Returns
    -------
    pandas.DataFrame
        A row per variable, patient and time: the sums, ``mean`` of values that are no
        ratio of sums, ``n_slides``, ``lesion``, ``n_lesions``, ``biopsy_site``,
        ``day``. Of several lesions the one that was biopsied at most times counts, of
        those the one with most tissue.
    """
    used = _read(placed[placed["enters"]], reading)
    groups = used.groupby([*KEYS, "kind"], sort=True)
    # A sum of nothing is no number.
    pooled = groups[SUMS].sum(min_count=1)
    pooled["n_slides"] = groups.size()
    for column in ("biopsy_site", "day"):
        pooled[column] = groups[column].first()
    pooled = pooled.reset_index()
    pooled["mean"] = pooled["weighted"] / pooled["weight"]
    return _one_lesion(pooled)


def scaled(pooled: pd.DataFrame, scale: Scale, reading: Reading = MAIN) -> pd.Series:
    """Values on the scale on which they are compared; NaN if one has none there."""
    n, d, a = (pooled[c].to_numpy(float) for c in ("n_num", "n_den", "area_mm2"))
    kinds, mean = pooled["kind"].to_numpy(str), pooled["mean"].to_numpy(float)
    half = reading.pseudo_cells
    with np.errstate(divide="ignore", invalid="ignore"):
        ways = {
            "rate": {"log2": np.log2((n + half) / a), "identity": n / a},
            "share": {
                "log2": np.log2((n + half) / (d + 2 * half)),
                "logit": np.log2((n + half) / (d - n + half)),
                "identity": 100 * n / d,
            },
            "ratio": {"log2": np.log2((n + half) / (d + half)), "identity": n / d},
            "mean": {"log2": np.log2(mean), "identity": mean},
        }
        chosen = [way.get(scale, way["log2"]) for way in ways.values()]
        values = np.select([kinds == kind for kind in ways], chosen, np.nan)
    return pd.Series(np.where(np.isfinite(values), values, np.nan), pooled.index)


def _read(used: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """Observations as a reading takes them."""
    if not reading.limited:
        used = used[~used["status"].eq("SMALL") & ~used["limited"]]
    if reading.same_lesion:
        used = used[used["same_lesion"].ne(False)]
    column = {"low gates": "value_at_low_gates", "high gates": "value_at_high_gates"}
    value, num = used["value"], used["n_num"]
    if reading.source == "corrected":
        num = used["n_corrected"].fillna(num)
    elif reading.source in column:
        moved = used[column[reading.source]]
        by = np.select(
            [used["kind"] == "rate", used["kind"] == "share"],
            [used["area_mm2"], used["n_den"] / 100],
            np.nan,
        )
        value, num = moved.fillna(value), (moved * by).fillna(num)
    weight = used["n_den"].fillna(used["area_mm2"]).fillna(1.0)
    return used.assign(n_num=num, weight=weight, weighted=value * weight)


def _one_lesion(pooled: pd.DataFrame) -> pd.DataFrame:
    """The lesion of each patient and time that can best be followed."""
    groups = pooled.groupby(["variable", "patient_id"])
    times = pooled.groupby(["variable", "patient_id", "lesion"])["timepoint"]
    order = pooled.assign(
        _times=times.transform("nunique"),
        _tissue=pooled["area_mm2"].fillna(pooled["weight"]).fillna(0.0),
        n_lesions=groups["lesion"].transform("nunique"),
    ).sort_values(
        ["variable", "patient_id", "timepoint", "_times", "_tissue", "lesion"],
        ascending=[True, True, True, False, False, True],
        kind="stable",
    )
    first = order.drop_duplicates(["variable", "patient_id", "timepoint"])
    return first.drop(columns=["_times", "_tissue"]).reset_index(drop=True)
