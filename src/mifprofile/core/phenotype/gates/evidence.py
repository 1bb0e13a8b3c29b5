"""Gates from all that bears witness: the levels, other markers, the place on the cell.

A marker is looked at alone first: its counts, the shape of its levels. What that leaves
undecided is looked at beside the markers that are decided.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.phenotype.gates.counts import (
    RULE_OF_THREE,
    counted_gate,
    one_count,
)
from mifprofile.core.phenotype.gates.gap import has_gap
from mifprofile.core.phenotype.gates.gate import Gate, too_few, undecided
from mifprofile.core.phenotype.gates.mixture import fit_gate
from mifprofile.core.phenotype.gates.relations import relations
from mifprofile.core.phenotype.gates.shape import Cut, Shape, between
from mifprofile.core.phenotype.gates.witness import (
    FAIR_P,
    SURE_P,
    Partner,
    best_chance,
    brighter_than_chance,
    in_the_nucleus,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from mifprofile.core.phenotype.gates.relations import Relation
    from mifprofile.model import Panel
    from mifprofile.options import PhenotypeOptions

# Two populations with a gap between them may lie this close, in flanks of the peak.
MIN_FLANKS_OF_GAP = 2.0
# What one marker's gate tells of another may tell of a third.
ROUNDS = 2
# A wider peak (a factor of two in level) is not known to be of negative cells alone.
MAX_NEGATIVE_FLANK = float(np.log(2))


def gates_by_evidence(
    levels: pd.DataFrame,
    panel: Panel,
    options: PhenotypeOptions,
    markers: Iterable[str],
    known: Mapping[str, float],
    cells: pd.DataFrame | None = None,
) -> dict[str, Gate]:
    """Gate some markers by all evidence there is.

    Parameters
    ----------
    levels : pandas.DataFrame
        A column per marker, a row per cell.
    panel : Panel
        Which markers exclude or need each other.
    options : PhenotypeOptions
    markers : iterable of str
        Those to gate.
    known : mapping of str to float
        Thresholds of others; NaN says that nothing is known.
    cells : pandas.DataFrame or None
        The same cells as measured: their areas tell counts, their compartments where
        on the cell a signal lies.

    Returns
    -------
    dict of str to Gate
    """
    work = _Evidence(levels, panel, options, dict(known), cells)
    wanted = tuple(markers)
    for marker in wanted:
        work.settle(marker, work.alone(marker))
    for _ in range(ROUNDS):
        for marker in wanted:
            if work.found[marker].grade == "undecided":
                work.settle(marker, work.together(marker))
    return {marker: work.found[marker] for marker in wanted}


def gate_alone(
    levels: NDArray[np.float64], options: PhenotypeOptions, one: float = np.nan
) -> Gate:
    """Gate a marker from its own levels.

    Parameters
    ----------
    levels : (n,) float64 array
    options : PhenotypeOptions
    one : float
        What a single count adds, see
        `mifprofile.core.phenotype.gates.counts.one_count`; NaN if nothing is counted.
    """
    finite = levels[np.isfinite(levels)]
    if finite.size < options.min_cells:
        return too_few(finite.size)
    counted = counted_gate(finite, one, options) if np.isfinite(one) else None
    if counted is not None:
        return counted
    shape = Shape(finite)
    if not shape.is_spread:
        return undecided("every cell has the same level")
    plain = _plain_gate(shape, options)
    if plain is not None:
        return plain
    lit = finite[finite > 0]
    split = fit_gate(lit, options)
    if split.found and _upper_is_main(split.threshold, shape):
        return split
    return undecided(_best(shape))


@dataclass
class _Evidence:
    levels: pd.DataFrame
    panel: Panel
    options: PhenotypeOptions
    thresholds: dict[str, float]
    cells: pd.DataFrame | None
    found: dict[str, Gate] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.relations = relations(self.panel)
        cells = self.cells
        self.one = np.nan if cells is None else one_count(cells, self.levels.columns)

    def settle(self, marker: str, gate: Gate) -> None:
        """Keep a gate, on which others may rest."""
        self.found[marker] = gate
        self.thresholds[marker] = gate.threshold if gate.found else np.nan

    def alone(self, marker: str) -> Gate:
        """Gate of a marker from its own levels."""
        return gate_alone(self.levels[marker].to_numpy(float), self.options, self.one)

    def together(self, marker: str) -> Gate:
        """Gate of a marker beside those that are decided, else the one it has."""
        levels = self.levels[marker].to_numpy(float)
        before = self.found[marker]
        finite = levels[np.isfinite(levels)]
        shape = Shape(finite)
        if finite.size < self.options.min_cells or not shape.is_spread:
            return before
        partners = self._partners(marker)
        return (
            self._witnessed(marker, levels, shape, partners)
            or _carried_by_most(levels, shape, partners, self.options)
            or _not_there(levels, shape, partners, self.options)
            or before
        )

    def _partners(self, marker: str) -> list[Partner]:
        return [
            Partner(relation, self._fits(relation))
            for relation in self.relations[marker]
            if np.isfinite(self.thresholds.get(relation.partner, np.nan))
        ]

    def _fits(self, relation: Relation) -> NDArray[np.bool_]:
        partner = self.levels[relation.partner].to_numpy(float)
        return (partner > self.thresholds[relation.partner]) == relation.sign

    def _witnessed(
        self,
        marker: str,
        levels: NDArray[np.float64],
        shape: Shape,
        partners: list[Partner],
    ) -> Gate | None:
        """Lowest cut that is vouched for, or lies below one that surely is."""
        flanks = self.options.min_flanks_witnessed
        cuts = [cut for cut in shape.cuts if cut.flanks >= flanks]
        sure = ""
        lowest: tuple[Cut, str] | None = None
        for cut in reversed(cuts):
            certain, fair = self._testimony(
                marker, cut, levels > cut.threshold, partners
            )
            sure = certain or sure
            if sure or fair:
                lowest = cut, sure or fair
        if lowest is None:
            return None
        cut, why = lowest
        return Gate(cut.threshold, f"{_facts(cut)}; {why}", "graded")

    def _testimony(
        self,
        marker: str,
        cut: Cut,
        above: NDArray[np.bool_],
        partners: list[Partner],
    ) -> tuple[str, str]:
        """What makes a population sure, and what makes it fair; empty if nothing."""
        chance, whose = best_chance(partners, above)
        nuclear = in_the_nucleus(marker, self.panel.markers[marker], self.cells, above)
        bright = brighter_than_chance(cut, self.options.min_flanks_witnessed)
        if chance < SURE_P:
            return f"nearly all {whose} (p {chance:.1g})", ""
        if nuclear and bright and cut.flanks >= self.options.min_flanks:
            return "", "in the nucleus, and far brighter"
        if nuclear and bright and chance < FAIR_P:
            return "", f"in the nucleus, and mostly {whose} (p {chance:.1g})"
        return "", ""


def _plain_gate(shape: Shape, options: PhenotypeOptions) -> Gate | None:
    """Gate at the lowest cut above which the levels alone show a population."""
    for cut in shape.cuts:
        apart = has_gap(shape.logs, shape.log_of(cut.threshold), options.max_gap)
        enough = MIN_FLANKS_OF_GAP if apart else options.min_flanks
        if cut.flanks >= enough and cut.more_than_tails:
            return Gate(cut.threshold, _facts(cut), "clear" if apart else "graded")
    return None


def _upper_is_main(threshold: float, shape: Shape) -> bool:
    """Whether the cells below lie apart from the main peak, as two populations do."""
    below = shape.logs[shape.logs <= shape.log_of(threshold)]
    away = (shape.peak.at - float(np.median(below))) / shape.peak.left
    return away >= MIN_FLANKS_OF_GAP


def _carried_by_most(
    levels: NDArray[np.float64],
    shape: Shape,
    partners: list[Partner],
    options: PhenotypeOptions,
) -> Gate | None:
    """Gate of a marker whose main peak is of positive cells.

    Cells that cannot carry it then lie well below the peak, and the gate halfway (in
    the logarithm).
    """
    middle, of = _negative_middle(levels, shape, partners)
    away = (shape.peak.at - middle) / shape.peak.left
    if not options.min_flanks_witnessed <= away < np.inf:
        return None
    gate = between(shape.levels, shape.level_of((middle + shape.peak.at) / 2))
    note = f"the main peak lies {away:.1f} widths above cells that are {of}"
    return Gate(gate, note, "graded")


def _not_there(
    levels: NDArray[np.float64],
    shape: Shape,
    partners: list[Partner],
    options: PhenotypeOptions,
) -> Gate | None:
    """That a marker is absent: all cells are like those that cannot carry it."""
    middle, of = _negative_middle(levels, shape, partners)
    alike = abs(shape.peak.at - middle) <= shape.peak.left / 2
    narrow = shape.peak.width <= MAX_NEGATIVE_FLANK
    doubtful = any(
        cut.flanks >= options.min_flanks_witnessed
        and best_chance(partners, levels > cut.threshold)[0] < FAIR_P
        for cut in shape.cuts
    )
    if not alike or not narrow or doubtful:
        return None
    visible = int((levels > shape.edge(options.min_flanks)).sum())
    most = 100 * (visible + RULE_OF_THREE) / shape.levels.size
    note = f"every cell is like those that are {of}: at most {most:.2g} %"
    return Gate(np.nan, note, "absent")


def _negative_middle(
    levels: NDArray[np.float64], shape: Shape, partners: list[Partner]
) -> tuple[float, str]:
    """Highest median, in the logarithm, of cells that cannot carry a marker."""
    middles = [
        (shape.log_of(float(np.median(known))), str(p.relation.opposite))
        for p in partners
        if p.tells and not p.relation.sign
        for known in [levels[~p.fits & (levels > shape.background)]]
        if known.size
    ]
    return max(middles, default=(np.nan, ""))


def _facts(cut: Cut) -> str:
    return (
        f"{cut.above} cells, {cut.flanks:.1f} widths of the main peak above its middle"
    )


def _best(shape: Shape) -> str:
    """Why the levels alone do not tell."""
    most = max(shape.cuts, key=lambda cut: cut.flanks, default=None)
    return f"no population stands out; at most {_facts(most)}" if most else "no cut"
