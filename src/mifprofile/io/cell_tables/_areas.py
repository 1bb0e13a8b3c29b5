"""Areas of tissue categories, from where a program left them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import tifffile

from mifprofile.errors import FormatError, MissingError, UsageError
from mifprofile.io.cell_tables._common import numbers
from mifprofile.io.cell_tables._text import read_text

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

CATEGORY, ALL = "Tissue Category", "All"
AREA = re.compile(
    r"Tissue Category Area \((pixels|sq microns|square microns|microns|sq mm)\)"
)
OURS = {"region", "area_mm2"}
TISSUE_MAP = "TissueClassMap"


def read_areas_mm2(path: Path, pixel_um: float | None = None) -> dict[str, float]:
    """Area of each tissue category, as its program names it.

    Parameters
    ----------
    path : Path
        inForm's ``cell_seg_data_summary.txt``, or a CSV with columns ``region`` and
        ``area_mm2``. Areas of several fields add up.
    pixel_um : float, optional
        Needed where areas are in pixels.

    Returns
    -------
    dict
        Category to mm².
    """
    table = read_text(path)
    column = next((c for c in table.columns if AREA.fullmatch(str(c))), None)
    if column is not None and CATEGORY in table:
        return _of_summary(table, str(column), path, pixel_um)
    if set(table.columns) >= OURS:
        return dict(table.groupby("region")["area_mm2"].sum().astype(float))
    raise FormatError(
        f"{path}: no areas in it; it needs the columns 'region' and 'area_mm2', or "
        "inForm's 'Tissue Category' and 'Tissue Category Area'"
    )


def read_tissue_map(path: Path) -> tuple[NDArray[np.uint16], tuple[str, ...]]:
    """InForm's map of tissue categories, and the names of its codes from 0 on.

    Raises
    ------
    MissingError, FormatError
        No such file; no such map in it.
    """
    if not path.is_file():
        raise MissingError(f"{path}: no such tissue map")
    try:
        with tifffile.TiffFile(path) as file:
            for page in file.pages:
                text = page.aspage().description
                if TISSUE_MAP in text:
                    names = [e.text or "" for e in ET.fromstring(text).iter("Name")]
                    return np.asarray(page.asarray(), np.uint16), tuple(names)
    except (tifffile.TiffFileError, ET.ParseError, ValueError) as e:
        raise FormatError(f"{path}: damaged ({e}); export the maps again") from e
    raise FormatError(
        f"{path}: no map of tissue categories in it; export inForm's binary "
        "segmentation maps with the tissue segmentation"
    )


def _of_summary(
    table: pd.DataFrame, column: str, path: Path, pixel_um: float | None
) -> dict[str, float]:
    """Areas of the rows that count all phenotypes, summed over fields."""
    rows = table[table[CATEGORY] != ALL]
    if "Phenotype" in rows:
        rows = rows[rows["Phenotype"].isin([ALL])]
    unit = str(AREA.fullmatch(column)[1])  # type: ignore[index]
    mm2 = {"pixels": None, "sq mm": 1.0}.get(unit, 1e-6)
    factor = required_um(path, pixel_um) ** 2 / 1e6 if mm2 is None else mm2
    areas = numbers(rows, column) * factor
    return {str(k): float(v) for k, v in areas.groupby(rows[CATEGORY]).sum().items()}


def required_um(path: Path, pixel_um: float | None) -> float:
    """Pixel size of a file whose areas are in pixels; UsageError if it is not given."""
    if pixel_um is None:
        raise UsageError(
            f"{path}: its areas are in pixels; give their size in µm with --pixel-size"
        )
    return pixel_um
