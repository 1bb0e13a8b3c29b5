"""inForm's ``cell_seg_data.txt``: in pixels or in microns, and its column names say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mifprofile.errors import FormatError
from mifprofile.io.cell_tables._common import Layout, compartment, micrometres

if TYPE_CHECKING:
    import pandas as pd

    from mifprofile.model import Compartment

X, Y = "Cell X Position", "Cell Y Position"
UNIT = re.compile(r".*\((pixels|sq microns|square microns|microns)\)")
MEAN = re.compile(r"(Nucleus|Cytoplasm|Membrane|Entire Cell) (.+?) Mean(?: \(.*\))?")


def is_mine(columns: list[str]) -> bool:
    """Whether inForm wrote these columns."""
    return X in columns and Y in columns


def layout(table: pd.DataFrame, pixel_um: float | None) -> Layout:
    """Find inForm's columns; its positions have the unit that its areas name."""
    columns = [str(c) for c in table.columns]
    unit = unit_of(columns)
    sizes = [_area_column(columns, part) for part in ("Entire Cell", "Nucleus")]
    area, nucleus = (
        None if c is None else micrometres(table, c, pixel_um, 2, unit) for c in sizes
    )
    texts = ("Phenotype", "Tissue Category", "Sample Name")
    phenotype, region, field = (table.get(name) for name in texts)
    return Layout(
        program="inForm",
        x=micrometres(table, X, pixel_um, 1, unit),
        y=micrometres(table, Y, pixel_um, 1, unit),
        area=area,
        nucleus_area=nucleus,
        phenotype=phenotype,
        region=region,
        field=field,
        mean=_mean,
        positive=lambda _: None,
        used=frozenset(filter(None, (X, Y, *texts, *sizes))),
    )


def unit_of(columns: list[str]) -> str:
    """``"pixels"`` or ``"microns"``, by the names of a table's columns.

    Raises
    ------
    FormatError
        No name says it, or both are said.
    """
    units = {m[1].split()[-1] for c in columns if (m := UNIT.fullmatch(c))}
    if len(units) != 1:
        said = " and ".join(sorted(units)) or "no unit"
        raise FormatError(
            f"the column names say {said}: pixels cannot be told from microns; "
            "export the table again with its area columns"
        )
    return units.pop()


def _area_column(columns: list[str], part: str) -> str | None:
    names = (c for c in columns if c.startswith(f"{part} Area ("))
    return next((c for c in names if "percent" not in c), None)


def _mean(column: str) -> tuple[str, Compartment] | None:
    match = MEAN.fullmatch(column)
    place = compartment(match[1]) if match else None
    return (match[2], place) if match and place else None
