"""An answer of a study: its number, how sure it is, or why there is none."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mifprofile.core.statistics import Estimate

PREDECLARED = "predeclared"
# Beside the value in a model, and not asked about.
COVARIATES = "covariates"
Answer = Literal["OK", "NO_INTERVAL", "NOT_COMPUTABLE"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A row of ``endpoints.csv`` and its siblings; NaN where there is no number.

    Attributes
    ----------
    endpoint, title, variable : str
        Which variable; ``endpoint`` is empty for exploratory ones.
    family : str
        Whose p-values are corrected together; ``predeclared``, or exploratory ones.
    question : str
        ``change``, ``arms``, ``response`` or ``survival``.
    group : str
        Patients that are compared, or the two groups.
    time : str
        Biopsy, or both of a change.
    what, unit : str
        What the estimate is, and its unit.
    estimate, low, high, level, p_value : float
    p_adjusted : float
        Within the family.
    adjustment : str
        How: ``Holm`` or ``Benjamini-Hochberg``.
    test : str
    n_patients, n_missing : int
    n_events : int or None
    loo_low, loo_high : float
        Range of the estimate with each patient left out in turn.
    status : str
        ``OK``; ``NO_INTERVAL``, a number without interval; ``NOT_COMPUTABLE``.
    reason, note : str
    """

    endpoint: str = ""
    title: str
    variable: str
    family: str
    question: str
    group: str
    time: str
    what: str = ""
    unit: str = ""
    estimate: float = np.nan
    low: float = np.nan
    high: float = np.nan
    level: float = 0.95
    p_value: float = np.nan
    p_adjusted: float = np.nan
    adjustment: str = ""
    test: str = "none"
    n_patients: int = 0
    n_missing: int = 0
    n_events: int | None = None
    loo_low: float = np.nan
    loo_high: float = np.nan
    status: Answer = "NOT_COMPUTABLE"
    reason: str = ""
    note: str = ""

    def answered(self, found: Estimate) -> Finding:
        """The same with the numbers of a statistic."""
        known = np.isfinite(found.estimate)
        whole = known and np.isfinite(found.low) and np.isfinite(found.high)
        status: Answer = "NO_INTERVAL" if known else "NOT_COMPUTABLE"
        return replace(
            self,
            what=found.what,
            estimate=found.estimate,
            low=found.low,
            high=found.high,
            level=found.level,
            p_value=found.p_value,
            test=found.test,
            n_patients=found.n_patients,
            n_missing=found.n_missing,
            n_events=found.n_events,
            status="OK" if whole else status,
            reason=found.reason,
            note=found.note,
        )

    def secondary(self) -> Finding:
        """The same, no longer predeclared: in the family of its question."""
        if self.family == COVARIATES:
            return self
        before = "secondary" if self.endpoint else self.family
        return replace(self, family=f"{before}: {self.question}")

    def refused(self, reason: str, n_patients: int = 0, n_missing: int = 0) -> Finding:
        """The same without numbers, and why."""
        return replace(self, reason=reason, n_patients=n_patients, n_missing=n_missing)


COLUMNS = tuple(field.name for field in fields(Finding))


def as_table(findings: Iterable[Finding]) -> pd.DataFrame:
    """Findings as a table."""
    rows = [asdict(finding) for finding in findings]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"n_events": "Int64"})
