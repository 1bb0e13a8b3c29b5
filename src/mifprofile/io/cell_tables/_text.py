"""Delimited text as programs of several countries write it."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

import pandas as pd

from mifprofile.errors import FormatError, MissingError

if TYPE_CHECKING:
    from pathlib import Path

# What inForm and others write where there is no number.
EMPTY = ["", "#N/A", "N/A", "NaN", "nan", "NA"]
SEPARATORS = "\t;,"
COMMA_DECIMAL = re.compile(r"-?\d+,\d+(?:[eE][-+]?\d+)?")
LOOK_ROWS = 50


def read_text(path: Path) -> pd.DataFrame:
    """Read a table of text with tabs, semicolons or commas; numbers may have commas.

    Raises
    ------
    MissingError
        There is no such file.
    FormatError
        It is no table, or damaged.
    """
    if not path.is_file():
        raise MissingError(f"{path}: no such table")
    try:
        head = pd.read_csv(path, sep="\x01", header=None, nrows=1, dtype=str, quoting=3)
        separator = _separator(str(head.iloc[0, 0]))
        kinds = {"sep": separator, "na_values": EMPTY, "keep_default_na": False}
        look = pd.read_csv(path, nrows=LOOK_ROWS, dtype=str, **kinds)
        decimal = "," if separator != "," and _has_comma_decimals(look) else "."
        return pd.read_csv(path, decimal=decimal, low_memory=False, **kinds)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as e:
        raise FormatError(
            f"{path}: not a table of text ({e}); export it again as tab-separated text "
            "or CSV in UTF-8"
        ) from e


def _separator(header: str) -> str:
    """The separator that splits a header into most columns."""
    split = {s: len(next(csv.reader([header], delimiter=s))) for s in SEPARATORS}
    return max(split, key=lambda s: split[s])


def _has_comma_decimals(look: pd.DataFrame) -> bool:
    values = look.to_numpy().ravel()
    return any(COMMA_DECIMAL.fullmatch(v) for v in values if isinstance(v, str))
