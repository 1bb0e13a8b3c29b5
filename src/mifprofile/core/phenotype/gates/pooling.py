"""Fewer cells, evenly taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAX_POOL_CELLS = 50_000

ValueT = TypeVar("ValueT", bound=np.generic)


def pool(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Cells of every table, evenly over its rows, no more than the middle one has.

    No sample dominates what is found in the result, however large it is, and a small
    one does not leave it with few cells. Of two in the middle, the smaller counts.
    """
    sizes = sorted(map(len, tables))
    count = min(sizes[(len(sizes) - 1) // 2], MAX_POOL_CELLS)
    parts = [evenly(np.arange(len(table)), count) for table in tables]
    picked = [table.iloc[rows] for table, rows in zip(tables, parts, strict=True)]
    return pd.concat(picked, ignore_index=True)


def evenly(ordered: NDArray[ValueT], count: int) -> NDArray[ValueT]:
    """At most so many of (n,) ascending values, at even distances."""
    if ordered.size <= count:
        return ordered
    return ordered[np.linspace(0, ordered.size - 1, count).round().astype(int)]
