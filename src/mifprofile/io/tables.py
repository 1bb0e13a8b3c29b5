"""Tables on disk: Parquet between stages, CSV for people."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow

from mifprofile.arguments import as_path
from mifprofile.core.cohort.sheet import ABSENCES
from mifprofile.core.phenotype.gate_layouts import gates_for, layout_of
from mifprofile.core.phenotype.gates import GATE_COLUMNS
from mifprofile.errors import FormatError, MissingError, UsageError
from mifprofile.io.atomic import atomic_output

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from _typeshed import DataclassInstance

    from mifprofile.arguments import StrPath
    from mifprofile.io.results import Results


def write_table(table: pd.DataFrame, path: StrPath) -> None:
    """Write Parquet or CSV, by the suffix, whole or not at all."""
    path = as_path(path, "path")
    with atomic_output(path) as partial:
        if path.suffix == ".parquet":
            table.to_parquet(partial, index=False, compression="zstd")
        else:
            table.to_csv(partial, index=False)


def read_parquet(path: StrPath, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a stage's table, or some columns of it.

    Raises
    ------
    MissingError
        The stage has not run.
    FormatError
        The file is damaged or lacks a column.
    """
    path = as_path(path, "path")
    if not path.is_file():
        raise MissingError(f"{path}: missing; run the stage that writes it first")
    try:
        return pd.read_parquet(path, columns=columns)
    except pyarrow.ArrowInvalid as e:
        # What follows is the whole schema.
        reason = str(e).split(" in ", 1)[0]
        raise FormatError(
            f"{path}: damaged, or made with another panel ({reason}); "
            "run the stages again with --force"
        ) from e


def read_csv(path: StrPath, text: Collection[str] = ()) -> pd.DataFrame:
    """Read a table as it was written: an empty number is NaN, text stays text.

    Parameters
    ----------
    path : str or Path
    text : collection of str
        Columns that hold text, of which an empty one is ``""``.
    """
    path = as_path(path, "path")
    if not path.is_file():
        raise MissingError(f"{path}: missing; run the stage that writes it first")
    names = pd.read_csv(path, nrows=0).columns
    return pd.read_csv(
        path,
        keep_default_na=False,
        na_values={name: [""] for name in names if name not in text},
        dtype={name: str for name in names if name in text},
    )


def fill_text(table: pd.DataFrame) -> pd.DataFrame:
    """The table with ``""`` where text is missing; so are booleans, as NA."""
    return table.assign(**{str(n): _filled(column) for n, column in table.items()})


