"""Colours of phenotypes, the same in every picture and export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mifprofile.model import OTHER, UNCERTAIN

if TYPE_CHECKING:
    from mifprofile.model import Panel

Colour = tuple[int, int, int]

# Okabe & Ito (2008): told apart with any colour vision.
COLOURS: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (213, 94, 0),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (0, 114, 178),
)
OTHER_COLOUR: Colour = (150, 150, 150)
UNCERTAIN_COLOUR: Colour = (225, 225, 225)


def phenotype_colours(panel: Panel) -> dict[str, Colour]:
    """RGB colour by phenotype name, ``other`` and ``uncertain`` last and grey."""
    colours = {n: COLOURS[i % len(COLOURS)] for i, n in enumerate(panel.rules)}
    return colours | {OTHER: OTHER_COLOUR, UNCERTAIN: UNCERTAIN_COLOUR}
