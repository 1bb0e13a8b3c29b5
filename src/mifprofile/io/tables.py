"""Tables on disk: Parquet between stages, CSV for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow

from mifprofile.core.phenotype import GATE_COLUMNS
from mifprofile.errors import FormatError, MissingError, UsageError
from mifprofile.io.atomic import atomic_output

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write Parquet or CSV, by the suffix, whole or not at all."""
    with atomic_output(path) as partial:
        if path.suffix == ".parquet":
            table.to_parquet(partial, index=False, compression="zstd")
        else:
            table.to_csv(partial, index=False)


def read_parquet(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a stage's table, or some columns of it.

    Raises
    ------
    MissingError
        The stage has not run.
    FormatError
        The file is damaged or lacks a column.
    """
    if not path.is_file():
        raise MissingError(f"{path}: missing; run the stage that writes it first")
    try:
        return pd.read_parquet(path, columns=columns)
    except pyarrow.ArrowInvalid as e:
        raise FormatError(
            f"{path}: damaged, or made with another panel ({e}); "
            "run the stages again with --force"
        ) from e


def read_csv(path: Path, text: Collection[str] = ()) -> pd.DataFrame:
    """Read a table as it was written: an empty number is NaN, text stays text.

    Parameters
    ----------
    path : Path
    text : collection of str
        Columns that hold text, of which an empty one is ``""``.
    """
    if not path.is_file():
        raise MissingError(f"{path}: missing; run the stage that writes it first")
    names = pd.read_csv(path, nrows=0).columns
    return pd.read_csv(
        path,
        keep_default_na=False,
        na_values={name: [""] for name in names if name not in text},
        dtype={name: str for name in names if name in text},
    )


def read_mixing(path: Path) -> pd.DataFrame:
    """Read a mixing matrix: channels down, fluorophores across, shares between.

    Raises
    ------
    MissingError
        There is no such file.
    UsageError
        A share is no number, or there is no table.
    """
    if not path.is_file():
        raise MissingError(f"{path}: no such mixing matrix")
    try:
        return pd.read_csv(path, index_col=0, comment="#").astype(float)
    except (ValueError, pd.errors.ParserError) as e:
        raise UsageError(f"{path}: not a table of shares ({e})") from e


def read_gates(path: Path, sample: str) -> pd.DataFrame:
    """Read gates set by hand and keep those of a sample.

    A row applies to ``sample`` if its own column ``sample`` says so or is empty.

    Returns
    -------
    pandas.DataFrame
        Columns ``sample, marker, threshold, method, scope, note``.
    """
    if not path.is_file():
        raise MissingError(f"{path}: no such gate table")
    table = pd.read_csv(path, comment="#")
    lacking = {"marker", "threshold"} - set(table.columns)
    if lacking:
        raise UsageError(f"{path}: no column {', '.join(sorted(lacking))}")
    table = table.reindex(columns=list(GATE_COLUMNS))
    thresholds = pd.to_numeric(table["threshold"], errors="coerce")
    bad = thresholds.isna() & table["threshold"].notna()
    if bad.any():
        row = table[bad].iloc[0]
        raise UsageError(
            f"{path}: threshold of {row['marker']} is {row['threshold']!r}, no number"
        )
    mine = table["sample"].isna() | (table["sample"].astype(str) == sample)
    return table.assign(threshold=thresholds)[mine]
