"""Intensities by compartment, shapes and contacts, the same whatever the blocks."""

from mifprofile.core.measure.background import Background, background, backgrounds
from mifprofile.core.measure.contacts import (
    add_edges,
    contact_table,
    outline_edges,
    perimeters_um,
)
from mifprofile.core.measure.runs import (
    CellRuns,
    cell_runs,
    label_areas,
    membrane_ring,
    whole_cells,
)
from mifprofile.core.measure.spill_over import compensate_spill_over
from mifprofile.core.measure.table import Reading, measure_cells

__all__ = [
    "Background",
    "CellRuns",
    "Reading",
    "add_edges",
    "background",
    "backgrounds",
    "cell_runs",
    "compensate_spill_over",
    "contact_table",
    "label_areas",
    "measure_cells",
    "membrane_ring",
    "outline_edges",
    "perimeters_um",
    "whole_cells",
]
