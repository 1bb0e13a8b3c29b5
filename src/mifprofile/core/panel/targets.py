"""What is known of the molecules that panels stain: names, places, clones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mifprofile.model import Compartment, Panel

Host = Literal["mouse", "rat", "rabbit"]


@dataclass(frozen=True)
class Target:
    """A molecule that a marker shows.

    Parameters
    ----------
    name : str
        As it is written everywhere else.
    measure : tuple of str
        Compartments in which its signal can be read, the best one first.
    aliases : tuple of str
        Other names, and what stands for it in the mouse.
    """

    name: str
    measure: tuple[Compartment, ...]
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clone:
    """An antibody clone: what it binds, who made it, and which drugs are in its way.

    Parameters
    ----------
    name, target : str
    host : str
        Species of the antibody.
    species : tuple of str
        Tissue on which it works.
    blocked_by : tuple of str
        Drugs that lie on its target, or take its place, in treated tissue.
    """

    name: str
    target: str
    host: Host
    species: tuple[Literal["human", "mouse"], ...]
    blocked_by: tuple[str, ...] = ()


TARGETS = (
    Target(
        "PanCK",
        ("cytoplasm", "cell", "membrane"),
        ("CK", "pancytokeratin", "cytokeratin", "CK-EPCAM", "CK8", "CK7", "KRT8"),
    ),
    Target("HER2", ("membrane", "cell"), ("ERBB2", "HER2neu", "hHER2")),
    Target("CD3", ("membrane", "cytoplasm", "cell"), ("CD3e",)),
    Target("CD8", ("membrane", "cytoplasm", "cell"), ("CD8a",)),
    Target("CD4", ("membrane", "cytoplasm", "cell")),
    Target("FOXP3", ("nucleus",)),
    Target("CD68", ("cytoplasm", "cell", "membrane"), ("F4/80",)),
    Target("CD20", ("membrane", "cell"), ("MS4A1", "B220", "CD45R", "CD19")),
    Target("PD-1", ("membrane", "cell", "cytoplasm"), ("PDCD1", "CD279")),
    Target("PD-L1", ("membrane", "cell", "cytoplasm"), ("CD274", "B7-H1")),
    Target("4-1BB", ("membrane", "cytoplasm", "cell"), ("CD137", "TNFRSF9")),
    Target("GZMB", ("cytoplasm", "cell"), ("granzyme B", "GrB")),
    Target("Ki67", ("nucleus",), ("MKI67",)),
)

_ANTI_PDL1 = ("atezolizumab", "avelumab", "durvalumab")
_ANTI_PD1 = ("pembrolizumab", "nivolumab")
_BOTH: tuple[Literal["human", "mouse"], ...] = ("human", "mouse")

CLONES = (
    Clone("AE1/AE3", "PanCK", "mouse", ("human",)),
    Clone("TROMA-I", "PanCK", "rat", _BOTH),
    Clone("4B5", "HER2", "rabbit", ("human",)),
    Clone("SP3", "HER2", "rabbit", ("human",), ("trastuzumab", "pertuzumab")),
    Clone("SP7", "CD3", "rabbit", _BOTH),
    Clone("2GV6", "CD3", "rabbit", ("human",)),
    Clone("CD3-12", "CD3", "rat", _BOTH),
    Clone("C8/144B", "CD8", "mouse", ("human",)),
    Clone("SP16", "CD8", "rabbit", ("human",)),
    Clone("4SM15", "CD8", "rat", ("mouse",)),
    Clone("D4W2Z", "CD8", "rabbit", ("mouse",)),
    Clone("EPR6855", "CD4", "rabbit", ("human",)),
    Clone("SP35", "CD4", "rabbit", ("human",)),
    Clone("4SM95", "CD4", "rat", ("mouse",)),
    Clone("236A/E7", "FOXP3", "mouse", ("human",)),
    Clone("D2W8E", "FOXP3", "rabbit", ("human",)),
    Clone("FJK-16s", "FOXP3", "rat", ("mouse",)),
    Clone("D6O8R", "FOXP3", "rabbit", ("mouse",)),
    Clone("PG-M1", "CD68", "mouse", ("human",)),
    Clone("KP1", "CD68", "mouse", ("human",)),
    Clone("L26", "CD20", "mouse", ("human",)),
    Clone("NAT105", "PD-1", "mouse", ("human",), _ANTI_PD1),
    Clone("EPR4877", "PD-1", "rabbit", ("human",), _ANTI_PD1),
    Clone("D7D5W", "PD-1", "rabbit", ("mouse",)),
    Clone("22C3", "PD-L1", "mouse", ("human",), _ANTI_PDL1),
    Clone("SP142", "PD-L1", "rabbit", ("human",)),
    Clone("E1L3N", "PD-L1", "rabbit", ("human",)),
    Clone("SP263", "PD-L1", "rabbit", ("human",)),
    Clone("D5V3B", "PD-L1", "rabbit", ("mouse",)),
    Clone("E6Z7F", "4-1BB", "rabbit", ("human",), ("utomilumab",)),
    Clone("BBK-2", "4-1BB", "mouse", ("human",), ("utomilumab",)),
    Clone("11F1", "GZMB", "mouse", ("human",)),
    Clone("GrB-7", "GZMB", "mouse", ("human",)),
    Clone("D6E9W", "GZMB", "rabbit", ("mouse",)),
    Clone("SP6", "Ki67", "rabbit", _BOTH),
    Clone("MIB-1", "Ki67", "mouse", ("human",)),
)


def folded(name: str) -> str:
    """A name without case, blanks and punctuation."""
    return "".join(c for c in name.casefold() if c.isalnum())


_BY_NAME = {
    folded(alias): target
    for target in TARGETS
    for alias in (target.name, *target.aliases)
}
_BY_CLONE = {folded(clone.name): clone for clone in CLONES}


def target_of(marker: str) -> Target | None:
    """Molecule that a marker's name stands for, None if it is not known here.

    Parameters
    ----------
    marker : str
        Case, blanks and punctuation do not count: ``PDL1`` is ``PD-L1``.
    """
    return _BY_NAME.get(folded(marker))


def names_of(markers: Iterable[str]) -> frozenset[str]:
    """Names of the known molecules that markers stand for."""
    return frozenset(t.name for marker in markers if (t := target_of(marker)))


def clone_of(name: str) -> Clone | None:
    """Antibody clone of a name, None if it is not known here."""
    return _BY_CLONE.get(folded(name))


def marker_of(target: str, panel: Panel) -> str | None:
    """First marker of a panel that shows a known molecule, None if there is none."""
    return next((m for m in panel.markers if target in names_of([m])), None)
