"""Gates at a percentile of cells that cannot carry the marker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.phenotype import call_positive, matches
from mifprofile.core.phenotype.gates.gate import Gate, undecided
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from mifprofile.model import Rule
    from mifprofile.options import PhenotypeOptions


def gate_from_negatives(
    levels: pd.DataFrame,
    marker: str,
    rule: Rule,
    thresholds: Mapping[str, float],
    options: PhenotypeOptions,
) -> Gate:
    """Percentile of the cells that cannot carry the marker."""
    ungated = [n for n, _ in rule.signs if not np.isfinite(thresholds.get(n, np.nan))]
    if ungated:
        return undecided(f"its negatives are {rule.text}, but {ungated[0]} has no gate")
    negative = matches(call_positive(levels, thresholds), rule)
    return _percentile(levels.loc[negative, marker], rule.text, options)


def gate_from_slide(
    control: pd.DataFrame | None, marker: str, options: PhenotypeOptions
) -> Gate:
    """Percentile of the cells of a negative-control slide; raises UsageError."""
    if control is None:
        raise UsageError(
            f"phenotype: {marker} has the method 'control' but nothing to be anchored "
            "to; name its negatives (phenotype.negatives), or give a control slide"
        )
    return _percentile(control[marker], "control slide", options)


def _percentile(levels: pd.Series, of: str, options: PhenotypeOptions) -> Gate:
    known = levels.to_numpy(float)
    known = known[np.isfinite(known)]
    if known.size < options.min_cells:
        return undecided(f"only {known.size} cells of its negatives ({of})")
    q = options.control_percentile
    note = f"percentile {q:g} of {known.size} cells: {of}"
    return Gate(float(np.percentile(known, q)), note, "graded")
