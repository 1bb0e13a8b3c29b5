"""Our own ``cells.parquet`` or ``cells.csv``, or any table with its columns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mifprofile.io.cell_tables._common import Layout, compartment, numbers

if TYPE_CHECKING:
    import pandas as pd

    from mifprofile.model import Compartment

MEAN = re.compile(r"(.+)_(nucleus|cytoplasm|membrane|cell)_mean")
POSITIVE = re.compile(r"(.+)_positive")
TEXTS = ("phenotype", "region", "field")


def is_mine(columns: list[str]) -> bool:
    """Whether the columns are ours."""
    return {"x_um", "y_um"} <= set(columns)


def layout(table: pd.DataFrame, _: float | None) -> Layout:
    """Find our own columns."""
    area, nucleus = (
        numbers(table, c) if c in table else None
        for c in ("area_um2", "nucleus_area_um2")
    )
    phenotype, region, field = (table.get(c) for c in TEXTS)
    return Layout(
        program="mifprofile",
        x=numbers(table, "x_um"),
        y=numbers(table, "y_um"),
        area=area,
        nucleus_area=nucleus,
        phenotype=phenotype,
        region=region,
        field=field,
        mean=_mean,
        positive=_positive,
        used=frozenset(
            {"cell_id", "x_um", "y_um", "area_um2", "nucleus_area_um2", *TEXTS}
        ),
    )


def _mean(column: str) -> tuple[str, Compartment] | None:
    match = MEAN.fullmatch(column)
    place = compartment(match[2]) if match else None
    return (match[1], place) if match and place else None


def _positive(column: str) -> str | None:
    match = POSITIVE.fullmatch(column)
    return match[1] if match else None
