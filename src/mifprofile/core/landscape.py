"""Regions, and every number with its numerator, denominator, area and status."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy import ndimage

from mifprofile.core.capability import NESTS, TREGS, Capability, capability
from mifprofile.core.phenotype import OTHER
from mifprofile.core.quality import close_mask
from mifprofile.core.targets import marker_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mifprofile.model import Panel
    from mifprofile.options import LandscapeOptions

Status = Literal[
    "OK", "LOW_N", "LOW_AREA", "NO_TUMOUR", "NOT_COMPUTABLE", "APPROX", "QC_FAIL"
]
ALL = "all"
GLASS, TUMOUR, STROMA, OUTSIDE, EXCLUDED = range(5)
REGION_NAMES = ("glass", "tumour", "stroma", "outside", "excluded")
# What is reported: whole tissue, then the regions that tile it.
REGIONS: dict[str, tuple[int, ...]] = {
    "tissue": (TUMOUR, STROMA, OUTSIDE),
    "tumour": (TUMOUR,),
    "stroma": (STROMA,),
    "outside": (OUTSIDE,),
}


@dataclass(frozen=True)
class Row:
    """One line of ``landscape.csv``; NaN where a value could not be had."""

    sample_id: str
    region: str
    phenotype: str
    metric: str
    value: float
    unit: str
    phenotype_b: str = ""
    param: str = ""
    n_num: float = np.nan
    n_den: float = np.nan
    area_mm2: float = np.nan
    ci_low: float = np.nan
    ci_high: float = np.nan
    ci_method: str = "none"
    n_blocks: int = 0
    status: Status = "OK"
    reason: str = ""


COLUMNS = (
    "sample_id",
    "region",
    "phenotype",
    "phenotype_b",
    "metric",
    "param",
    "value",
    "unit",
    "n_num",
    "n_den",
    "area_mm2",
    "ci_low",
    "ci_high",
    "ci_method",
    "n_blocks",
    "status",
    "reason",
)


def region_map(
    tissue: NDArray[np.bool_],
    tumour_cells: NDArray[np.uint32],
    um: float,
    options: LandscapeOptions,
    excluded: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Divide the tissue into tumour nests, their stroma and the rest.

    Nests are tumour cells closed by ``nest_close_um``, with pieces of fewer than
    ``nest_min_cells`` tumour cells dropped and small holes filled. The tumour bed is
    the closing of the nests by ``bed_close_um``; stroma is the bed without nests.

    Parameters
    ----------
    tissue : (h, w) bool array
    tumour_cells : (h, w) uint32 array
        Labels of tumour cells alone, on the same grid.
    um : float
        Pixel size of the grid, µm.
    excluded : (h, w) bool array, optional
        Tissue that belongs to no region, and in which no cell is counted.

    Returns
    -------
    (h, w) uint8 array
        0 glass, 1 tumour, 2 stroma, 3 outside the tumour bed, 4 excluded tissue.
    """
    whole = tissue
    if excluded is not None:
        tissue = tissue & ~excluded
    nest = close_mask(tumour_cells > 0, options.nest_close_um / um) & tissue
    nest = _drop_small_nests(nest, tumour_cells, options.nest_min_cells)
    nest = _fill_small_holes(nest, options.nest_hole_um2 / um**2) & tissue
    bed = close_mask(nest, options.bed_close_um / um) & tissue
    out = np.where(tissue, OUTSIDE, GLASS).astype(np.uint8)
    out[bed] = STROMA
    out[nest] = TUMOUR
    out[whole & ~tissue] = EXCLUDED
    return out


def region_of_cells(
    cells: pd.DataFrame, regions: NDArray[np.uint8], um: float
) -> pd.Series:
    """Region in which each cell's centroid lies, by name."""
    rows = np.clip((cells["y_um"] / um).astype(int), 0, regions.shape[0] - 1)
    cols = np.clip((cells["x_um"] / um).astype(int), 0, regions.shape[1] - 1)
    names = pd.Categorical.from_codes(regions[rows, cols].astype(int), REGION_NAMES)
    return pd.Series(names, index=cells.index, name="region")


