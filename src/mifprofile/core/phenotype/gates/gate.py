"""What a gate is, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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


@dataclass(frozen=True)
class KnownGates:
    """The gates on which a sample's calls rest.

    Attributes
    ----------
    thresholds : mapping of str to float
        By marker; NaN: no cell is positive.
    grades : mapping of str to str
        By marker, as far as they are known.
    dim : mapping of str to float
        By marker, the level from which a cell is no longer sure to be negative; NaN
        where that is the gate itself.
    """

    thresholds: Mapping[str, float] = field(default_factory=dict)
    grades: Mapping[str, Grade] = field(default_factory=dict)
    dim: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, table: pd.DataFrame) -> KnownGates:
        """Gates of a table with ``marker``, ``threshold``, ``grade``, ``dim``."""
        columns = (table.get(name) for name in ("threshold", "grade", "dim"))
        return cls(
            *(
                {}
                if column is None
                else dict(zip(table["marker"], column, strict=True))
                for column in columns
            )
        )

    @property
    def undecided(self) -> frozenset[str]:
        """Markers of which nobody can tell whether they are there."""
        return self._graded("undecided")

    @property
    def graded(self) -> frozenset[str]:
        """Markers whose positive and negative cells overlap."""
        return self._graded("graded")

    def worst(self, markers: Collection[str]) -> Grade | Literal[""]:
        """Least sure grade of some markers; empty if none is known."""
        found = {self.grades[m] for m in markers if m in self.grades}
        return next((grade for grade in _WORST_FIRST if grade in found), "")

    def _graded(self, grade: Grade) -> frozenset[str]:
        return frozenset(m for m, found in self.grades.items() if found == grade)


# What is not there at all is as sure as what is clear, and says more of a zero.
_WORST_FIRST: tuple[Grade, ...] = ("undecided", "graded", "absent", "clear")
