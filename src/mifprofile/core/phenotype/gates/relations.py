"""Which markers a panel says to exclude, or to need, each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mifprofile.model import Panel


@dataclass(frozen=True)
class Relation:
    """What a cell that carries a marker must be of another.

    Attributes
    ----------
    partner : str
        The other marker.
    sign : bool
        Whether it carries that, too, or cannot.
    """

    partner: str
    sign: bool

    @property
    def opposite(self) -> Relation:
        """What no carrier is."""
        return Relation(self.partner, not self.sign)

    def __str__(self) -> str:
        return f"{self.partner}{'+' if self.sign else '-'}"


def relations(panel: Panel) -> dict[str, tuple[Relation, ...]]:
    """What the panel knows of the carriers of each marker.

    An impossible pair says it outright: ``CD8+/PanCK+`` that neither carries the other,
    ``CD8+/CD3-`` that a CD8+ cell is CD3+. So do the phenotypes: a marker that every
    rule asks for along with another needs it, and two exclude each other if each is
    ruled out where the other is asked for. States are borne by any cell: of them only
    impossible pairs say anything.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    dict of str to tuple of Relation
        By marker, in the panel's order.
    """
    found: dict[str, dict[Relation, None]] = {m: {} for m in panel.markers}
    for marker, relation in (*_impossible(panel), *_ruled(panel)):
        found[marker][relation] = None
    return {marker: tuple(known) for marker, known in found.items()}


def _impossible(panel: Panel) -> list[tuple[str, Relation]]:
    pairs = [rule.signs for rule in panel.impossible_rules if len(rule.signs) == 2]
    return [
        (marker, Relation(partner, not other))
        for (one, other_one) in ((s[0], s[1]) for s in pairs)
        for (marker, sign), (partner, other) in ((one, other_one), (other_one, one))
        if sign
    ]


def _ruled(panel: Panel) -> list[tuple[str, Relation]]:
    lineage = [m for m in panel.markers if m not in panel.states]
    rules = [dict(rule.signs) for rule in panel.rules.values()]
    asking = {m: [r for r in rules if r.get(m)] for m in lineage}
    found = []
    for marker in lineage:
        for partner in lineage:
            if marker == partner or not asking[marker]:
                continue
            if all(rule.get(partner) for rule in asking[marker]):
                found.append((marker, Relation(partner, sign=True)))
            elif _excluded(asking[marker], partner) and _excluded(
                asking[partner], marker
            ):
                found.append((marker, Relation(partner, sign=False)))
    return found


def _excluded(rules: list[dict[str, bool]], marker: str) -> bool:
    """Whether a marker is ruled out in some of the rules, and asked for in none."""
    signs = [rule.get(marker) for rule in rules]
    return False in signs and True not in signs
