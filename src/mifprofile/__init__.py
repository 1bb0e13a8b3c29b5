"""Immune landscapes from multiplexed immunofluorescence whole-slide images."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mifprofile.core.landscape import REGION_NAMES
    from mifprofile.core.levels import from_scale, to_scale, unit_of
    from mifprofile.core.palette import phenotype_colours
    from mifprofile.core.phenotype import marker_levels
    from mifprofile.errors import MifprofileError
    from mifprofile.io.config import read_options, read_panel
    from mifprofile.io.readers import open_slide
    from mifprofile.io.results import Results
    from mifprofile.io.store import LabelPyramid, open_label_store
    from mifprofile.io.tables import (
        read_gates,
        read_manual_gates,
        read_parquet,
        write_table,
    )
    from mifprofile.model import Panel, Slide
    from mifprofile.options import STAGES, Options
    from mifprofile.report.channels import shown_channels
    from mifprofile.stages import Job, open_results, run_all, run_stage

# napari imports this module at every start: names are resolved when asked for.
_HOMES = {
    "Job": "mifprofile.stages",
    "LabelPyramid": "mifprofile.io.store",
    "MifprofileError": "mifprofile.errors",
    "Options": "mifprofile.options",
    "Panel": "mifprofile.model",
    "REGION_NAMES": "mifprofile.core.landscape",
    "Results": "mifprofile.io.results",
    "STAGES": "mifprofile.options",
    "Slide": "mifprofile.model",
    "from_scale": "mifprofile.core.levels",
    "marker_levels": "mifprofile.core.phenotype",
    "open_label_store": "mifprofile.io.store",
    "open_results": "mifprofile.stages",
    "open_slide": "mifprofile.io.readers",
    "phenotype_colours": "mifprofile.core.palette",
    "read_gates": "mifprofile.io.tables",
    "read_manual_gates": "mifprofile.io.tables",
    "read_options": "mifprofile.io.config",
    "read_panel": "mifprofile.io.config",
    "read_parquet": "mifprofile.io.tables",
    "run_all": "mifprofile.stages",
    "run_stage": "mifprofile.stages",
    "shown_channels": "mifprofile.report.channels",
    "to_scale": "mifprofile.core.levels",
    "unit_of": "mifprofile.core.levels",
    "write_table": "mifprofile.io.tables",
}

__all__ = [
    "REGION_NAMES",
    "STAGES",
    "Job",
    "LabelPyramid",
    "MifprofileError",
    "Options",
    "Panel",
    "Results",
    "Slide",
    "from_scale",
    "marker_levels",
    "open_label_store",
    "open_results",
    "open_slide",
    "phenotype_colours",
    "read_gates",
    "read_manual_gates",
    "read_options",
    "read_panel",
    "read_parquet",
    "run_all",
    "run_stage",
    "shown_channels",
    "to_scale",
    "unit_of",
    "write_table",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
