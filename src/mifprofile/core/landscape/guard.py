"""What a missing tumour, an undecided gate or a panel's markers do to a row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.capability import NESTS, TREGS, Capability, capability
from mifprofile.core.landscape.estimates import lineage_labels
from mifprofile.core.landscape.regions import needs_tumour
from mifprofile.core.landscape.rows import RATIOS, asking
from mifprofile.core.metrics import METRICS
from mifprofile.core.targets import marker_of
from mifprofile.model import OTHER, UNCERTAIN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mifprofile.core.landscape.estimates import Row
    from mifprofile.core.scores import Status
    from mifprofile.model import Panel

Markers = frozenset[str]


def no_tumour_reason(panel: Panel, nest_mm2: float) -> tuple[Status, str] | None:
    """Status and reason of the rows that need a tumour, None if there is one."""
    if nest_mm2 > 0:
        # People can draw what the panel cannot tell.
        return None
    if panel.tumour is None:
        return "NOT_COMPUTABLE", "the panel names no tumour phenotype"
    return ("NO_TUMOUR", "no tumour nest was found") if nest_mm2 == 0 else None


def blocked(row: Row, status: Status, reason: str) -> Row:
    """Row of a region that is not there."""
    if row.metric in {"area", "count"} and status == "NO_TUMOUR":
        return replace(row, status=status, reason=reason)
    if status == "NOT_COMPUTABLE":
        return _unseen(row, reason)
    return replace(row, value=np.nan, status=status, reason=reason)


@dataclass(frozen=True)
class Guard:
    """Whether anybody could have seen what a row counts.

    Attributes
    ----------
    carried, excluded : dict
        What rows count, such as a phenotype → markers that its cells must carry, and
        those that they must not.
    tumour, every : frozenset of str
        Markers that a tumour cell must carry, and that any phenotype asks for.
    undecided : frozenset of str
        Markers of which nobody can tell whether they are there.
    calibrated : frozenset of str
        Markers that are read by levels of their own, not by their gate.
    """

    panel: Panel
    carried: dict[str, Markers]
    excluded: dict[str, Markers]
    tumour: Markers
    every: Markers
    undecided: Markers
    calibrated: Markers
    nests: Capability
    tregs: Capability
    treg_phenotypes: list[str]

    @classmethod
    def of(
        cls, panel: Panel, undecided: Markers, calibrated: Iterable[str] = ()
    ) -> Guard:
        """Guard of a panel, and of the gates that were found."""
        carried, excluded = _signed(panel, sign=True), _signed(panel, sign=False)
        every = frozenset().union(*(carried[name] for name in panel.rules))
        markers = {marker_of(target, panel) for target in calibrated}
        return cls(
            panel,
            carried,
            excluded,
            carried.get(panel.tumour or "", frozenset()),
            every,
            undecided,
            frozenset(m for m in markers if m is not None),
            capability(panel, NESTS),
            capability(panel, TREGS),
            asking(panel, marker_of("FOXP3", panel)),
        )

    def judge(self, row: Row) -> Row:
        """A row without its numbers if nobody could look, and marked if it is rough."""
        if row.status == "QC_FAIL":
            return row
        blind = self._needed(row) & self.undecided
        if blind:
            before = f"{row.reason}; " if row.status == "NOT_COMPUTABLE" else ""
            return _unseen(row, f"{before}undecided: {', '.join(sorted(blind))}")
        if row.status != "OK":
            return row
        reason = self._loose(row) or self._rough(row)
        return replace(row, status="APPROX", reason=reason) if reason else row

    def _needed(self, row: Row) -> Markers:
        """Markers without whose gate the row's number means nothing."""
        metric = METRICS[row.metric]
        names = {row.phenotype, row.phenotype_b}
        states = names & set(self.panel.states)
        needed = frozenset(states).union(*(self.carried.get(n, ()) for n in names))
        needed |= {m for t in metric.asks if (m := marker_of(t, self.panel))}
        if metric.of_tumour or row.status == "NO_TUMOUR":
            needed |= self.tumour
        if metric.of_all:
            needed |= self.every
        if row.metric.startswith("her2"):
            needed -= self.calibrated
        return needed

    def _loose(self, row: Row) -> str:
        """Why cells may be among those counted that should not be."""
        names = {row.phenotype, row.phenotype_b}
        kept = frozenset[str]().union(*(self.excluded.get(n, ()) for n in names))
        if names & {OTHER, UNCERTAIN}:
            kept |= self.every
        loose = ", ".join(sorted(kept & self.undecided))
        return f"undecided, and so not left out: {loose}" if loose else ""

    def _rough(self, row: Row) -> str:
        found = []
        if needs_tumour(row.region):
            found.append(self.nests)
        named = {row.phenotype, row.phenotype_b}
        if named & {"FOXP3+", *self.treg_phenotypes}:
            found.append(self.tregs)
        return next((c.reason for c in found if c.answer == "APPROX"), "")


def _unseen(row: Row, reason: str) -> Row:
    """Row without any number: a zero would say that somebody had looked."""
    return replace(
        row,
        value=np.nan,
        n_num=np.nan,
        n_den=np.nan,
        status="NOT_COMPUTABLE",
        reason=reason,
    )


def _signed(panel: Panel, *, sign: bool) -> dict[str, Markers]:
    """What rows count → markers that their rules ask for with one sign."""
    rules = panel.rules
    rules |= {label: rules[name] for label, name in lineage_labels(panel).items()}
    signed = {
        name: frozenset(marker for marker, asked in rule.signs if asked == sign)
        for name, rule in rules.items()
    }
    named = {t: marker_of(t, panel) for pair in RATIOS for t in pair} if sign else {}
    return signed | {f"{t}+": frozenset({m}) for t, m in named.items() if m is not None}
