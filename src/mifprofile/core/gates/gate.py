"""What a gate is, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Grade = Literal["clear", "graded", "absent", "undecided"]
GATE_COLUMNS = (
    *("sample", "marker", "threshold", "grade", "method", "scope", "note"),
    # Who set a gate by hand and when, and whether it still fits the sample.
    *("author", "time", "drift"),
)


@dataclass(frozen=True)
class Gate:
    """Where positive begins.

    Attributes
    ----------
    threshold : float
        A cell whose level is higher is positive; NaN: none is.
    note : str
        What it rests on.
    grade : str
        ``clear``: positive and negative cells lie apart. ``graded``: they overlap.
        ``absent``: the marker was looked for, would have been seen, and is not there.
        ``undecided``: nobody can tell from these cells, which is no zero.
    """

    threshold: float
    note: str
    grade: Grade

    @property
    def found(self) -> bool:
        """Whether there are positive cells."""
        return self.grade in ("clear", "graded")


def undecided(note: str) -> Gate:
    """No gate, and no zero either."""
    return Gate(np.nan, note, "undecided")


def too_few(cells: int) -> Gate:
    """No gate on so few cells."""
    return undecided(f"only {cells} cells: too few for an automatic gate")


def undecided_markers(gates: pd.DataFrame) -> frozenset[str]:
    """Markers of a gate table of which nobody can tell whether they are there."""
    return frozenset(gates.loc[gates["grade"] == "undecided", "marker"])