def landscape(
    sample_id: str,
    cells: pd.DataFrame,
    regions: NDArray[np.uint8],
    um: float,
    panel: Panel,
    options: LandscapeOptions,
    ungated: frozenset[str] = frozenset(),
) -> pd.DataFrame:
    """Areas, counts, densities, percentages and CD8:FOXP3 by region.

    Parameters
    ----------
    cells : pandas.DataFrame
        With ``region``, ``phenotype`` and ``<marker>_positive``.
    regions : (h, w) uint8 array
        As from `region_map`.
    um : float
        Its pixel size, µm.
    ungated : frozenset of str
        Markers in which no positive population was found: what rests on them is
        ``APPROX``.

    Returns
    -------
    pandas.DataFrame
        The columns of ``landscape.csv``; see `Row`.
    """
    rows: list[Row] = []
    pixels = np.bincount(regions.ravel(), minlength=len(REGION_NAMES))
    no_tumour = _no_tumour_reason(panel, pixels)
    excluded = _excluded_reason(pixels)
    limits = _Limits.of(panel)
    for region, codes in REGIONS.items():
        area = float(pixels[list(codes)].sum()) * um**2 / 1e6
        here = cells[cells["region"].isin([REGION_NAMES[c] for c in codes])]
        scope = _Scope(sample_id, region, area, here, panel, options)
        blocked = excluded or (no_tumour if region in {"tumour", "stroma"} else None)
        rows += [
            _blocked(row, *blocked)
            if blocked
            else _limited(_approximate(row, panel, ungated), limits)
            for row in _rows(scope)
        ]
    return pd.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS))


def widen(table: pd.DataFrame) -> pd.DataFrame:
    """One row per sample; columns ``metric__region__phenotype[__phenotype_b]``."""
    keys = ["metric", "region", "phenotype", "phenotype_b"]
    names = table[keys].agg(lambda r: "__".join(k for k in r if k), axis=1)
    wide = table.assign(name=names).pivot_table(
        index="sample_id", columns="name", values="value", sort=False, dropna=False
    )
    return wide[list(dict.fromkeys(names))].rename_axis(columns=None).reset_index()


@dataclass(frozen=True)
class _Scope:
    """What the rows of one region share."""

    sample_id: str
    region: str
    area_mm2: float
    cells: pd.DataFrame
    panel: Panel
    options: LandscapeOptions

    def row(self, phenotype: str, metric: str, value: float, unit: str) -> Row:
        """Build a row that is OK until something else is found."""
        return Row(
            sample_id=self.sample_id,
            region=self.region,
            phenotype=phenotype,
            metric=metric,
            value=value,
            unit=unit,
            area_mm2=self.area_mm2,
        )

    def phenotype_cells(self, name: str) -> pd.DataFrame:
        """Cells of one phenotype, or all of them."""
        if name == ALL:
            return self.cells
        return self.cells[self.cells["phenotype"] == name]


def _rows(scope: _Scope) -> Iterator[Row]:
    yield scope.row("", "area", scope.area_mm2, "mm2")
    for name in (ALL, *scope.panel.phenotypes, OTHER):
        count = len(scope.phenotype_cells(name))
        yield replace(scope.row(name, "count", count, "cells"), n_num=count)
        yield _density(scope, name, count)
        if name != ALL:
            yield _percent(scope, name, "", "pct_of_cells", count, len(scope.cells))
        for state in scope.panel.states:
            yield _state_percent(scope, name, state)
    yield _ratio(scope)


def _density(scope: _Scope, name: str, count: int) -> Row:
    area = scope.area_mm2
    row = replace(scope.row(name, "density", np.nan, "cells/mm2"), n_num=count)
    if area == 0:
        return replace(row, status="LOW_AREA", reason="no tissue in this region")
    if area < scope.options.min_area_mm2:
        limit = scope.options.min_area_mm2
        return replace(row, status="LOW_AREA", reason=f"less than {limit:g} mm2")
    return replace(row, value=count / area)


def _percent(
    scope: _Scope, name: str, state: str, metric: str, part: int, whole: int
) -> Row:
    row = replace(
        scope.row(name, metric, np.nan, "%"), phenotype_b=state, n_num=part, n_den=whole
    )
    if whole == 0:
        return replace(row, status="LOW_N", reason="no cell in the denominator")
    row = replace(row, value=100 * part / whole)
    limit = scope.options.min_parent_cells
    if whole < limit:
        return replace(row, status="LOW_N", reason=f"fewer than {limit} cells")
    return row


def _state_percent(scope: _Scope, name: str, state: str) -> Row:
    parents = scope.phenotype_cells(name)
    part = int(parents[f"{state}_positive"].sum())
    return _percent(scope, name, state, "pct_positive", part, len(parents))


