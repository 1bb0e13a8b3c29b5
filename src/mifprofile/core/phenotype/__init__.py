"""Gates, and what cells are called by them."""

from mifprofile.core.phenotype.calls import (
    call_cells,
    call_conflicts,
    call_phenotypes,
    call_positive,
    called_again,
    confidence,
    lineage_of,
    marker_confidence,
    marker_levels,
    matches,
    without_calls,
)

__all__ = [
    "call_cells",
    "call_conflicts",
    "call_phenotypes",
    "call_positive",
    "called_again",
    "confidence",
    "lineage_of",
    "marker_confidence",
    "marker_levels",
    "matches",
    "without_calls",
]
