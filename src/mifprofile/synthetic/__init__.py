"""Synthetic slides with exact truth."""

from mifprofile.synthetic.nuclei import nuclei_field
from mifprofile.synthetic.options import (
    DEMO_MARKERS,
    LOOKS,
    MARKERS,
    Mixture,
    SynthOptions,
)
from mifprofile.synthetic.points import thomas_process
from mifprofile.synthetic.slide import (
    SyntheticBlock,
    TruthTally,
    synthetic_areas_mm2,
    synthetic_block,
    synthetic_truth,
)

__all__ = [
    "DEMO_MARKERS",
    "LOOKS",
    "MARKERS",
    "Mixture",
    "SynthOptions",
    "SyntheticBlock",
    "TruthTally",
    "nuclei_field",
    "synthetic_areas_mm2",
    "synthetic_block",
    "synthetic_truth",
    "thomas_process",
]
