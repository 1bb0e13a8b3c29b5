"""HER2 of tumour cells: H-score, bins, class and heterogeneity."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.landscape.estimates import Estimate, Row, Sums
from mifprofile.core.landscape.rows import percent
from mifprofile.core.landscape.sample import (
    Sample,
    needs_column,
    without_value,
)
from mifprofile.core.scores import HAS_VALUE, Score, h_score, her2_bins, her2_class
from mifprofile.core.targets import marker_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

H_SCORE, SHARE = "HER2 H-score", "share of HER2+ tumour cells"
BINS = ("0", "1+", "2+", "3+")
NO_LEVELS = "neither landscape.her2_levels nor a gate says where 1+, 2+ and 3+ begin"
# Without controls of known score bins begin at these multiples of the gate.
OF_GATE = (0.5, 1.0, 2.0)
RELATIVE = "bins from ½, 1 and 2 times the gate of HER2, not by controls"


@dataclass(frozen=True)
class _Her2:
    """Tumour cells of a sample by HER2.

    Attributes
    ----------
    tumour : (n,) bool array
        Of the cells of the tissue.
    bins : (n,) int array or None
        None if it is not known where they begin.
    completeness : (n,) float array or None
    """

    sample: Sample
    tumour: NDArray[np.bool_]
    bins: NDArray[np.intp] | None
    completeness: Floats | None

    @classmethod
    def of(cls, sample: Sample) -> _Her2:
        cells, name = sample.scopes["tissue"].cells, marker_of("HER2", sample.panel)
        complete = f"{name}_membrane_completeness"
        bins, (column, levels) = None, _levels(sample, name)
        if levels is not None and column in cells:
            bins = her2_bins(cells[column].to_numpy(float), levels)
        whole = cells[complete].to_numpy(float) if complete in cells else None
        return cls(sample, sample.tumour, bins, whole)

    def row(self, metric: str, unit: str, param: str = "") -> Row:
        """Row that says why it has no value, if anything is against it."""
        tissue = self.sample.scopes["tissue"]
        whose = self.sample.panel.tumour or ""
        row = tissue.row(whose, metric, np.nan, unit, param=param)
        row = replace(row, phenotype_b="HER2")
        found = self.sample.answered(row, H_SCORE)
        if self.sample.panel.tumour is None:
            reason = "the panel names no tumour phenotype"
            return without_value(row, "NOT_COMPUTABLE", reason)
        if found.status == "NOT_COMPUTABLE":
            return found
        if self.sample.options.her2_levels is None:
            return self._relative(found)
        name = marker_of("HER2", self.sample.panel)
        return needs_column(found, tissue, f"{name}_membrane_mean")

    def _relative(self, row: Row) -> Row:
        name = marker_of("HER2", self.sample.panel)
        if self.bins is None and name not in self.sample.undecided:
            return without_value(row, "NOT_COMPUTABLE", NO_LEVELS)
        if row.status != "OK":
            return row
        return replace(row, status="APPROX", reason=RELATIVE)

    def complete_row(self, metric: str, unit: str) -> Row:
        """Row that needs the membrane's completeness as well."""
        row, name = self.row(metric, unit), marker_of("HER2", self.sample.panel)
        if row.status == "NOT_COMPUTABLE":
            return row
        tissue = self.sample.scopes["tissue"]
        return needs_column(row, tissue, f"{name}_membrane_completeness")


def _levels(
    sample: Sample, name: str | None
) -> tuple[str, tuple[float, float, float] | None]:
    """Column of HER2, and where its bins begin: by controls, else by its gate."""
    levels = sample.options.her2_levels
    if levels is not None or name is None:
        return f"{name}_membrane_mean", levels
    column = sample.panel.level_columns[name]
    gate = sample.thresholds.get(name, np.nan)
    if np.isfinite(gate):
        one, two, three = (gate * times for times in OF_GATE)
        return column, (one, two, three)
    absent = name in sample.thresholds and name not in sample.undecided
    return column, (np.inf, np.inf, np.inf) if absent else None


def her2_rows(sample: Sample) -> Iterator[Estimate]:
    """All that is said of HER2; the same rows for every panel."""
    her2 = _Her2.of(sample)
    yield _h_score(her2)
    yield from _bins(her2)
    yield _positive(sample, her2)
    yield _complete(her2)
    yield _class(her2)
    yield from _heterogeneity(her2)


def _h_score(her2: _Her2) -> Estimate:
    row = her2.row("her2_h_score", "1")
    if row.status == "NOT_COMPUTABLE" or her2.bins is None:
        return Estimate(row)
    least = her2.sample.options.min_tumour_cells
    score = h_score(her2.bins[her2.tumour], min_tumour_cells=least)
    tissue = her2.sample.scopes["tissue"]
    return Estimate(
        her2.sample.on_enough_tumour(_scored(row, score)),
        Sums(
            tissue.by_block(her2.tumour, her2.bins.astype(float)),
            tissue.by_block(her2.tumour),
            kind="score",
            ceiling=3.0,
            scale=100.0,
        ),
    )


def _bins(her2: _Her2) -> Iterator[Estimate]:
    for level, name in enumerate(BINS):
        row = her2.row("her2_pct_bin", "%", param=f"bin={name}")
        if row.status == "NOT_COMPUTABLE" or her2.bins is None:
            yield Estimate(row)
        else:
            yield _share(her2, row, her2.tumour & (her2.bins == level))


