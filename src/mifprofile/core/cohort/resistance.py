"""How tumours escape: moves between immune classes, and loss of HER2."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mifprofile.core.cohort.classes import UNCLEAR
from mifprofile.core.cohort.findings import Finding
from mifprofile.core.landscape.scores import IMMUNE_CLASSES
from mifprofile.core.statistics import loss, transitions

if TYPE_CHECKING:
    from mifprofile.core.cohort.sheet import Study

MOVES = ["before", "after", "from_class", "to_class", "n_patients"]
FAMILY = "resistance"


def resistance(
    classes: pd.DataFrame, study: Study, baseline: str, level: float
) -> tuple[list[Finding], pd.DataFrame]:
    """Moves from baseline to every later time, and who lost HER2.

    Parameters
    ----------
    classes : pandas.DataFrame
        As from `mifprofile.core.cohort.classes.class_table`.
    study : Study
    baseline : str
        Time before treatment.
    level : float

    Returns
    -------
    findings : list of Finding
    moves : pandas.DataFrame
        Patients by class at both times.
    """
    later = [time for time in study.timepoints if time != baseline]
    found, moves = [], [pd.DataFrame(columns=MOVES)]
    for time in later if baseline in study.timepoints else []:
        answer, flows = _moves(classes, study, baseline, time, level)
        found += [answer, _her2(classes, study, baseline, time, level)]
        moves.append(flows)
    return found, pd.concat([m for m in moves if len(m)] or moves, ignore_index=True)


def _moves(
    classes: pd.DataFrame, study: Study, before: str, after: str, level: float
) -> tuple[Finding, pd.DataFrame]:
    pair = _pair(classes, study, "immune_class", before, after)
    known = pair.mask(pair == UNCLEAR)
    found = transitions(
        list(known[before]), list(known[after]), IMMUNE_CLASSES, level=level
    )
    flows = found.flows if found.n_patients else pd.DataFrame(columns=["before"])
    flows = flows.rename(columns={"before": "from_class", "after": "to_class"})
    finding = _finding("immune class", "immune_class", before, after)
    unclear = int((pair == UNCLEAR).any(axis=1).sum())
    note = f"{unclear} with an indeterminate class" if unclear else ""
    answer = replace(finding.answered(found), note=note)
    return answer, flows.assign(before=before, after=after).reindex(columns=MOVES)


def _her2(
    classes: pd.DataFrame, study: Study, before: str, after: str, level: float
) -> Finding:
    pair = _pair(classes, study, "her2_status", before, after)
    kept = pair.map(lambda status: {"kept": 1.0, "lost": 0.0}.get(status, np.nan))
    found = loss(
        kept[before].to_numpy(float), kept[after].to_numpy(float), "HER2", level=level
    )
    return _finding("HER2 of tumour cells", "her2_pct_pos", before, after).answered(
        found
    )


def _finding(title: str, variable: str, before: str, after: str) -> Finding:
    return Finding(
        title=title,
        variable=variable,
        family=FAMILY,
        question="resistance",
        group="all arms",
        time=f"{before} to {after}",
        unit="share",
    )


def _pair(
    classes: pd.DataFrame, study: Study, column: str, before: str, after: str
) -> pd.DataFrame:
    """Class of every patient at two times; NaN without one."""
    wide = classes.pivot(index="patient_id", columns="timepoint", values=column)
    return wide.reindex(index=[*study.patients], columns=[before, after])
