"""Immune class of each biopsy, and HER2 status of its tumour cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from mifprofile.core.landscape.scores import HAS_VALUE, IMMUNE_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mifprofile.core.cohort.observe import SampleResult
    from mifprofile.core.cohort.sheet import Study

UNCLEAR = "indeterminate"
COLUMNS = [
    *("patient_id", "arm", "timepoint", "immune_class", "class_reason"),
    *("her2_pct_pos", "her2_class", "her2_status", "her2_reason"),
]
# Share of HER2+ tumour cells below which HER2 is called lost, %.
LOST_BELOW = 10.0


def class_table(study: Study, samples: Mapping[str, SampleResult]) -> pd.DataFrame:
    """Immune class and HER2 of every patient and time with results.

    Where the slides of a biopsy are of different classes it is ``indeterminate``.
    """
    rows = [
        {"patient_id": name, "arm": study.patients[name].arm, "timepoint": time}
        | _immune(found)
        | _her2(found)
        for name, time, found in _biopsies(study, samples)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _biopsies(
    study: Study, samples: Mapping[str, SampleResult]
) -> Iterator[tuple[str, str, list[SampleResult]]]:
    for name in study.patients:
        for time in study.timepoints:
            mine = study.slides_of(name, time)
            found = [samples[n] for n in mine if n in samples]
            found = [sample for sample in found if sample.verdict != "fail"]
            if found:
                yield name, time, found


def _immune(samples: Iterable[SampleResult]) -> dict[str, Any]:
    rows = _rows(samples, "immune_class")
    known = rows[rows["status"].isin(HAS_VALUE)]
    names = {IMMUNE_CLASSES[int(value)] for value in known["value"]}
    if len(names) == 1:
        return {"immune_class": names.pop(), "class_reason": ""}
    why = "slides are of different classes" if names else _why(rows)
    return {"immune_class": UNCLEAR, "class_reason": why}


def _her2(samples: Iterable[SampleResult]) -> dict[str, Any]:
    rows = _rows(samples, "her2_pct_pos")
    known = rows[rows["status"].isin(HAS_VALUE)]
    if known.empty:
        return {"her2_status": UNCLEAR, "her2_reason": _why(rows)}
    percent = 100 * known["n_num"].sum() / known["n_den"].sum()
    status = "lost" if percent < LOST_BELOW else "kept"
    return {"her2_pct_pos": percent, "her2_status": status, "her2_reason": ""}


def _rows(samples: Iterable[SampleResult], metric: str) -> pd.DataFrame:
    tables = [s.landscape[s.landscape["metric"] == metric] for s in samples]
    return pd.concat(tables, ignore_index=True)


def _why(rows: pd.DataFrame) -> str:
    return str(rows["reason"].iloc[0]) if len(rows) else "the landscape has no such row"
