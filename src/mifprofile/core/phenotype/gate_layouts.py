"""Gate tables as other programs write them, and what their numbers mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from mifprofile.core.phenotype.gates import GATE_COLUMNS
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Layout = Literal["mifprofile", "scimap", "cylinter"]
CYLINTER_COLUMNS = ("marker", "sample", "condition", "replicate", "gate")
# CyLinter adds it before it takes the decimal logarithm.
CYLINTER_OFFSET = 1e-11
# A gate on which no cell is positive lies this much above the highest level.
JUST_ABOVE = 1e-9


def layout_of(columns: Iterable[str]) -> Layout | None:
    """Whose layout a table has, told by its columns; None if nobody's."""
    names = [str(name) for name in columns]
    if {"marker", "threshold"} <= set(names):
        return "mifprofile"
    if {"marker", "sample", "gate"} <= set(names):
        return "cylinter"
    if names[:1] in (["marker"], ["markers"]) and len(names) > 1:
        return "scimap"
    return None


def gates_for(
    table: pd.DataFrame, layout: Layout, sample: str, levels: pd.DataFrame | None
) -> pd.DataFrame:
    """Gates that a table holds for one sample, on the scale of the levels.

    Parameters
    ----------
    table : pandas.DataFrame
        As the program wrote it: in scimap's layout natural log(1 + level), a column per
        image, or one for all; in CyLinter's, log10(level) brought to 0-1 by the lowest
        and the highest level of each sample and marker.
    layout : str
    sample : str
    levels : pandas.DataFrame or None
        The sample's levels, a column per marker; only CyLinter's scale needs them.

    Returns
    -------
    pandas.DataFrame
        `GATE_COLUMNS`. Gates that another program has not set yet are left out.
    """
    if layout == "mifprofile":
        mine = table["sample"].isna() | (table["sample"].astype(str) == sample)
        return table.loc[mine, list(GATE_COLUMNS)]
    if layout == "scimap":
        rows = _scimap_column(table, sample).dropna()
        thresholds = np.expm1(rows.to_numpy(float))
    else:
        mine = table["sample"].astype(str) == sample
        rows = table[mine].set_index("marker")["gate"].dropna()
        thresholds = _from_unit(rows, levels)
    facts = {
        "sample": sample,
        "marker": rows.index.astype(str),
        "threshold": thresholds,
        "method": "manual",
        "scope": "slide",
        "note": f"from {layout}",
    }
    return pd.DataFrame(facts, columns=list(GATE_COLUMNS))


def to_layout(
    gates: pd.DataFrame,
    layout: Layout,
    levels: Mapping[str, pd.DataFrame],
    conditions: Mapping[str, str],
) -> pd.DataFrame:
    """Gates of several samples in a program's layout and scale.

    Both programs need a number for every marker: where no positive population was
    found, they get one just above the highest level, so that no cell is positive.

    Parameters
    ----------
    gates : pandas.DataFrame
        `GATE_COLUMNS`, with the sample in every row.
    layout : str
    levels : mapping of str to pandas.DataFrame
        Levels by sample.
    conditions : mapping of str to str
        What CyLinter's column ``condition`` says, by sample.
    """
    if layout == "mifprofile":
        return gates
    rows = gates.assign(
        gate=[
            _to_program(layout, row.threshold, levels[row.sample][row.marker])
            for row in gates[["sample", "marker", "threshold"]].itertuples()
        ]
    )
    if layout == "scimap":
        wide = rows.pivot(index="marker", columns="sample", values="gate")
        wide = wide.loc[list(dict.fromkeys(rows["marker"]))]
        return wide.rename_axis(index="markers", columns=None).reset_index()
    condition = rows["sample"].map(lambda sample: conditions.get(sample, ""))
    rows = rows.assign(condition=condition, replicate=1)
    return rows.sort_values(["marker", "sample"])[list(CYLINTER_COLUMNS)]


def _scimap_column(table: pd.DataFrame, sample: str) -> pd.Series:
    by_marker = table.set_index(table.columns[0])
    by_marker.columns = by_marker.columns.astype(str)
    if sample in by_marker:
        return by_marker[sample]
    if by_marker.shape[1] == 1:
        return by_marker.iloc[:, 0]
    raise UsageError(
        f"gates in scimap's layout: no column for sample {sample!r}; "
        f"there are {', '.join(by_marker.columns)}"
    )


def _from_unit(gates: pd.Series, levels: pd.DataFrame | None) -> list[float]:
    if levels is None:
        raise UsageError("gates in CyLinter's layout need the levels of the cells")
    thresholds = []
    for marker, gate in gates.items():
        # A marker that the panel lacks is refused by name later.
        low, high = _log10_range(levels.get(marker, pd.Series([1.0])))
        thresholds.append(10 ** (low + float(gate) * (high - low)) - CYLINTER_OFFSET)
    return thresholds


def _to_program(layout: Layout, threshold: float, levels: pd.Series) -> float:
    low, high = _log10_range(levels)
    if not np.isfinite(threshold):
        top = np.log1p(levels.max()) if layout == "scimap" else 1.0
        return float(top + JUST_ABOVE)
    if layout == "scimap":
        return float(np.log1p(threshold))
    place = np.log10(max(threshold, 0.0) + CYLINTER_OFFSET) - low
    return float(place / (high - low)) if high > low else 1.0 + JUST_ABOVE


def _log10_range(levels: pd.Series) -> tuple[float, float]:
    logs = np.log10(levels.clip(lower=0) + CYLINTER_OFFSET)
    return float(logs.min()), float(logs.max())
