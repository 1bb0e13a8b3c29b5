"""Numbers and values as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

MISSING = "n/a"
# Narrow no-break space: keeps a number in one piece.
GAP = "\N{NARROW NO-BREAK SPACE}"
MAX_ITEMS = 12
MAX_DECIMALS = 6


def number(value: Any) -> str:
    """Three significant digits, whole numbers in full, ``n/a`` for NaN and infinity."""
    if value is None or not math.isfinite(value):
        return MISSING
    if float(value).is_integer():
        return f"{int(value):,}".replace(",", GAP)
    decimals = 2 - math.floor(math.log10(abs(value)))
    return f"{value:,.{min(max(decimals, 0), MAX_DECIMALS)}f}".replace(",", GAP)


def exact(value: float) -> str:
    """Up to six digits without trailing zeros, for what was set and not measured."""
    return f"{value:.6g}"


def unit(text: str) -> str:
    """Spell a unit as people do; a plain number has none."""
    return "" if text == "1" else text.replace("m2", "m²").replace("um", "µm")


def moment(text: str) -> str:
    """Spell an ISO time with a space and without its zone, which is UTC."""
    return text.replace("T", " ").removesuffix("Z")


def percent(part: float, whole: float) -> str:
    """``part`` of ``whole`` in percent, ``n/a`` of nothing."""
    return f"{number(round(100 * part / whole, 2))}{GAP}%" if whole else MISSING


def length(um: float) -> str:
    """A length in mm from 1 mm on, else in µm."""
    if um < 1000:
        return f"{number(um)}{GAP}µm"
    return f"{number(um / 1000)}{GAP}mm"


def duration(seconds: float) -> str:
    """A time span in the unit that a person would choose."""
    if seconds < 60:
        return f"{seconds:.1f}{GAP}s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes}{GAP}min"
    return f"{minutes // 60}{GAP}h {minutes % 60:02d}{GAP}min"


def plain(value: Any) -> str:
    """Any value of a record on one line; of long lists only the length."""
    match value:
        case None | "":
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return exact(value)
        case int() | str():
            return str(value)
        case Mapping():
            return ", ".join(f"{k}: {plain(v)}" for k, v in value.items()) or "–"
        case Sequence() if len(value) > MAX_ITEMS or _nested(value):
            return "1 entry" if len(value) == 1 else f"{len(value)} entries"
        case Sequence():
            return ", ".join(plain(item) for item in value) or "–"
    return str(value)


def _nested(values: Sequence[Any]) -> bool:
    return any(isinstance(value, Mapping) for value in values)
