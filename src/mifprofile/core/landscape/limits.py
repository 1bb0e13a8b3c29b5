"""What a missing tumour, a missing gate or a panel's markers do to a row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.capability import NESTS, TREGS, Capability, capability
from mifprofile.core.landscape.estimates import lineage_labels
from mifprofile.core.landscape.regions import needs_tumour
from mifprofile.core.landscape.rows import RATIOS, asking
from mifprofile.core.targets import marker_of

if TYPE_CHECKING:
    from mifprofile.core.landscape.estimates import Row
    from mifprofile.core.scores import Status
    from mifprofile.model import Panel


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
    return replace(row, value=np.nan, status=status, reason=reason)


def no_population(markers: list[str]) -> str:
    """Why what rests on these markers is rough; empty without any."""
    names = " and ".join(markers)
    return f"no positive population of {names} was found" if names else ""


@dataclass(frozen=True)
class Limits:
    """What a panel's markers and gates can tell only roughly."""

    asked: dict[str, frozenset[str]]
    ungated: frozenset[str]
    nests: Capability
    tregs: Capability
    treg_phenotypes: list[str]

    @classmethod
    def of(cls, panel: Panel, ungated: frozenset[str]) -> Limits:
        """Limits of a panel, and of the gates that were found."""
        names = asking(panel, marker_of("FOXP3", panel))
        found = capability(panel, NESTS), capability(panel, TREGS)
        return cls(_asked(panel), ungated, *found, names)

    def apply(self, row: Row) -> Row:
        """Mark a row that rests on what is not well known."""
        if row.status != "OK":
            return row
        reason = self._blind(row) or self._rough(row)
        return replace(row, status="APPROX", reason=reason) if reason else row

    def _blind(self, row: Row) -> str:
        """Why it counts cells positive for a marker without a gate, if it does."""
        names = (row.phenotype, row.phenotype_b)
        asked = set(names).union(*(self.asked.get(name, ()) for name in names))
        return no_population(sorted(asked & self.ungated))

    def _rough(self, row: Row) -> str:
        found = []
        if needs_tumour(row.region):
            found.append(self.nests)
        named = {row.phenotype, row.phenotype_b}
        if named & {"FOXP3+", *self.treg_phenotypes}:
            found.append(self.tregs)
        return next((c.reason for c in found if c.answer == "APPROX"), "")


def _asked(panel: Panel) -> dict[str, frozenset[str]]:
    """What rows count, such as a phenotype → markers that its cells must carry."""
    rules = panel.rules
    rules |= {label: rules[name] for label, name in lineage_labels(panel).items()}
    asked = {
        name: frozenset(marker for marker, sign in rule.signs if sign)
        for name, rule in rules.items()
    }
    named = {t: marker_of(t, panel) for pair in RATIOS for t in pair}
    return asked | {f"{t}+": frozenset({m}) for t, m in named.items() if m is not None}
