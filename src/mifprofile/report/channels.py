"""Which channels the pictures show, and in which colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mifprofile.core.palette import COLOURS, Colour, phenotype_colours

if TYPE_CHECKING:
    from mifprofile.model import Panel

NUCLEUS_COLOUR: Colour = (140, 145, 160)


@dataclass(frozen=True)
class ShownChannel:
    """A channel in a picture, under the name that the legend gives it."""

    label: str
    channel: str
    colour: Colour


def shown_channels(panel: Panel) -> tuple[ShownChannel, ...]:
    """Choose the nuclear channel, then the markers that define phenotypes.

    A marker has the colour of the phenotype that it stands for, if that is still free.
    """
    colours = _marker_colours(panel)
    markers = (
        ShownChannel(name, marker.channel, colours[name])
        for name, marker in panel.markers.items()
        if name in colours
    )
    return ShownChannel(panel.nucleus, panel.nucleus, NUCLEUS_COLOUR), *markers


def _defining(panel: Panel) -> dict[str, list[str]]:
    """Marker → phenotypes that need it positive; the most specific markers first."""
    needed: dict[str, list[str]] = {}
    for name, rule in panel.rules.items():
        for marker, sign in rule.signs:
            if sign:
                needed.setdefault(marker, []).append(name)
    return dict(sorted(needed.items(), key=lambda item: len(item[1])))


def _marker_colours(panel: Panel) -> dict[str, Colour]:
    of_phenotype = phenotype_colours(panel)
    colours: dict[str, Colour] = {}
    for marker, names in _defining(panel).items():
        wanted = [*(of_phenotype[name] for name in names), *COLOURS]
        free = [colour for colour in wanted if colour not in colours.values()]
        colours[marker] = (free or wanted)[0]
    return colours
