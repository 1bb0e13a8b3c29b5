"""Corrections of an image before cells are measured; see ``docs/corrections.md``."""

from mifprofile.core.correct.apply import (
    Autofluorescence,
    Background,
    Correction,
    FlatField,
    Unmixing,
)
from mifprofile.core.correct.estimate import (
    autofluorescence_factor,
    background_grid,
    camera_fields,
    dark_end,
    flat_profile,
    quartile_profile,
)
from mifprofile.core.correct.mixing import bleed_through_matrix, mixing_matrix

__all__ = [
    "Autofluorescence",
    "Background",
    "Correction",
    "FlatField",
    "Unmixing",
    "autofluorescence_factor",
    "background_grid",
    "bleed_through_matrix",
    "camera_fields",
    "dark_end",
    "flat_profile",
    "mixing_matrix",
    "quartile_profile",
]
