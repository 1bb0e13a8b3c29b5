"""HER2 of tumour cells: H-score, bins, class and heterogeneity."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.landscape.estimates import (
    Estimate,
    Row,
    Sums,
    scored,
    without_value,
)
from mifprofile.core.landscape.metrics import METRICS
from mifprofile.core.landscape.rows import percent
from mifprofile.core.landscape.scores import h_score, her2_bins, her2_class
from mifprofile.core.panel.targets import marker_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mifprofile.core.landscape.sample import SampleScopes

    Floats = NDArray[np.float64]

BINS = ("0", "1+", "2+", "3+")
# Without controls of known score bins begin at these multiples of the gate.
OF_GATE = (0.5, 1.0, 2.0)


@dataclass(frozen=True)
class _Her2:
    """Tumour cells of a sample by HER2.

    Attributes
    ----------
    tumour : (n,) bool array
        Of the cells of the tissue.
    bins : (n,) int array
        All 0 if it is not known where they begin.
    completeness : (n,) float array
        All 0 if it is not known.
    known : frozenset of str
        Of ``bins`` and ``completeness``.
    """

    sample: SampleScopes
    tumour: NDArray[np.bool_]
    bins: NDArray[np.intp]
    completeness: Floats
    known: frozenset[str]

    @classmethod
    def of(cls, sample: SampleScopes) -> _Her2:
        cells, name = sample.scopes["tissue"].cells, marker_of("HER2", sample.panel)
        bins, completeness = np.zeros(len(cells), np.intp), np.zeros(len(cells))
        known = set()
        column, levels = _levels(sample, name)
        if levels is not None and column in cells:
            bins = her2_bins(cells[column].to_numpy(float), levels)
            known.add("bins")
        if (complete := f"{name}_membrane_completeness") in cells:
            completeness = cells[complete].to_numpy(float)
            known.add("completeness")
        return cls(sample, sample.tumour, bins, completeness, frozenset(known))

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Which cells have a membrane that is stained all round."""
        return self.completeness >= self.sample.options.her2_complete

    def row(self, metric: str, param: str = "") -> Row:
        """Row of tumour cells and HER2."""
        whose, tissue = self.sample.panel.tumour or "", self.sample.scopes["tissue"]
        return tissue.row(whose, metric, phenotype_b="HER2", param=param)

    def share(
        self, metric: str, chosen: NDArray[np.bool_], param: str = ""
    ) -> Estimate:
        """Share of tumour cells."""
        row, tissue = self.row(metric, param), self.sample.scopes["tissue"]
        found = percent(tissue, row, self.tumour & chosen, self.tumour)
        # How many tumour cells are enough is asked of all scores alike.
        return replace(found, row=replace(found.row, status="OK", reason=""))

    def tells(self, metric: str) -> bool:
        """Whether the cells hold what a metric is made of."""
        if METRICS[metric].her2 == "gate":
            return True
        return (
            {"bins", "completeness"} if METRICS[metric].columns else {"bins"}
        ) <= self.known


def her2_rows(sample: SampleScopes) -> Iterator[Estimate]:
    """All that is said of HER2; the same rows for every panel."""
    her2 = _Her2.of(sample)
    for found in chain(_of_cells(her2), _heterogeneity(her2)):
        if her2.tells(found.row.metric):
            yield found
        else:
            yield Estimate(replace(found.row, value=np.nan))


def _of_cells(her2: _Her2) -> Iterator[Estimate]:
    yield _h_score(her2)
    for level, name in enumerate(BINS):
        yield her2.share("her2_pct_bin", her2.bins == level, f"bin={name}")
    yield her2.share("her2_pct_pos", _positive(her2))
    yield her2.share("her2_pct_complete", her2.complete & (her2.bins > 0))
    score = her2_class(
        her2.bins[her2.tumour],
        her2.completeness[her2.tumour],
        complete=her2.sample.options.her2_complete,
    )
    yield Estimate(scored(her2.row("her2_class"), score))


def _levels(
    sample: SampleScopes, name: str | None
) -> tuple[str, tuple[float, float, float] | None]:
    """Column of HER2, and where its bins begin: by controls, else by its gate."""
    levels = sample.options.her2_levels
    if levels is not None or name is None:
        return f"{name}_membrane_mean", levels
    gate = sample.gates.thresholds.get(name)
    column = sample.panel.level_columns[name]
    if gate is None:
        return column, None
    # Of a marker that is absent no cell exceeds any bin.
    one, two, three = (gate * f if np.isfinite(gate) else np.inf for f in OF_GATE)
    return column, (one, two, three)


def _h_score(her2: _Her2) -> Estimate:
    tissue = her2.sample.scopes["tissue"]
    return Estimate(
        scored(her2.row("her2_h_score"), h_score(her2.bins[her2.tumour])),
        Sums(
            tissue.by_block(her2.tumour, her2.bins.astype(float)),
            tissue.by_block(her2.tumour),
            kind="score",
            ceiling=3.0,
            scale=100.0,
        ),
    )


def _positive(her2: _Her2) -> NDArray[np.bool_]:
    """HER2+ cells: from 2+ on, or by the gate without levels."""
    if her2.sample.options.her2_levels is not None and "bins" in her2.known:
        return her2.bins >= 2
    return her2.sample.positive(her2.sample.scopes["tissue"], "HER2")


def _heterogeneity(her2: _Her2) -> Iterator[Estimate]:
    """How H-score and class differ between the blocks that hold enough tumour cells."""
    of = her2.sample.scopes["tissue"].cells["block"].to_numpy()
    least = her2.sample.options.min_parent_cells
    places, sizes = np.unique(of[her2.tumour & (of >= 0)], return_counts=True)
    used = [her2.tumour & (of == place) for place in places[sizes >= least]]
    for row in (her2.row("her2_block_cv"), her2.row("her2_pct_blocks_low")):
        found = replace(row, n_blocks=len(used))
        if len(used) < 2:
            reason = f"fewer than 2 blocks with {least} tumour cells"
            yield Estimate(without_value(found, "LOW_AREA", reason))
        elif row.metric == "her2_block_cv":
            yield Estimate(_block_cv(her2, found, used))
        else:
            yield Estimate(_blocks_low(her2, found, used))


def _block_cv(her2: _Her2, row: Row, used: list[NDArray[np.bool_]]) -> Row:
    means = np.array([her2.bins[mine].mean() for mine in used])
    if means.mean() == 0:
        return without_value(row, "LOW_N", "no HER2 in any block")
    return replace(row, value=float(means.std(ddof=1) / means.mean()))


def _blocks_low(her2: _Her2, row: Row, used: list[NDArray[np.bool_]]) -> Row:
    least = her2.sample.options.her2_complete
    classes = [
        her2_class(her2.bins[mine], her2.completeness[mine], complete=least).value
        for mine in used
    ]
    low = sum(found in {1, 2} for found in classes)
    return replace(row, value=100 * low / len(used), n_num=low, n_den=len(used))
