"""Synthetic slides with exact truth, and hypothesis strategies for label images."""

from mifprofile.testing.nuclei import nuclei_field
from mifprofile.testing.options import DEMO_MARKERS, MARKERS, Mixture, SynthOptions
from mifprofile.testing.slide import (
    SyntheticBlock,
    TruthTally,
    synthetic_areas_mm2,
    synthetic_block,
    synthetic_truth,
)

__all__ = [
    "DEMO_MARKERS",
    "MARKERS",
    "Mixture",
    "SynthOptions",
    "SyntheticBlock",
    "TruthTally",
    "nuclei_field",
    "synthetic_areas_mm2",
    "synthetic_block",
    "synthetic_truth",
]
