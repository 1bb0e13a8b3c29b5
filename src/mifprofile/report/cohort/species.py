"""Figure of human and mouse effects side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mifprofile.report.cohort.drawing import (
    COLOURS,
    GRID,
    SOFT,
    Drawing,
    as_svg,
    canvas,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SIDES = {"human": COLOURS[0], "mouse": COLOURS[1]}


def mirrored(table: pd.DataFrame) -> Drawing:
    """Standardised effect of each endpoint in either species, with intervals."""
    if not table[["human_g", "mouse_g"]].notna().any(axis=None):
        why = "No endpoint has an effect in either species."
        return Drawing("concordance", "Human and mouse", why, "", table)
    with canvas(9, 0.55 * len(table) + 1.2) as figure:
        _pairs(figure.subplots(), table)
        svg = as_svg(figure)
    return Drawing(
        "concordance",
        "Human and mouse",
        "Hedges' g with its interval: patients against their own baseline, mice "
        "against the concurrent control arm. Only direction and rank are compared; "
        "pale rows are not comparable, and the table says why.",
        svg,
        table,
    )


def _pairs(axes: Axes, table: pd.DataFrame) -> None:
    axes.axvline(0, color=SOFT, linewidth=0.8)
    for y, row in enumerate(table.to_dict("records")):
        alpha = 0.3 if row["comparison"] == "no" else 1.0
        for shift, (side, colour) in zip((-0.13, 0.13), SIDES.items(), strict=True):
            if not np.isfinite(row[f"{side}_g"]):
                continue
            limits = [row[f"{side}_low"], row[f"{side}_high"]]
            at = [y + shift, y + shift]
            axes.plot(limits, at, color=colour, alpha=alpha, linewidth=1.4)
            axes.plot(row[f"{side}_g"], at[0], "s", color=colour, alpha=alpha)
    for side, colour in SIDES.items():
        axes.plot([], [], "s", color=colour, label=side)
    axes.set_yticks(range(len(table)), table["title"])
    axes.grid(axis="y", color=GRID, linewidth=0.5)
    axes.invert_yaxis()
    axes.set_xlabel("Hedges' g")
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
