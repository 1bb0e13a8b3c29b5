"""How many impossible combinations a marker's calls may hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mifprofile.core.panel.targets import names_of
from mifprofile.model import Rule

if TYPE_CHECKING:
    from mifprofile.model import Panel

# Rates of impossible combinations, in % of the rarer marker, that warn and that fail.
LIMITS: dict[frozenset[str], tuple[float, float]] = {
    frozenset({"CD8", "PanCK"}): (3.0, 10.0),
    frozenset({"FOXP3", "PanCK"}): (2.0, 5.0),
    frozenset({"CD3", "CD68"}): (3.0, 10.0),
    frozenset({"CD3", "CD20"}): (2.0, 5.0),
    frozenset({"CD20", "CD68"}): (2.0, 5.0),
    frozenset({"CD8", "FOXP3"}): (3.0, 8.0),
    frozenset({"CD8", "CD4"}): (3.0, 10.0),
    frozenset({"HER2", "CD3"}): (1.0, 3.0),
}
OTHER_LIMITS = (3.0, 10.0)
# A rate among fewer cells says nothing.
MIN_CELLS = 50


@dataclass(frozen=True)
class RateVerdict:
    """How an impossible combination's rate compares with its limits, in %."""

    word: Literal["ok", "warn", "fail", "too few cells"]
    warn: float
    fail: float


def judge_rate(combination: str, percent: float, of: int, panel: Panel) -> RateVerdict:
    """Compare a combination's rate with the limits for its markers."""
    signs = Rule.parse(combination, panel.markers).signs
    markers = [marker for marker, positive in signs if positive]
    warn, fail = LIMITS.get(names_of(markers), OTHER_LIMITS)
    if of < MIN_CELLS or not np.isfinite(percent):
        return RateVerdict("too few cells", warn, fail)
    word: Literal["ok", "warn", "fail"] = "warn" if percent > warn else "ok"
    return RateVerdict("fail" if percent > fail else word, warn, fail)
