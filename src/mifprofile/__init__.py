"""Immune landscapes from multiplexed immunofluorescence whole-slide images."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mifprofile.io.config import read_options, read_panel
    from mifprofile.io.readers import open_slide
    from mifprofile.io.results import Results
    from mifprofile.options import Options
    from mifprofile.stages import Job, run_all, run_stage

# napari imports this module at every start: names are resolved when asked for.
_HOMES = {
    "Job": "mifprofile.stages",
    "Options": "mifprofile.options",
    "Results": "mifprofile.io.results",
    "open_slide": "mifprofile.io.readers",
    "read_options": "mifprofile.io.config",
    "read_panel": "mifprofile.io.config",
    "run_all": "mifprofile.stages",
    "run_stage": "mifprofile.stages",
}

__all__ = [
    "Job",
    "Options",
    "Results",
    "open_slide",
    "read_options",
    "read_panel",
    "run_all",
    "run_stage",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