def _filled(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        lacks = column.isna().any()
        return column.cat.add_categories("").fillna("") if lacks else column
    if column.dtype != object:
        return column
    if pd.api.types.infer_dtype(column, skipna=True) == "boolean":
        return column.astype("boolean")
    return column.fillna("")


def text_columns(row: type[DataclassInstance]) -> frozenset[str]:
    """Names of the columns that hold text in a table with a row per instance."""
    return frozenset(f.name for f in fields(row) if f.type not in ("float", "int"))


def read_gates_used(path: StrPath) -> pd.DataFrame:
    """Read the gates that a sample's phenotypes rest on, ``gates.csv`` of its folder.

    A table of an earlier version has fewer columns; a marker without a threshold was
    not decided then.

    Raises
    ------
    MissingError
        The stage that writes it has not run.
    """
    gates = read_csv(path, set(GATE_COLUMNS) - {"threshold"})
    if "grade" not in gates:
        known = gates["threshold"].notna()
        gates["grade"] = known.map({True: "graded", False: "undecided"})
    return gates.assign(**{name: "" for name in GATE_COLUMNS if name not in gates})


def read_features(path: StrPath) -> pd.DataFrame:
    """Read a long table of features from elsewhere: NGS, blood, cytokines, IHC.

    Parameters
    ----------
    path : str or Path
        CSV, or tab-separated; columns ``feature``, ``value``, and ``sample_id`` or
        ``patient_id``, with ``timepoint`` beside the latter where a patient has
        several.

    Returns
    -------
    pandas.DataFrame
        ``sample_id, patient_id, timepoint`` (``""`` where not given), ``feature`` and
        ``value``, a float that is NaN where the cell says that there is none.

    Raises
    ------
    MissingError
        There is no such file.
    UsageError
        A column is missing, or a value is no number: all of them are named.
    """
    path = as_path(path, "features")
    if not path.is_file():
        raise MissingError(f"{path}: no such table of features")
    table = pd.read_csv(path, sep=None, engine="python", dtype=str, comment="#")
    table = table.fillna("").apply(lambda column: column.str.strip())
    if not {"feature", "value"} <= set(table) or not {"sample_id", "patient_id"} & set(
        table
    ):
        raise UsageError(
            f"{path}: needs the columns feature, value, and sample_id or patient_id; "
            f"there are {', '.join(map(str, table.columns))}"
        )
    absent = table["value"].isin(ABSENCES)
    numbers = pd.to_numeric(table["value"].mask(absent), errors="coerce")
    wrong = table.index[numbers.isna() & ~absent]
    if len(wrong):
        listed = [f"line {i + 2}: {table.at[i, 'value']!r}" for i in wrong[:5]]
        raise UsageError(f"{path}: values that are no numbers: {'; '.join(listed)}")
    keys = {k: table.get(k, "") for k in ("sample_id", "patient_id", "timepoint")}
    return pd.DataFrame({**keys, "feature": table["feature"], "value": numbers})


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


def read_gates(
    path: StrPath, sample: str, levels: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Read the gates of a sample from our table, scimap's or CyLinter's.

    In our layout a row applies to ``sample`` if its own column ``sample`` says so or is
    empty.

    Parameters
    ----------
    path : str or Path
    sample : str
    levels : pandas.DataFrame or None
        The sample's levels by marker, without which CyLinter's scale means nothing.

    Returns
    -------
    pandas.DataFrame
        Columns `GATE_COLUMNS`; text that is missing is ``""``.
    """
    path = as_path(path, "gates")
    if not path.is_file():
        raise MissingError(f"{path}: no such gate table")
    table = pd.read_csv(path, comment="#", dtype={"sample": str})
    layout = layout_of(table.columns)
    if layout is None:
        raise UsageError(
            f"{path}: no gate table: give the columns marker and threshold, or "
            "scimap's or CyLinter's layout"
        )
    if layout == "mifprofile":
        table = table.reindex(columns=list(GATE_COLUMNS))
    names = {"mifprofile": ["threshold"], "cylinter": ["gate"]}
    for name in names.get(layout, [*table.columns[1:]]):
        table[name] = _numbers(table, name, path)
    gates = gates_for(table, layout, sample, levels).assign(sample=sample, drift="")
    usual = {"method": "manual", "scope": "slide"}
    usual |= dict.fromkeys(("grade", "note", "author", "time"), "")
    # A column that is empty was read as numbers.
    return gates.astype(dict.fromkeys(usual, object)).fillna(usual)


def _numbers(table: pd.DataFrame, name: str, path: Path) -> pd.Series:
    numbers = pd.to_numeric(table[name], errors="coerce")
    bad = numbers.isna() & table[name].notna()
    if bad.any():
        row = table[bad].iloc[0]
        marker = row.get("marker", row.iloc[0])
        raise UsageError(f"{path}: {name} of {marker} is {row[name]!r}, no number")
    return numbers


def read_manual_gates(
    results: Results, levels: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Read the gates that were set in the viewer; no row if there are none.

    Raises
    ------
    UsageError
        They are another sample's: the folder has been renamed since.
    """
    path = results.gates_manual
    if not path.is_file():
        return pd.DataFrame(columns=list(GATE_COLUMNS))
    table = read_gates(path, results.sample_id, levels)
    if table.empty:
        raise UsageError(
            f"{path}: no gate of sample {results.sample_id!r}; if the folder was "
            "renamed, correct the column 'sample'"
        )
    return table
