"""What every statistic of a cohort gives back."""

from __future__ import annotations

import math
from dataclasses import dataclass

LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number about patients, how sure it is, or why there is none.

    Attributes
    ----------
    what : str
        What the estimate is, with its unit or scale.
    test : str
        How interval and p-value were found, in words.
    n_patients : int
        Patients (or mice) that entered.
    estimate : float
        NaN where ``reason`` says why.
    low, high : float
        Interval of the estimate; NaN where ``reason`` says why.
    level : float
        Nominal coverage of the interval.
    p_value : float
        Two-sided; NaN where ``reason`` says why, or where nothing was tested.
    n_pairs : int or None
        Patients with both times, where times are compared.
    n_events : int or None
        Events, where times to an event are compared.
    n_missing : int
        Patients left out since a value is missing.
    reason : str
        Why a number is missing, else ``""``.
    note : str
        What must be kept in mind beside a number that is there, else ``""``.
    """

    what: str
    test: str
    n_patients: int
    estimate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    level: float = LEVEL
    p_value: float = math.nan
    n_pairs: int | None = None
    n_events: int | None = None
    n_missing: int = 0
    reason: str = ""
    note: str = ""
