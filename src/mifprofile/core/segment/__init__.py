"""From network flows to nuclei and cells, the same whatever the block."""

from mifprofile.core.segment.cells import expand_nuclei, reach_px
from mifprofile.core.segment.dynamics import follow_flows, sink_labels
from mifprofile.core.segment.grid import Block, plan_blocks
from mifprofile.core.segment.nuclei import (
    ObjectRules,
    renumber,
    segment_nuclei,
)
from mifprofile.core.segment.objects import (
    boxes_of,
    contrasts,
    flow_errors,
    solid_areas,
    solid_objects,
)
from mifprofile.core.segment.resample import resample, source_window

__all__ = [
    "Block",
    "ObjectRules",
    "boxes_of",
    "contrasts",
    "expand_nuclei",
    "flow_errors",
    "follow_flows",
    "plan_blocks",
    "reach_px",
    "renumber",
    "resample",
    "segment_nuclei",
    "sink_labels",
    "solid_areas",
    "solid_objects",
    "source_window",
]
