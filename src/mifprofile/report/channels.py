"""Which channels the pictures show, and in which colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.palette import COLOURS, Colour, phenotype_colours

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mifprofile.model import Panel

NUCLEUS_COLOUR: Colour = (120, 122, 134)


@dataclass(frozen=True)
class ShownChannel:
    """A channel in a picture, under the name that the legend gives it."""

    label: str
    channel: str
    colour: Colour


def shown_channels(
    panel: Panel, thresholds: Mapping[str, float]
) -> tuple[ShownChannel, ...]:
    """Choose the nuclear channel and the markers that define phenotypes.

    A marker has the colour of the phenotype that it stands for, if that is still free.
    Markers without a gate are left out, as their picture would be stretched noise,
    unless no marker has one.
    """
    defining = _defining(panel)
    gated = [m for m in defining if np.isfinite(thresholds.get(m, np.nan))]
    colours = _marker_colours(panel, defining)
    markers = (
        ShownChannel(m, panel.markers[m].channel, colours[m])
        for m in panel.markers
        if m in (gated or defining)
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


def _marker_colours(panel: Panel, defining: dict[str, list[str]]) -> dict[str, Colour]:
    of_phenotype = phenotype_colours(panel)
    colours: dict[str, Colour] = {}
    for marker, names in defining.items():
        wanted = [*(of_phenotype[name] for name in names), *COLOURS]
        free = [colour for colour in wanted if colour not in colours.values()]
        colours[marker] = (free or wanted)[0]
    return colours
