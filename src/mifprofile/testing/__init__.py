"""Synthetic slides with exact truth, and hypothesis strategies for label images."""

from typing import TYPE_CHECKING, Any

from mifprofile.testing.nuclei import nuclei_field
from mifprofile.testing.options import (
    DEMO_MARKERS,
    LOOKS,
    MARKERS,
    Mixture,
    SynthOptions,
)
from mifprofile.testing.points import thomas_process
from mifprofile.testing.slide import (
    SyntheticBlock,
    TruthTally,
    synthetic_areas_mm2,
    synthetic_block,
    synthetic_truth,
)

if TYPE_CHECKING:
    from mifprofile.testing.strategies import label_images

__all__ = [
    "DEMO_MARKERS",
    "LOOKS",
    "MARKERS",
    "Mixture",
    "SynthOptions",
    "SyntheticBlock",
    "TruthTally",
    "label_images",
    "nuclei_field",
    "synthetic_areas_mm2",
    "synthetic_block",
    "synthetic_truth",
    "thomas_process",
]


def __getattr__(name: str) -> Any:
    """Import hypothesis only for those who ask for its strategies."""
    if name == "label_images":
        from mifprofile.testing.strategies import label_images

        return label_images
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
