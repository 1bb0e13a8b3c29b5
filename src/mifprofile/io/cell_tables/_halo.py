"""HALO's object data: boxes in pixels, a 0/1 column per marker."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mifprofile.io.cell_tables._common import Layout, compartment, micrometres, numbers

if TYPE_CHECKING:
    import pandas as pd

    from mifprofile.model import Compartment

BOX = ("XMin", "XMax", "YMin", "YMax")
INTENSITY = re.compile(r"(.+) (Nucleus|Cytoplasm|Membrane|Cell) Intensity")
POSITIVE = re.compile(r"(.+?) Positive(?: Classification)?")
UM2 = r"(?:[µμ]m²|um2|[µμ]m\^2)"
AREAS = tuple(re.compile(rf"{part} Area \({UM2}\)") for part in ("Cell", "Nucleus"))
# One phenotype per cell, where the analysis was given such a column.
PHENOTYPE = "Phenotype"
REGION_COLUMNS = ("Classifier Label", "Analysis Region")
FIELDS = ("Image Location", "Image File Name")


def is_mine(columns: list[str]) -> bool:
    """Whether HALO wrote these columns."""
    return set(BOX) <= set(columns)


def layout(table: pd.DataFrame, pixel_um: float | None) -> Layout:
    """Find HALO's columns; a cell lies in the middle of its box."""
    columns = [str(c) for c in table.columns]
    left, right, top, bottom = (
        micrometres(table, c, pixel_um, 1, "pixels") for c in BOX
    )
    sizes = [next((c for c in columns if p.fullmatch(c)), None) for p in AREAS]
    area, nucleus = (None if c is None else numbers(table, c) for c in sizes)
    region, field = (
        next((c for c in names if c in columns), None)
        for names in (REGION_COLUMNS, FIELDS)
    )
    return Layout(
        program="HALO",
        x=(left + right) / 2,
        y=(top + bottom) / 2,
        area=area,
        nucleus_area=nucleus,
        phenotype=table.get(PHENOTYPE),
        region=None if region is None else table[region],
        field=None if field is None else table[field],
        mean=_mean,
        positive=_positive,
        used=frozenset(filter(None, (*BOX, *sizes, region, field, PHENOTYPE))),
    )


def _mean(column: str) -> tuple[str, Compartment] | None:
    match = INTENSITY.fullmatch(column)
    place = compartment(match[2]) if match else None
    return (match[1], place) if match and place else None


def _positive(column: str) -> str | None:
    match = POSITIVE.fullmatch(column)
    return match[1] if match else None
