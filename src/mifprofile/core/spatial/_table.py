"""Tables of pairs of types: their first columns, and why a value is missing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

Why = tuple[str, str]
"""Status and reason."""

OK: Why = ("OK", "")
MIN_CELLS = 20
# Distances beyond this share of the window's width rest on its few widest places.
SHARE_OF_WIDTH = 0.25


@dataclass(frozen=True)
class TypePair:
    """Reference type a, target type b.

    Attributes
    ----------
    n_a : int
        Reference cells.
    others : int
        Cells of type b that a cell of type a can have as a neighbour: not itself.
    why : tuple of str
        Whether there are enough of both.
    row : dict
        First columns of the pair's rows.
    """

    a: int
    b: int
    n_a: int
    others: int
    why: Why
    row: dict[str, Any]

    def to_row(self, why: Why, values: dict[str, Any]) -> dict[str, Any]:
        """Complete a row; what ``values`` lacks is NaN."""
        return self.row | values | {"status": why[0], "reason": why[1]}


def type_pairs(
    cells: NDArray[Any], area_um2: float, min_cells: int
) -> Iterator[TypePair]:
    """All ordered pairs of t types, from the (t,) numbers of their cells."""
    for a, b in product(range(len(cells)), repeat=2):
        n_a, n_b = int(cells[a]), int(cells[b])
        row: dict[str, Any] = {"type_a": a, "type_b": b, "n_a": n_a, "n_b": n_b}
        row["area_mm2"] = area_um2 / 1e6
        # A pair of distinct cells takes two of a type.
        least = max(min_cells, 1 + (a == b))
        yield TypePair(a, b, n_a, n_b - (a == b), too_few(n_a, n_b, least), row)


def frame(rows: list[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Rows of pairs as a table with these columns of values."""
    first_columns = ("type_a", "type_b", "n_a", "n_b", "area_mm2")
    names = [*first_columns, *columns, "status", "reason"]
    return pd.DataFrame(rows, columns=names)


def too_few(n_a: int, n_b: int, least: int) -> Why:
    """Whether cells of either kind are fewer than asked for."""
    if n_a < least:
        return "LOW_N", f"{n_a} reference cells, fewer than {least}"
    if n_b < least:
        return "LOW_N", f"{n_b} target cells, fewer than {least}"
    return OK


def too_far(r_um: float, width_um: float) -> Why:
    """Whether a distance is too long for the window."""
    if r_um > SHARE_OF_WIDTH * width_um:
        text = f"{r_um:g} um is more than a quarter of the window's width"
        return "LOW_AREA", f"{text}, {width_um:.0f} um"
    return OK


def first(*found: Why) -> Why:
    """The first that is not OK."""
    return next((why for why in found if why != OK), OK)
