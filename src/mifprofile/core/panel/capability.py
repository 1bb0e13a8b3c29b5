"""What a panel can answer, and the traps that lie in its antibodies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mifprofile.core.panel.targets import CLONES, Clone, clone_of, names_of, target_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from mifprofile.model import Marker, Panel

Answer = Literal["OK", "APPROX", "NOT_COMPUTABLE"]
NESTS = "tumour nests and stroma"
TREGS = "Treg density"
STATES = {
    "Ki67": "proliferation",
    "GZMB": "cytotoxic activation",
    "PD-1": "exhaustion",
    "4-1BB": "4-1BB activation",
}


@dataclass(frozen=True)
class Capability:
    """Whether a panel can answer a question.

    Parameters
    ----------
    question : str
    answer : str
        As in the column ``status`` of ``landscape.csv``.
    reason : str
        Why it is not, or not quite; may be a caveat where it is ``OK``.
    """

    question: str
    answer: Answer
    reason: str = ""


@dataclass(frozen=True)
class Trap:
    """Something about a marker that makes its signal suspect.

    Parameters
    ----------
    code : str
        ``compartment``, ``species``, ``drug_in_the_way``, ``drug_seen``,
        ``mouse_on_mouse`` or ``state_in_rule``.
    marker : str
    text : str
    """

    code: str
    marker: str
    text: str


def capabilities(panel: Panel) -> tuple[Capability, ...]:
    """What a panel can answer, from the molecules that it stains.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    tuple of Capability
        Always the same questions in the same order.
    """
    there = names_of(panel.markers)
    return (
        _needs("CD8 density", there, "CD8"),
        _treg(there),
        _worse("CD8:FOXP3", _needs("CD8", there, "CD8"), _treg(there)),
        _nests(panel),
        _her2_share(there),
        _her2_h_score(there),
        _tps(panel, there),
        _cps(panel, there),
        _ic(panel, there),
        _stil(there),
        *(_needs(question, there, state) for state, question in STATES.items()),
    )


def capability(panel: Panel, question: str) -> Capability:
    """One of `capabilities`; raises KeyError if there is no such question."""
    return {c.question: c for c in capabilities(panel)}[question]


def traps(panel: Panel) -> tuple[Trap, ...]:
    """Warnings about where markers are read and about their antibodies.

    Parameters
    ----------
    panel : Panel
        `Marker.clone` and `Panel.therapies` make more of them visible.
    """
    return tuple(
        trap
        for name, marker in panel.markers.items()
        for trap in _traps_of(name, marker, panel)
    )


def _needs(question: str, there: frozenset[str], *needed: str) -> Capability:
    missing = [name for name in needed if name not in there]
    if missing:
        reason = f"the panel has no {' and no '.join(missing)}"
        return Capability(question, "NOT_COMPUTABLE", reason)
    return Capability(question, "OK")


def _worse(question: str, first: Capability, second: Capability) -> Capability:
    """Answer of what rests on two others."""
    order = ("NOT_COMPUTABLE", "APPROX", "OK")
    bad = min(first, second, key=lambda c: order.index(c.answer))
    return Capability(question, bad.answer, bad.reason)


def _treg(there: frozenset[str]) -> Capability:
    found = _needs(TREGS, there, "FOXP3")
    if found.answer != "OK" or "CD4" in there:
        return found
    if {"PanCK", "CD3"} & there:
        return Capability(found.question, "OK", "FOXP3+ cells, without CD4")
    reason = "FOXP3+ cells, without CD4, CD3 or PanCK: tumour cells may be among them"
    return Capability(found.question, "APPROX", reason)


def _nests(panel: Panel) -> Capability:
    """How well the markers that make a tumour cell tell one."""
    if panel.tumour is None:
        reason = "the panel names no tumour phenotype"
        return Capability(NESTS, "NOT_COMPUTABLE", reason)
    asked = [name for name, positive in panel.rules[panel.tumour].signs if positive]
    known = names_of(asked)
    if "PanCK" in known:
        return Capability(NESTS, "OK")
    if "HER2" in known:
        reason = "by HER2 alone: fails on HER2-low tumour, and treatment shifts it"
        return Capability(NESTS, "APPROX", reason)
    reason = f"by {' and '.join(asked) or 'what is absent'}, not by PanCK"
    return Capability(NESTS, "APPROX", reason)


def _her2_share(there: frozenset[str]) -> Capability:
    question = "share of HER2+ tumour cells"
    if "HER2" in there and "PanCK" not in there:
        reason = "tumour cells are told by HER2 itself; PanCK is needed"
        return Capability(question, "NOT_COMPUTABLE", reason)
    return _needs(question, there, "HER2", "PanCK")


def _her2_h_score(there: frozenset[str]) -> Capability:
    found = _needs("HER2 H-score", there, "HER2")
    if found.answer == "OK" and "PanCK" not in there:
        return Capability(found.question, "APPROX", "over HER2-called cells alone")
    return found


def _tps(panel: Panel, there: frozenset[str]) -> Capability:
    return _worse("PD-L1 TPS", _needs("PD-L1", there, "PD-L1"), _nests(panel))


def _cps(panel: Panel, there: frozenset[str]) -> Capability:
    caveat = "plasma cells and neutrophils are not told apart"
    return _immune_pdl1("PD-L1 CPS", panel, there, caveat)


def _ic(panel: Panel, there: frozenset[str]) -> Capability:
    caveat = "granulocytes and dendritic cells are missed"
    return _immune_pdl1("PD-L1 IC", panel, there, caveat)


def _immune_pdl1(
    question: str, panel: Panel, there: frozenset[str], caveat: str
) -> Capability:
    """PD-L1 on immune cells: T cells and macrophages must be told from the rest."""
    found = _worse(question, _needs("PD-L1", there, "PD-L1"), _nests(panel))
    if found.answer == "NOT_COMPUTABLE":
        return found
    if {"CD3", "CD68"} <= there:
        return Capability(question, found.answer, found.reason or caveat)
    reason = "any PD-L1+ cell that is no tumour cell counts as immune: no CD3, CD68"
    return Capability(question, "APPROX", reason)


def _stil(there: frozenset[str]) -> Capability:
    question = "stromal TILs"
    if not {"CD3", "CD8", "FOXP3"} & there:
        return _needs(question, there, "CD3")
    if {"CD3", "CD20"} <= there:
        return Capability(question, "OK", "plasma cells are missed")
    part = "T cells" if "CD3" in there else "CD8+ and FOXP3+ cells"
    return Capability(question, "APPROX", f"{part} alone: a lower bound")


def _traps_of(name: str, marker: Marker, panel: Panel) -> Iterator[Trap]:
    yield from _compartment(name, marker)
    yield from _state_in_rule(name, panel)
    clone = None if marker.clone is None else clone_of(marker.clone)
    if clone is not None:
        yield from _species(name, clone, panel)
        yield from _drug_in_the_way(name, clone, panel)
        yield from _drug_seen(name, clone, panel)


def _compartment(name: str, marker: Marker) -> Iterator[Trap]:
    target = target_of(name)
    if target is not None and marker.measure not in target.measure:
        best = target.measure[0]
        text = f"{name} is read in the {marker.measure}; {target.name} is in the {best}"
        yield Trap("compartment", name, text)


def _state_in_rule(name: str, panel: Panel) -> Iterator[Trap]:
    asking = [k for k, r in panel.rules.items() if name in dict(r.signs)]
    if name in panel.states and asking:
        text = (
            f"{name} is a state and also in the rule of {' and '.join(asking)}: its "
            "share among these cells is 0 or 100 % by definition"
        )
        yield Trap("state_in_rule", name, text)


def _species(name: str, clone: Clone, panel: Panel) -> Iterator[Trap]:
    if panel.species not in clone.species:
        hint = _instead(f"for {panel.species}", clone, panel)
        text = f"{name}: clone {clone.name} is not for {panel.species} tissue{hint}"
        yield Trap("species", name, text)
    if panel.species == "mouse" and clone.host == "mouse":
        text = (
            f"{name}: clone {clone.name} is a mouse antibody on mouse tissue; block "
            "endogenous immunoglobulin, and stain a slide without it"
        )
        yield Trap("mouse_on_mouse", name, text)


def _drug_in_the_way(name: str, clone: Clone, panel: Panel) -> Iterator[Trap]:
    given = {drug.casefold() for drug in panel.therapies}
    blocking = [drug for drug in clone.blocked_by if drug in given]
    if blocking:
        hint = _instead("free of it", clone, panel, given)
        text = (
            f"{name}: {' and '.join(blocking)} may cover what clone {clone.name} "
            f"binds in treated tissue{hint}"
        )
        yield Trap("drug_in_the_way", name, text)


def _drug_seen(name: str, clone: Clone, panel: Panel) -> Iterator[Trap]:
    rat = [drug for drug in panel.therapies if drug.casefold().startswith("rat")]
    if clone.host == "rat" and panel.species == "mouse" and rat:
        text = (
            f"{name}: clone {clone.name} and the drug {rat[0]!r} are both rat "
            "antibodies: anti-rat detection stains the drug as well; compare with a "
            "slide without the primary antibody"
        )
        yield Trap("drug_seen", name, text)


def _instead(what: str, clone: Clone, panel: Panel, given: Collection[str] = ()) -> str:
    """Clones for the same molecule that work on this tissue, as the end of a text."""
    others = [
        other.name
        for other in CLONES
        if other.target == clone.target
        and panel.species in other.species
        and not set(other.blocked_by) & set(given)
    ]
    return f"; {what}: {', '.join(others)}" if others else ""
