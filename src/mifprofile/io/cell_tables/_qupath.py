"""QuPath's exported measurements of detections."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mifprofile.io.cell_tables._common import Layout, compartment, micrometres

if TYPE_CHECKING:
    import pandas as pd

    from mifprofile.model import Compartment

CENTROID = re.compile(r"Centroid ([XY]) (µm|um|px)")
# "Nucleus: CD8 mean" of its own detection, "CD8: Nucleus: Mean" of added intensities.
OWN_MEAN = re.compile(r"(Nucleus|Cytoplasm|Membrane|Cell): (.+) mean")
ADDED_MEAN = re.compile(r"(.+): (Nucleus|Cytoplasm|Membrane|Cell): Mean")
PARTS = ("Cell", "Nucleus")
AREAS = [re.compile(rf"{part}: Area(?: (µm\^2|px\^2))?") for part in PARTS]
CLASSES = ("Classification", "Class")


def is_mine(columns: list[str]) -> bool:
    """Whether QuPath wrote these columns."""
    return {m[1] for c in columns if (m := CENTROID.fullmatch(c))} == {"X", "Y"}


def layout(table: pd.DataFrame, pixel_um: float | None) -> Layout:
    """Find QuPath's columns; a region is the annotation around the cell."""
    columns = [str(c) for c in table.columns]
    centres = {m[1]: c for c in columns if (m := CENTROID.fullmatch(c))}
    unit = "px" if centres["X"].endswith("px") else "µm"
    sizes = [next((c for c in columns if p.fullmatch(c)), None) for p in AREAS]
    area, nucleus = (
        None if c is None else micrometres(table, c, pixel_um, 2, unit) for c in sizes
    )
    kind = next((c for c in CLASSES if c in columns), None)
    return Layout(
        program="QuPath",
        x=micrometres(table, centres["X"], pixel_um, 1, unit),
        y=micrometres(table, centres["Y"], pixel_um, 1, unit),
        area=area,
        nucleus_area=nucleus,
        phenotype=None if kind is None else table[kind],
        region=table.get("Parent"),
        field=table.get("Image"),
        mean=_mean,
        positive=lambda _: None,
        used=frozenset(
            filter(None, (*centres.values(), *sizes, kind, "Parent", "Image"))
        ),
    )


def _mean(column: str) -> tuple[str, Compartment] | None:
    if match := ADDED_MEAN.fullmatch(column):
        label, part = match[1], match[2]
    elif match := OWN_MEAN.fullmatch(column):
        label, part = match[2], match[1]
    else:
        return None
    place = compartment(part)
    return (label, place) if place else None
