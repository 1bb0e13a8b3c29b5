"""Length units as OME and NGFF write them."""

from __future__ import annotations

_UM = {
    "m": 1e6,
    "meter": 1e6,
    "dm": 1e5,
    "decimeter": 1e5,
    "cm": 1e4,
    "centimeter": 1e4,
    "mm": 1e3,
    "millimeter": 1e3,
    "\N{MICRO SIGN}m": 1.0,
    "\N{GREEK SMALL LETTER MU}m": 1.0,
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "pm": 1e-6,
    "picometer": 1e-6,
    "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}": 1e-4,
    "\N{ANGSTROM SIGN}": 1e-4,
    "angstrom": 1e-4,
    "in": 25_400.0,
    "inch": 25_400.0,
}
_MISREAD = {
    # UTF-8 taken for Latin-1, and ImageJ's escape.
    "\N{LATIN CAPITAL LETTER A WITH CIRCUMFLEX}\N{MICRO SIGN}": "\N{MICRO SIGN}",
    "\\u00B5": "\N{MICRO SIGN}",
}


def to_um(value: float, unit: str) -> float | None:
    """Convert a length to µm; None where the unit is no length, as ``"pixel"``."""
    for wrong, right in _MISREAD.items():
        unit = unit.replace(wrong, right)
    factor = _UM.get(unit.strip())
    return None if factor is None else value * factor
