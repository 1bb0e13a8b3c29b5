"""Tables on disk: Parquet between stages, CSV for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow

from mifprofile.core.phenotype import GATE_COLUMNS
from mifprofile.errors import FormatError, MissingError, UsageError
from mifprofile.io.atomic import atomic_output

if TYPE_CHECKING:
    from pathlib import Path


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write Parquet or CSV, by the suffix, whole or not at all."""
    with atomic_output(path) as partial:
        if path.suffix == ".parquet":
            table.to_parquet(partial, index=False, compression="zstd")
        else:
            table.to_csv(partial, index=False)


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a stage's table; raises MissingError or FormatError."""
    if not path.is_file():
        raise MissingError(f"{path}: missing; run the stage that writes it first")
    try:
        return pd.read_parquet(path)
    except pyarrow.ArrowInvalid as e:
        raise FormatError(f"{path}: not a readable Parquet file ({e})") from e


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
