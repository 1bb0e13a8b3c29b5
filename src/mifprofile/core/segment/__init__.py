"""From network flows to nuclei and cells, the same whatever the block."""

from mifprofile.core.segment.dynamics import follow_flows, sink_labels
from mifprofile.core.segment.grid import Block, Window, plan_blocks
from mifprofile.core.segment.grown_cells import expand_nuclei, reach_px
from mifprofile.core.segment.nuclei import ObjectRules, segment_nuclei
from mifprofile.core.segment.objects import (
    boxes_of,
    contrasts,
    flow_errors,
    solid_areas,
    solid_objects,
)
from mifprofile.core.segment.packed import (
    no_output,
    pack_cells,
    pack_output,
    unpack_cells,
    unpack_output,
)
from mifprofile.core.segment.resample import resample, source_window
from mifprofile.core.segment.seams import STRAIGHT_UM, Seam, block_seams
from mifprofile.core.segment.whole_cells import claim_cells, claim_reach_px

__all__ = [
    "STRAIGHT_UM",
    "Block",
    "ObjectRules",
    "Seam",
    "Window",
    "block_seams",
    "boxes_of",
    "claim_cells",
    "claim_reach_px",
    "contrasts",
    "expand_nuclei",
    "flow_errors",
    "follow_flows",
    "no_output",
    "pack_cells",
    "pack_output",
    "plan_blocks",
    "reach_px",
    "resample",
    "segment_nuclei",
    "sink_labels",
    "solid_areas",
    "solid_objects",
    "source_window",
    "unpack_cells",
    "unpack_output",
]
