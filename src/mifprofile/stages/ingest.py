"""slide file → ``slide.zarr``."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mifprofile.core.facts import IngestFacts
from mifprofile.io.atomic import atomic_output
from mifprofile.io.readers import open_slide
from mifprofile.io.store import is_current_store, write_slide_store
from mifprofile.model import PLAUSIBLE_UM, PixelSize

if TYPE_CHECKING:
    from pathlib import Path

    from mifprofile.model import Panel, Slide
    from mifprofile.stages.job import Job


def ingest(job: Job) -> dict[str, Any]:
    """Bring the slide into one chunked pyramid, or link to it if it is one."""
    path, um = job.files["slide"], job.options.ingest.pixel_size_um
    slide = open_for_panel(path, job.panel, um)
    in_place = um is None and is_current_store(path)
    if in_place:
        with atomic_output(job.results.slide) as partial:
            partial.symlink_to(path.resolve())
    else:
        write_slide_store(slide, job.results.slide)
    return {
        "format": slide.file_format,
        "channels": list(slide.channel_names),
        "shape_px": list(slide.shape_px),
        "origin_um": list(slide.origin_um),
        "in_place": in_place,
    } | IngestFacts(slide.um, "--pixel-size" if um else "file").noted()


def open_for_panel(path: Path, panel: Panel, pixel_size_um: float | None) -> Slide:
    """Open a slide and check that it can be analysed with a panel."""
    slide = open_slide(path, pixel_size_um=pixel_size_um, channel_names=panel.channels)
    for name in panel.channel_names:
        slide.channel_index(name)
    if not PixelSize(slide.um, slide.um).plausible:
        low, high = PLAUSIBLE_UM
        warnings.warn(
            f"{path}: pixel size {slide.um:g} µm is outside {low}-{high} µm; "
            "if that is wrong, give the right one with --pixel-size",
            stacklevel=2,
        )
    return slide
