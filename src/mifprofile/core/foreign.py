"""What other programs call phenotypes and regions, in the panel's words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from mifprofile.core.panel.targets import folded
from mifprofile.errors import UsageError
from mifprofile.model import OTHER, UNCERTAIN

if TYPE_CHECKING:
    from mifprofile.model import Panel, Rule

SIGNED = re.compile(r"\s*(\S.*?)\s*([+-])\s*")
# How programs call a cell without a phenotype.
NONE = {"", "other", "others", "negative", "none", "unclassified", "nan"}
TUMOUR, STROMA, OUTSIDE = "tumour", "stroma", "outside"
# Regions of our own tables that are no tissue, or none that counts.
NOT_TISSUE = ("glass", "excluded")
# What people draw as neither tumour nor stroma, by how it begins.
OUTSIDE_NAMES = ("background", "other", "outside", "normal", "necro")
# Tumour and stroma in one, or their border, by how it ends.
BOTH = ("bed", "margin", "stroma")

Signs = frozenset[tuple[str, bool]]


def phenotypes_of(given: pd.Series, panel: Panel) -> pd.Series:
    """Phenotypes of a panel for the names that another program gave its cells.

    A name means the phenotype of that name, or the one whose rule it writes
    (``CD8+``), or the only one whose rule asks for just the markers that it calls
    positive. Case and punctuation do not count.

    Parameters
    ----------
    given : pandas.Series
        Text; what is empty, or called other or negative, is ``"other"``, and
        ``"uncertain"`` stays so.
    panel : Panel

    Returns
    -------
    pandas.Series
        Categorical, named ``phenotype``.

    Raises
    ------
    UsageError
        Names that no phenotype of the panel fits.
    """
    names = {name: _phenotype(name, panel) for name in given.unique()}
    unknown = sorted(name for name, mine in names.items() if mine is None)
    if unknown:
        raise UsageError(
            f"phenotypes {', '.join(map(repr, unknown))} are not in panel "
            f"{panel.name}, which knows {', '.join(panel.rules)}; name them there"
        )
    kinds = pd.CategoricalDtype(panel.categories)
    return given.map(names).astype(kinds).rename("phenotype")


def is_marker_list(given: pd.Series, panel: Panel) -> bool:
    """Whether every name lists markers of the panel (``CD8: PD-L1``), or is empty."""
    known = set(_marker_names(panel))
    names = given.unique()
    if any(SIGNED.fullmatch(name) for name in names):
        return False
    parts = [_parts(name) for name in names]
    return any(parts) and all(set(p) <= known for p in parts)


def positive_by_list(given: pd.Series, panel: Panel) -> pd.DataFrame:
    """Columns ``<marker>_positive`` of cells whose names list positive markers."""
    names = _marker_names(panel)
    lists = {n: {names[p] for p in _parts(n)} for n in given.unique()}
    return pd.DataFrame(
        {
            f"{marker}_positive": given.map({n: marker in m for n, m in lists.items()})
            for marker in panel.markers
        },
        index=given.index,
    ).astype(bool)


def region_of(category: str) -> str:
    """Our region for a tissue category: tumour, stroma, or outside of both.

    Programs have no word for the tumour bed, so whatever is neither tumour nor stroma,
    the background among it, counts as tissue outside, as their own totals have it; only
    our own ``glass`` and ``excluded`` are none.
    """
    name = folded(category)
    if name in NOT_TISSUE:
        return name
    if name.startswith(("nontumo", "notumo", "strom")):
        return STROMA
    if name.startswith(("tumo", "cancer", "epithel", "nest")):
        return TUMOUR
    return OUTSIDE


def drawn_region(name: str) -> str:
    """Region for the class of an area that a person drew.

    Unlike a program's categories, those of a drawing are not all of the tissue, so that
    a name which says nothing may not pass for tissue outside.

    Raises
    ------
    UsageError
        The class means no region.
    """
    region, plain = region_of(name), folded(name)
    both = region == TUMOUR and plain.endswith(BOTH)
    other = region == OUTSIDE and not plain.startswith(OUTSIDE_NAMES)
    if region not in NOT_TISSUE and not both and not other:
        return region
    raise UsageError(
        f"class {name!r} names no region; known are Tumor, Stroma, and, for tissue "
        "outside, Background, Other, Outside, Normal and Necrosis; what is not to be "
        "counted belongs in --exclusions"
    )


def implied_positive(phenotypes: pd.Series, panel: Panel) -> pd.DataFrame:
    """Columns ``<marker>_positive`` as far as a phenotype's rule asks for them."""
    return pd.DataFrame(
        {
            f"{marker}_positive": phenotypes.isin(
                [n for n, rule in panel.rules.items() if (marker, True) in rule.signs]
            )
            for marker in panel.markers
        },
        index=phenotypes.index,
    )


def _phenotype(name: str, panel: Panel) -> str | None:
    if folded(name) in NONE:
        return OTHER
    if folded(name) == UNCERTAIN:
        return UNCERTAIN
    for mine in panel.rules:
        if folded(mine) == folded(name):
            return mine
    signs = _signs(name)
    if not signs:
        return None
    rules = {mine: _folded_rule(rule) for mine, rule in panel.rules.items()}
    exact = [mine for mine, rule in rules.items() if rule == signs]
    positive = {pair for pair in signs if pair[1]}
    like = [m for m, rule in rules.items() if {p for p in rule if p[1]} == positive]
    return exact[0] if exact else like[0] if len(like) == 1 else None


def _signs(name: str) -> Signs:
    """Signs of a name written as a rule, none if it is not."""
    terms = [SIGNED.fullmatch(term) for term in re.split(r"[/,;&]", name)]
    if not all(terms):
        return frozenset()
    return frozenset((folded(t[1]), t[2] == "+") for t in terms if t)


def _folded_rule(rule: Rule) -> Signs:
    return frozenset((folded(marker), sign) for marker, sign in rule.signs)


def _marker_names(panel: Panel) -> dict[str, str]:
    """Folded names of markers and of their channels to markers."""
    channels = {folded(v.channel): k for k, v in panel.markers.items()}
    return channels | {folded(marker): marker for marker in panel.markers}


def _parts(name: str) -> list[str]:
    return [] if folded(name) in NONE else [folded(p) for p in name.split(":")]