def _ratio(scope: _Scope) -> Row:
    row = replace(
        scope.row("CD8+", "ratio", np.nan, "1"), phenotype_b="FOXP3+", param="CD8:FOXP3"
    )
    missing = {"CD8", "FOXP3"} - set(scope.panel.markers)
    if missing:
        reason = f"the panel has no {' and no '.join(sorted(missing))}"
        return replace(row, status="NOT_COMPUTABLE", reason=reason)
    cd8, foxp3 = (_count_of_marker(scope, marker) for marker in ("CD8", "FOXP3"))
    row = replace(row, n_num=cd8, n_den=foxp3)
    if foxp3 == 0:
        return replace(row, status="LOW_N", reason="zero_denominator")
    row = replace(row, value=cd8 / foxp3)
    limit = scope.options.min_ratio_cells
    if cd8 + foxp3 < limit:
        return replace(row, status="LOW_N", reason=f"fewer than {limit} cells in all")
    return row


def _count_of_marker(scope: _Scope, marker: str) -> int:
    """Cells of the phenotypes whose rule asks for the marker."""
    names = _asking(scope.panel, marker)
    return int(scope.cells["phenotype"].isin(names).sum())


def _asking(panel: Panel, marker: str | None) -> list[str]:
    """Phenotypes whose rule asks for a marker."""
    return [name for name, r in panel.rules.items() if (marker, True) in r.signs]


def _no_tumour_reason(
    panel: Panel, pixels: NDArray[np.int64]
) -> tuple[Status, str] | None:
    if panel.tumour is None:
        return "NOT_COMPUTABLE", "the panel names no tumour phenotype"
    if pixels[TUMOUR] == 0:
        return "NO_TUMOUR", "no tumour nest was found"
    return None


def _excluded_reason(pixels: NDArray[np.int64]) -> tuple[Status, str] | None:
    if pixels[EXCLUDED] and not pixels[[TUMOUR, STROMA, OUTSIDE]].any():
        return "QC_FAIL", "all tissue is excluded"
    return None


def _blocked(row: Row, status: Status, reason: str) -> Row:
    if row.metric in {"area", "count"} and status == "NO_TUMOUR":
        return replace(row, status=status, reason=reason)
    return replace(row, value=np.nan, status=status, reason=reason)


def _approximate(row: Row, panel: Panel, ungated: frozenset[str]) -> Row:
    """Mark a row that counts cells positive for a marker without a gate."""
    asked = {row.phenotype.removesuffix("+"), row.phenotype_b.removesuffix("+")}
    if row.phenotype in panel.phenotypes:
        asked |= {m for m, sign in panel.rules[row.phenotype].signs if sign}
    blind = sorted(asked & ungated)
    if not blind or row.status != "OK":
        return row
    reason = f"no positive population of {' and '.join(blind)} was found"
    return replace(row, status="APPROX", reason=reason)


@dataclass(frozen=True)
class _Limits:
    """What the panel's markers can tell only roughly, and the rows that rest on it."""

    nests: Capability
    tregs: Capability
    treg_phenotypes: list[str]

    @classmethod
    def of(cls, panel: Panel) -> _Limits:
        """Limits of a panel."""
        names = _asking(panel, marker_of("FOXP3", panel))
        return cls(capability(panel, NESTS), capability(panel, TREGS), names)


def _limited(row: Row, limits: _Limits) -> Row:
    """Mark a row that the panel's markers can answer only roughly."""
    found = []
    if row.region in {"tumour", "stroma"}:
        found.append(limits.nests)
    if row.phenotype_b == "FOXP3+" or row.phenotype in limits.treg_phenotypes:
        found.append(limits.tregs)
    rough = [limit for limit in found if limit.answer == "APPROX"]
    if row.status != "OK" or not rough:
        return row
    return replace(row, status="APPROX", reason=rough[0].reason)


def _drop_small_nests(
    nest: NDArray[np.bool_], tumour_cells: NDArray[np.uint32], min_cells: int
) -> NDArray[np.bool_]:
    pieces, count = ndimage.label(nest, structure=np.ones((3, 3)))
    inside = pieces > 0
    pairs = np.stack([pieces[inside], tumour_cells[inside]], axis=1)
    pairs = np.unique(pairs[pairs[:, 1] > 0], axis=0)
    cells = np.bincount(pairs[:, 0], minlength=count + 1)
    large = cells >= min_cells
    large[0] = False
    return np.asarray(large[pieces])


def _fill_small_holes(nest: NDArray[np.bool_], max_hole_px: float) -> NDArray[np.bool_]:
    holes, count = ndimage.label(~nest)
    sizes = np.bincount(holes.ravel(), minlength=count + 1)
    small = sizes < max_hole_px
    small[0] = True
    return np.asarray(small[holes])