def _positive(sample: Sample, her2: _Her2) -> Estimate:
    """Share of HER2+ tumour cells: from 2+ on, or by the gate without levels."""
    tissue = sample.scopes["tissue"]
    row = tissue.row(sample.panel.tumour or "", "her2_pct_pos", np.nan, "%")
    row = replace(row, phenotype_b="HER2")
    row = sample.answered(row, SHARE)
    if sample.panel.tumour is None:
        reason = "the panel names no tumour phenotype"
        row = without_value(row, "NOT_COMPUTABLE", reason)
    if row.status == "NOT_COMPUTABLE":
        return Estimate(row)
    if sample.options.her2_levels is not None and her2.bins is not None:
        return _share(her2, row, her2.tumour & (her2.bins >= 2))
    if row.status == "OK":
        reason = "by the gate of HER2, not by calibrated levels"
        row = replace(row, status="APPROX", reason=reason)
    return _share(her2, row, her2.tumour & sample.positive(tissue, "HER2"))


def _complete(her2: _Her2) -> Estimate:
    row = her2.complete_row("her2_pct_complete", "%")
    if row.status == "NOT_COMPUTABLE" or her2.bins is None or her2.completeness is None:
        return Estimate(row)
    whole = her2.completeness >= her2.sample.options.her2_complete
    return _share(her2, row, her2.tumour & whole & (her2.bins > 0))


def _class(her2: _Her2) -> Estimate:
    row = her2.complete_row("her2_class", "class")
    if row.status == "NOT_COMPUTABLE" or her2.bins is None or her2.completeness is None:
        return Estimate(row)
    score = her2_class(
        her2.bins[her2.tumour],
        her2.completeness[her2.tumour],
        complete=her2.sample.options.her2_complete,
        min_tumour_cells=her2.sample.options.min_tumour_cells,
    )
    return Estimate(her2.sample.on_enough_tumour(_scored(row, score)))


def _heterogeneity(her2: _Her2) -> Iterator[Estimate]:
    """How H-score and class differ between the blocks that hold enough tumour cells."""
    of = her2.sample.scopes["tissue"].cells["block"].to_numpy()
    least = her2.sample.options.min_parent_cells
    places, sizes = np.unique(of[her2.tumour & (of >= 0)], return_counts=True)
    used = [her2.tumour & (of == place) for place in places[sizes >= least]]
    yield Estimate(_block_cv(her2, used))
    yield Estimate(_blocks_low(her2, used))


def _block_cv(her2: _Her2, used: list[NDArray[np.bool_]]) -> Row:
    row = _of_blocks(her2, her2.row("her2_block_cv", "1"), len(used))
    bins = her2.bins
    if bins is None or row.status not in HAS_VALUE:
        return row
    means = np.array([bins[mine].mean() for mine in used])
    if means.mean() == 0:
        return without_value(row, "LOW_N", "no HER2 in any block")
    return replace(row, value=float(means.std(ddof=1) / means.mean()))


def _blocks_low(her2: _Her2, used: list[NDArray[np.bool_]]) -> Row:
    row = her2.complete_row("her2_pct_blocks_low", "%")
    row = _of_blocks(her2, row, len(used))
    bins, completeness = her2.bins, her2.completeness
    if bins is None or completeness is None or row.status not in HAS_VALUE:
        return row
    options = her2.sample.options
    classes = [
        her2_class(
            bins[mine],
            completeness[mine],
            complete=options.her2_complete,
            min_tumour_cells=options.min_parent_cells,
        ).value
        for mine in used
    ]
    low = sum(found in {1, 2} for found in classes)
    return replace(row, value=100 * low / len(used), n_num=low, n_den=len(used))


def _of_blocks(her2: _Her2, row: Row, count: int) -> Row:
    """Row over blocks, if there are enough of them and enough tumour in all."""
    row = _on_tumour(her2, replace(row, n_blocks=count))
    if count >= 2 or row.status not in HAS_VALUE:
        return row
    least = her2.sample.options.min_parent_cells
    reason = f"fewer than 2 blocks with {least} tumour cells"
    return without_value(row, "LOW_AREA", reason)


def _on_tumour(her2: _Her2, row: Row) -> Row:
    """Row without a value if there is too little tumour."""
    if row.status == "NOT_COMPUTABLE":
        return row
    least = her2.sample.options.min_tumour_cells
    if her2.tumour.sum() == 0:
        return without_value(row, "NO_TUMOUR", "no tumour cell was found")
    if her2.tumour.sum() < least:
        reason = f"fewer than {least} tumour cells"
        return replace(row, status="SMALL", reason=reason)
    return her2.sample.on_enough_tumour(row)


def _share(her2: _Her2, row: Row, chosen: NDArray[np.bool_]) -> Estimate:
    """Share of tumour cells, if there are enough of them."""
    found = percent(her2.sample.scopes["tissue"], row, chosen, her2.tumour)
    return replace(found, row=_on_tumour(her2, found.row))


def _scored(row: Row, score: Score) -> Row:
    """Put a score into its row; its own objections go first."""
    found = replace(row, value=score.value, n_num=score.n_num, n_den=score.n_den)
    if score.status == "OK":
        return found
    return replace(found, status=score.status, reason=score.reason)
