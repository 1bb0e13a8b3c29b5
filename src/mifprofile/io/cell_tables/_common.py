"""What every kind of cell table is turned into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mifprofile.core.panel.targets import folded, target_of
from mifprofile.errors import FormatError, UsageError
from mifprofile.model import COMPARTMENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mifprofile.model import Compartment, Panel

# Columns of text that a table may or may not bring along.
GIVEN = ("phenotype_given", "region_given", "field")


@dataclass(frozen=True)
class CellTable:
    """Cells that another program found.

    Parameters
    ----------
    cells : pandas.DataFrame
        ``cell_id`` (1..n, in the table's order), ``x_um``, ``y_um``, areas where
        known, ``<marker>_<compartment>_mean`` and bool ``<marker>_positive`` where
        given; text ``phenotype_given``, ``region_given`` and ``field``, "" where the
        table says nothing; then the table's own columns that were not understood.
    program : str
        Which program wrote it, such as ``"inForm"``.
    lacking : tuple of str
        What the panel asks for and the table does not hold.
    """

    cells: pd.DataFrame
    program: str
    lacking: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """How to find what is needed among a table's columns.

    Parameters
    ----------
    program : str
    x, y, area, nucleus_area : pandas.Series or None
        In µm and µm².
    phenotype, region, field : pandas.Series or None
        Text.
    mean : callable
        (marker label, compartment) of a column, None if it holds no mean.
    positive : callable
        Marker label of a column, None if it holds no call.
    used : frozenset of str
        Columns behind the series above.
    """

    program: str
    x: pd.Series
    y: pd.Series
    area: pd.Series | None
    nucleus_area: pd.Series | None
    phenotype: pd.Series | None
    region: pd.Series | None
    field: pd.Series | None
    mean: Callable[[str], tuple[str, Compartment] | None]
    positive: Callable[[str], str | None]
    used: frozenset[str]


def assemble(table: pd.DataFrame, layout: Layout, panel: Panel) -> CellTable:
    """Give a table our columns and keep the rest of it."""
    means, calls = _find(table, layout, panel)
    bare = {
        "cell_id": pd.RangeIndex(1, len(table) + 1).astype("uint32"),
        "x_um": layout.x.to_numpy(float),
        "y_um": layout.y.to_numpy(float),
    }
    sizes = {"area_um2": layout.area, "nucleus_area_um2": layout.nucleus_area}
    sizes = {k: v.to_numpy(float) for k, v in sizes.items() if v is not None}
    given = (layout.phenotype, layout.region, layout.field)
    texts = {k: _text(v, len(table)) for k, v in zip(GIVEN, given, strict=True)}
    levels = {ours: numbers(table, c).to_numpy() for ours, c in means.items()}
    told = {ours: c for ours, c in calls.items() if _is_told(table[c])}
    positive = {ours: _truth(table[c]) for ours, c in told.items()}
    known = layout.used | set(means.values()) | set(calls.values())
    rest = table[[c for c in table.columns if c not in known]].reset_index(drop=True)
    cells = pd.DataFrame({**bare, **sizes, **texts, **levels, **positive})
    _refuse_placeless(cells)
    clash = rest.rename(columns=lambda c: f"{c}_given" if c in cells else c)
    return CellTable(
        pd.concat([cells, clash], axis=1), layout.program, _lacking(cells, panel)
    )


def micrometres(
    table: pd.DataFrame, column: str, pixel_um: float | None, power: int, unit: str
) -> pd.Series:
    """A column of lengths (power 1) or areas (power 2) in µm or µm².

    Raises
    ------
    UsageError
        The column is in pixels and nobody said how large they are.
    """
    if unit not in {"pixels", "px"}:
        return numbers(table, column)
    if pixel_um is None:
        raise UsageError(
            f"column {column!r} is in pixels; give their size in µm with --pixel-size"
        )
    return numbers(table, column) * pixel_um**power


def numbers(table: pd.DataFrame, column: str) -> pd.Series:
    """A column as floats.

    Raises
    ------
    FormatError
        It holds something else; says in which row.
    """
    values = pd.to_numeric(table[column], errors="coerce")
    bad = values.isna() & table[column].notna()
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise FormatError(
            f"column {column!r} holds {table[column].iloc[row]!r}, no number, "
            f"in line {row + 2}"
        )
    return values.astype(float)


def label_of(name: str) -> str:
    """A channel's name without its dye in brackets, case and punctuation."""
    return folded(name.split("(")[0] or name)


def _find(
    table: pd.DataFrame, layout: Layout, panel: Panel
) -> tuple[dict[str, str], dict[str, str]]:
    """Our column name to theirs, of means and of calls; the first of a kind wins."""
    labels = _labels(panel)
    means: dict[str, str] = {}
    calls: dict[str, str] = {}
    for column in map(str, table.columns):
        mean, call = layout.mean(column), layout.positive(column)
        if mean is not None:
            for marker in _markers(mean[0], labels):
                means.setdefault(f"{marker}_{mean[1]}_mean", column)
        elif call is not None:
            for marker in _markers(call, labels):
                calls.setdefault(f"{marker}_positive", column)
    return means, calls


def _labels(panel: Panel) -> dict[str, list[str]]:
    """Folded names to the markers that they stand for, of names and channels."""
    labels: dict[str, list[str]] = {}
    for marker, spec in panel.markers.items():
        for name in dict.fromkeys((label_of(marker), label_of(spec.channel))):
            labels.setdefault(name, []).append(marker)
    return labels


def _markers(label: str, labels: Mapping[str, list[str]]) -> list[str]:
    """Markers that a column's label means: by its name, else by its molecule."""
    if label_of(label) in labels:
        return labels[label_of(label)]
    target = target_of(label_of(label))
    if target is None:
        return []
    return [m for ms in labels.values() for m in ms if target_of(m) == target]


def _lacking(cells: pd.DataFrame, panel: Panel) -> tuple[str, ...]:
    named = (cells["phenotype_given"] != "").any()
    wanted = [
        f"{name} ({marker.measure})"
        for name, marker in panel.markers.items()
        if f"{name}_{marker.measure}_mean" not in cells
        and f"{name}_positive" not in cells
    ]
    others = {"phenotype": named, "region": (cells["region_given"] != "").any()}
    return (*wanted, *(name for name, there in others.items() if not there))


def _refuse_placeless(cells: pd.DataFrame) -> None:
    lost = cells[["x_um", "y_um"]].isna().any(axis=1)
    if lost.any():
        line = int(lost.to_numpy().argmax()) + 2
        raise FormatError(f"the cell in line {line} has no position")


def _text(values: pd.Series | None, count: int) -> list[str]:
    if values is None:
        return [""] * count
    return ["" if pd.isna(v) else str(v).strip() for v in values]


def _is_told(values: pd.Series) -> bool:
    """Whether anything stands in a column: our own leaves undecided markers empty."""
    return bool((values.notna() & (values.astype(str).str.strip() != "")).any())


def _truth(values: pd.Series) -> pd.Series:
    """Bool of 0/1, True/False, Positive/Negative; what is empty is not positive."""
    if pd.api.types.is_numeric_dtype(values):
        return (values.fillna(0) > 0).to_numpy()
    words = values.astype(str).str.strip().str.casefold()
    return words.isin(["true", "positive", "pos", "+", "1", "yes"]).to_numpy()


def compartment(word: str) -> Compartment | None:
    """Our name of a compartment that a program names."""
    names = {"entire cell": "cell", "whole cell": "cell"} | {c: c for c in COMPARTMENTS}
    return names.get(word.strip().casefold())  # type: ignore[return-value]
