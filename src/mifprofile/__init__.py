"""Immune landscapes from multiplexed immunofluorescence whole-slide images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mifprofile._lazy import lazily

if TYPE_CHECKING:
    from mifprofile._version import __version__
    from mifprofile.api import cohort, gates, landscape, neighbourhoods, run
    from mifprofile.errors import MifprofileError
    from mifprofile.io.config import read_options, read_panel
    from mifprofile.io.readers import open_slide
    from mifprofile.io.results import Results
    from mifprofile.model import Panel, Slide
    from mifprofile.options import STAGES, Options
    from mifprofile.sample import Sample, open
    from mifprofile.stages import Job, open_results, run_all, run_stage

# napari imports this module at every start: names are resolved when asked for. None
# may be a submodule's, which would take its place once it is imported.
_HOMES = {
    "Job": "mifprofile.stages",
    "MifprofileError": "mifprofile.errors",
    "Options": "mifprofile.options",
    "Panel": "mifprofile.model",
    "Results": "mifprofile.io.results",
    "STAGES": "mifprofile.options",
    "Sample": "mifprofile.sample",
    "Slide": "mifprofile.model",
    "__version__": "mifprofile._version",
    "cohort": "mifprofile.api",
    "gates": "mifprofile.api",
    "landscape": "mifprofile.api",
    "neighbourhoods": "mifprofile.api",
    "open": "mifprofile.sample",
    "open_results": "mifprofile.stages",
    "open_slide": "mifprofile.io.readers",
    "read_options": "mifprofile.io.config",
    "read_panel": "mifprofile.io.config",
    "run": "mifprofile.api",
    "run_all": "mifprofile.stages",
    "run_stage": "mifprofile.stages",
}

__all__ = [
    "STAGES",
    "Job",
    "MifprofileError",
    "Options",
    "Panel",
    "Results",
    "Sample",
    "Slide",
    "__version__",
    "cohort",
    "gates",
    "landscape",
    "neighbourhoods",
    "open",
    "open_results",
    "open_slide",
    "read_options",
    "read_panel",
    "run",
    "run_all",
    "run_stage",
]

__getattr__, __dir__ = lazily(__name__, _HOMES)
