"""Rows of the landscape, and the blocks from which they get their intervals."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.landscape.metrics import METRICS
from mifprofile.core.landscape.uncertainty import (
    Blocks,
    Interval,
    Kind,
    Tallies,
    block_intervals,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

    from mifprofile.core.landscape.scores import Score, Status
    from mifprofile.model import Panel
    from mifprofile.options import LandscapeOptions

    Floats = NDArray[np.float64]

ALL = "all"
UNKNOWN_AREA = "the area of this region is not known"
NO_SHAPE = "the shape of the tissue is not known"
# Rows of a lineage with its subsets, which the rows of its phenotypes have already.
LINEAGE = "lineage"


@dataclass(frozen=True)
class Row:
    """One line of ``landscape.csv``; NaN where a value could not be had."""

    sample_id: str
    region: str
    phenotype: str
    phenotype_b: str
    metric: str
    param: str
    value: float
    unit: str
    n_num: float = np.nan
    n_den: float = np.nan
    area_mm2: float = np.nan
    ci_low: float = np.nan
    ci_high: float = np.nan
    ci_method: str = "none"
    n_blocks: int = 0
    status: Status = "OK"
    reason: str = ""
    grade: str = ""
    n_corrected: float = np.nan
    n_corrected_low: float = np.nan
    n_corrected_high: float = np.nan
    value_at_low_gates: float = np.nan
    value_at_high_gates: float = np.nan


COLUMNS = tuple(field.name for field in fields(Row))


@dataclass(frozen=True)
class Sums:
    """What a value is the ratio of, block by block.

    Attributes
    ----------
    numerators, denominators : (k,) float64 array
    kind : str
        As in `mifprofile.core.landscape.uncertainty.Tallies`.
    ceiling : float
        Largest possible ratio.
    scale : float
        The value is this times the ratio of the sums.
    cap : float
        Larger values are given as this one.
    """

    numerators: Floats
    denominators: Floats
    kind: Kind = "rate"
    ceiling: float = np.inf
    scale: float = 1.0
    cap: float = np.inf


@dataclass(frozen=True)
class Estimate:
    """A row and the sums behind its value; None for what has no interval."""

    row: Row
    sums: Sums | None = None


@dataclass(frozen=True)
class Scope:
    """What the rows of one region share.

    Attributes
    ----------
    area_mm2 : float
    areas_mm2 : (k,) float64 array
        Of the region in each block.
    cells : pandas.DataFrame
        Cells of the region, with ``block``.
    """

    sample_id: str
    region: str
    area_mm2: float
    areas_mm2: Floats
    cells: pd.DataFrame
    panel: Panel
    options: LandscapeOptions

    @classmethod
    def of(
        cls,
        sample_id: str,
        region: str,
        areas_mm2: Floats,
        cells: pd.DataFrame,
        panel: Panel,
        options: LandscapeOptions,
    ) -> Scope:
        """A region from its areas and cells."""
        area_mm2 = float(areas_mm2.sum())
        return cls(sample_id, region, area_mm2, areas_mm2, cells, panel, options)

    def row(
        self,
        phenotype: str,
        metric: str,
        value: float = np.nan,
        *,
        phenotype_b: str = "",
        param: str = "",
    ) -> Row:
        """Build a row that is OK until something else is found."""
        return Row(
            sample_id=self.sample_id,
            region=self.region,
            phenotype=phenotype,
            phenotype_b=phenotype_b,
            metric=metric,
            param=param,
            value=value,
            unit=METRICS[metric].unit,
            area_mm2=self.area_mm2,
        )

    @property
    def cell_areas_mm2(self) -> Floats:
        """Area of each cell, 0 if it is not known, (n,)."""
        if "area_um2" not in self.cells:
            return np.zeros(len(self.cells))
        return self.cells["area_um2"].to_numpy(float) / 1e6

    def of_phenotype(self, name: str) -> NDArray[np.bool_]:
        """Which cells are of one phenotype or lineage, or all of them."""
        if name == ALL:
            return np.ones(len(self.cells), bool)
        lineage = lineage_labels(self.panel).get(name)
        if lineage is not None:
            return (self.cells["lineage"] == lineage).to_numpy()
        return (self.cells["phenotype"] == name).to_numpy()

    def by_block(
        self, chosen: NDArray[np.bool_], weights: Floats | None = None
    ) -> Floats:
        """Cells of each block that are chosen, (k,), or the sum of their weights."""
        of = self.cells["block"].to_numpy()
        use = chosen & (of >= 0)
        picked = None if weights is None else weights[use]
        return np.bincount(of[use], picked, len(self.areas_mm2)).astype(float)


def scored(row: Row, score: Score) -> Row:
    """Put a score into its row."""
    return replace(row, value=score.value, n_num=score.n_num, n_den=score.n_den)


def without_value(row: Row, status: Status, reason: str) -> Row:
    """Row whose value could not be had."""
    return replace(row, value=np.nan, status=status, reason=reason)


def lineage_labels(panel: Panel) -> dict[str, str]:
    """Names under which lineages are reported with all their subsets → lineage."""
    return {f"{p.lineage} (all)": p.lineage for p in panel.populations if p.parents}


def with_intervals(
    estimates: Iterable[Estimate], blocks: Blocks | None, min_blocks: int
) -> list[Row]:
    """Rows with the intervals of those values that have one.

    A value that lacks its interval for want of blocks is ``NO_INTERVAL``. Where tissue
    is known by its areas alone (no ``blocks``) only what is none, or all, has limits.
    """
    listed = list(estimates)
    able = [e.sums if np.isfinite(e.row.value) else None for e in listed]
    sums = [one for one in able if one is not None]
    found = iter(_intervals(sums, blocks, min_blocks))
    why = NO_SHAPE
    if blocks is not None:
        why = f"fewer than {min_blocks} blocks of {blocks.block_um:.0f} µm"
    return [
        e.row if one is None else _with(e.row, one, next(found), min_blocks, why)
        for e, one in zip(listed, able, strict=True)
    ]


def _intervals(
    sums: list[Sums], blocks: Blocks | None, min_blocks: int
) -> list[Interval]:
    if not sums:
        return []
    tallies = Tallies(
        np.stack([one.numerators for one in sums], axis=1),
        np.stack([one.denominators for one in sums], axis=1),
        [one.kind for one in sums],
        np.array([one.ceiling for one in sums]),
    )
    known = (np.eye(1), np.nan) if blocks is None else (blocks.weights, blocks.block_um)
    weights, block_um = known
    return block_intervals(tallies, weights, min_blocks=min_blocks, block_um=block_um)


def _with(row: Row, sums: Sums, interval: Interval, min_blocks: int, why: str) -> Row:
    row = replace(
        row,
        ci_low=min(interval.low * sums.scale, sums.cap),
        ci_high=min(interval.high * sums.scale, sums.cap),
        ci_method=interval.method,
        n_blocks=interval.n_blocks,
    )
    if interval.method != "none":
        return row
    if interval.n_blocks >= min_blocks:
        return replace(row, reason=row.reason or "no interval: none in any block")
    reason = "; ".join(filter(None, (row.reason, f"no interval: {why}")))
    status: Status = "NO_INTERVAL" if row.status == "OK" else row.status
    return replace(row, status=status, reason=reason)
