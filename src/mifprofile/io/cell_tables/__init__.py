"""Cells made elsewhere: tables of inForm, QuPath and HALO, and our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mifprofile.errors import FormatError, MifprofileError
from mifprofile.io.cell_tables import _halo, _inform, _own, _qupath
from mifprofile.io.cell_tables._areas import (
    read_areas_mm2,
    read_tissue_map,
    required_um,
)
from mifprofile.io.cell_tables._common import CellTable, assemble
from mifprofile.io.cell_tables._text import read_text
from mifprofile.io.tables import read_parquet

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from mifprofile.model import Panel

__all__ = [
    "CellTable",
    "read_areas_mm2",
    "read_cell_table",
    "read_rows",
    "read_tissue_map",
    "required_um",
]

PROGRAMS = (_own, _inform, _qupath, _halo)


def read_cell_table(
    path: Path, panel: Panel, pixel_um: float | None = None
) -> CellTable:
    """Read cells that another program found, and give them our columns.

    Parameters
    ----------
    path : Path
        Text with tabs, semicolons or commas, gzipped or not, or Parquet.
    panel : Panel
        Its markers are looked for by name, by channel and by molecule.
    pixel_um : float, optional
        Needed where the table is in pixels.

    Returns
    -------
    CellTable

    Raises
    ------
    MissingError, FormatError, UsageError
        No such table; none that is known, or damaged; pixels of unknown size.
    """
    table = read_rows(path)
    columns = [str(c) for c in table.columns]
    program = next((p for p in PROGRAMS if p.is_mine(columns)), None)
    if program is None:
        raise FormatError(
            f"{path}: neither inForm, QuPath, HALO nor mifprofile wrote these columns "
            f"({', '.join(columns[:6])} …); a table of your own needs x_um and y_um"
        )
    try:
        return assemble(table, program.layout(table, pixel_um), panel)
    except (MifprofileError, ValueError) as e:
        raise _named(e, path) from e


def read_rows(path: Path) -> pd.DataFrame:
    """Read a table as it is: text with any delimiter, gzipped or not, or Parquet."""
    return read_parquet(path) if path.suffix == ".parquet" else read_text(path)


def _named(error: Exception, path: Path) -> MifprofileError:
    """The same error with the file's name before it."""
    kind = type(error) if isinstance(error, MifprofileError) else FormatError
    return kind(f"{path}: {error}")
