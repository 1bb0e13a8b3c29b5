"""Rows of the landscape, and the blocks from which they get their intervals."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.uncertainty import Blocks, Interval, Kind, Tallies, block_intervals

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

    from mifprofile.core.scores import Score, Status
    from mifprofile.model import Panel
    from mifprofile.options import LandscapeOptions

    Floats = NDArray[np.float64]

ALL = "all"
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


COLUMNS = tuple(field.name for field in fields(Row))
TEXT_COLUMNS = tuple(f.name for f in fields(Row) if f.type not in {"float", "int"})


@dataclass(frozen=True)
class Sums:
    """What a value is the ratio of, block by block.

    Attributes
    ----------
    numerators, denominators : (k,) float64 array
    kind : str
        As in `mifprofile.core.uncertainty.Tallies`.
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
        self, phenotype: str, metric: str, value: float, unit: str, *, param: str = ""
    ) -> Row:
        """Build a row that is OK until something else is found."""
        return Row(
            sample_id=self.sample_id,
            region=self.region,
            phenotype=phenotype,
            phenotype_b="",
            metric=metric,
            param=param,
            value=value,
            unit=unit,
            area_mm2=self.area_mm2,
        )

    def scored(self, phenotype: str, score: Score, *, param: str = "") -> Row:
        """Row of a score."""
        row = self.row(phenotype, score.name, score.value, score.unit, param=param)
        return replace(
            row,
            n_num=score.n_num,
            n_den=score.n_den,
            status=score.status,
            reason=score.reason,
        )

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


def lineage_labels(panel: Panel) -> dict[str, str]:
    """Names under which lineages are reported with all their subsets → lineage."""
    return {f"{p.lineage} (all)": p.lineage for p in panel.populations if p.parents}


def with_intervals(
    estimates: Iterable[Estimate], blocks: Blocks, min_blocks: int
) -> list[Row]:
    """Rows with the intervals of those values that have one.

    A value that lacks its interval for want of blocks is ``NO_INTERVAL``.
    """
    listed = list(estimates)
    able = [e.sums if np.isfinite(e.row.value) else None for e in listed]
    sums = [one for one in able if one is not None]
    found = iter(_intervals(sums, blocks, min_blocks))
    return [
        e.row if one is None else _with(e.row, one, next(found), min_blocks)
        for e, one in zip(listed, able, strict=True)
    ]


def _intervals(sums: list[Sums], blocks: Blocks, min_blocks: int) -> list[Interval]:
    if not sums:
        return []
    tallies = Tallies(
        np.stack([one.numerators for one in sums], axis=1),
        np.stack([one.denominators for one in sums], axis=1),
        [one.kind for one in sums],
        np.array([one.ceiling for one in sums]),
    )
    return block_intervals(
        tallies, blocks.weights, min_blocks=min_blocks, block_um=blocks.block_um
    )


def _with(row: Row, sums: Sums, interval: Interval, min_blocks: int) -> Row:
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
    edge = f"{interval.block_um:.0f} µm"
    why = f"no interval: fewer than {min_blocks} blocks of {edge}"
    if row.status == "OK":
        return replace(row, status="NO_INTERVAL", reason=why)
    return replace(row, reason=f"{row.reason}; {why}")
