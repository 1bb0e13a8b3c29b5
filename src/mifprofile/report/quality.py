"""What the report says of a slide's quality."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mifprofile.core.facts import QualityFacts
from mifprofile.core.quality import CAUSES
from mifprofile.report import figures

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from mifprofile.core.palette import Colour
    from mifprofile.report.content import ReportContent

# Each place shows the cause that it counts for.
COLOURS: dict[str, Colour] = {
    "excluded": (240, 240, 240),
    "fold": (235, 70, 60),
    "saturated": (250, 205, 50),
    "out_of_focus": (70, 150, 255),
    "aggregate": (230, 90, 230),
    "edge": (90, 200, 120),
}
OPACITY = 0.55
# Columns of the staining table: figure, heading, unit.
STAINING = (
    ("p20", "Background", ""),
    ("p50", "Median", ""),
    ("p99.5", "Signal", ""),
    ("noise", "Noise", ""),
    ("signal_to_background", "Signal / background", ""),
    ("contrast_to_noise", "Contrast / noise", ""),
    ("saturated_pixels", "Clipped", "%"),
    ("zero_pixels", "Zero", "%"),
    ("negative_pixels", "Negative", "%"),
    ("illumination", "Uneven light", "%"),
)
STRONGEST_PAIRS = 5


def quality_context(content: ReportContent) -> dict[str, Any]:
    """Values of the template's quality section, empty without any figures."""
    quality = content.quality
    if quality is None:
        return {}
    return {
        "verdict": content.verdict,
        "areas": _areas(QualityFacts.of(content.records.get("quality")).areas_mm2),
        "columns": [(heading, unit) for _, heading, unit in STAINING],
        "staining": _staining(quality.figures),
        "sharpness": _value(quality.figures, "sharpness"),
        "pairs": _pairs(quality.figures),
    }


def exclusion_picture(
    nucleus: NDArray[np.float32], masks: dict[str, NDArray[np.bool_]]
) -> figures.Rgb:
    """(h, w) nuclear channel with what (h, w) masks exclude in its cause's colour."""
    rest = ~np.any(list(masks.values()), axis=0)
    ranges = [figures.nucleus_range(nucleus[rest] if rest.any() else nucleus)]
    image = figures.composite(nucleus[None], [figures.SLIDE_COLOUR], ranges)
    image = image.astype(np.float32)
    left = np.ones(nucleus.shape, bool)
    for cause in CAUSES:
        mask = masks[cause] & left
        colour = np.array(COLOURS[cause], np.float32)
        image[mask] = (1 - OPACITY) * image[mask] + OPACITY * colour
        left &= ~mask
    return np.rint(image).astype(np.uint8)


def _areas(areas: dict[str, float]) -> list[tuple[str, float, float, Colour | None]]:
    """(name, mm², share of the tissue in %, colour in the picture)."""
    tissue = areas.get("tissue", 0.0)
    return [
        (name, area, 100 * area / tissue if tissue else np.nan, COLOURS.get(name))
        for name, area in areas.items()
    ]


def _staining(table: pd.DataFrame) -> list[tuple[str, list[tuple[float, str]]]]:
    """Channel, and (value, reason) per column of the staining table."""
    single = table[(table["channel_b"] == "") & (table["channel"] != "")]
    return [
        (str(channel), [_cell(rows, name) for name, _, _ in STAINING])
        for channel, rows in single.groupby("channel", sort=False)
    ]


def _cell(rows: pd.DataFrame, name: str) -> tuple[float, str]:
    found = rows[rows["figure"] == name]
    if found.empty:
        return np.nan, ""
    return float(found["value"].iloc[0]), str(found["reason"].iloc[0])


def _value(table: pd.DataFrame, name: str) -> float:
    return _cell(table, name)[0]


def _pairs(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The pairs of channels that are most alike, with the leak either way."""
    known = table[(table["figure"] == "correlation") & table["value"].notna()]
    leaks = table[table["figure"] == "leak"].set_index(["channel", "channel_b"])
    strongest = known.nlargest(STRONGEST_PAIRS, "value")
    return [
        {
            "a": a,
            "b": b,
            "correlation": value,
            "leak": float(leaks.at[(a, b), "value"]),
            "back": float(leaks.at[(b, a), "value"]),
        }
        for a, b, value in strongest[["channel", "channel_b", "value"]].to_numpy()
    ]
