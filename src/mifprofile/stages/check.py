"""What was understood of a slide or a config, and everything that would fail later."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mifprofile.core.masks import area_mm2
from mifprofile.core.panel.capability import capabilities, traps
from mifprofile.engines import load_segmenter
from mifprofile.errors import MifprofileError, UsageError
from mifprofile.io.config import (
    read_options,
    read_panel,
    read_samples,
    read_workflow_path,
)
from mifprofile.io.geojson import read_drawn_areas
from mifprofile.io.readers import open_slide
from mifprofile.model import PLAUSIBLE_UM, nearest
from mifprofile.options import Options, QualityOptions
from mifprofile.stages.correct import check_correction
from mifprofile.stages.landscape import check_landscape
from mifprofile.stages.measure import check_thresholds, column_channels
from mifprofile.stages.phenotype import check_gating
from mifprofile.stages.planes import coarse_plane
from mifprofile.stages.quality import find_tissue
from mifprofile.stages.shared_gates import check_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mifprofile.model import Panel, Sample, Slide

ThingT = TypeVar("ThingT")

CELLS_PER_MM2 = 5000
# As measured on two cores in int8, from file to report; without OpenVINO some 3 more.
SECONDS_PER_MEGAPIXEL = 3.0
START_SECONDS = 20.0
# Segmentation needs the same for any slide; maps and tables grow with it.
BASE_GB = 1.2
BYTES_PER_CELL = 4000
BYTES_PER_REGION_PIXEL = 60
ANSWERS = {"OK": "yes", "APPROX": "roughly", "NOT_COMPUTABLE": "no"}


@dataclass(frozen=True)
class _Findings:
    """Lines about what is there, and problems that would stop a run."""

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def attempt(self, where: str, make: Callable[[], ThingT]) -> ThingT | None:
        """What ``make`` returns; its error is noted as a problem."""
        try:
            return make()
        except MifprofileError as e:
            self.problems.append(f"{where}{e}")
            return None

    def text(self) -> str:
        """All lines; raises UsageError for the first problem, with the others shown."""
        if not self.problems:
            return "\n".join(self.lines)
        first, *others = self.problems
        print(*self.lines, *others, sep="\n", file=sys.stderr)  # noqa: T201
        more = f" (and {len(others)} more, listed above)" if others else ""
        raise UsageError(f"{first}{more}")


def check_slide(slide: Path, panel: Path | None, pixel_size_um: float | None) -> str:
    """Say what was understood of a slide.

    Parameters
    ----------
    slide : Path
    panel : Path or None
        Without one, channels are listed, not matched, and nothing is estimated.
    pixel_size_um : float or None
        Overrides the file's.

    Returns
    -------
    str
        Lines to print.

    Raises
    ------
    MifprofileError
        Something would fail later. What was understood is printed on stderr, and so is
        every problem but the first.
    """
    asked = None if panel is None else read_panel(panel)
    opened = open_slide(
        slide,
        pixel_size_um=pixel_size_um,
        channel_names=None if asked is None else asked.channels,
    )
    found = _Findings(_slide_lines(slide, opened, pixel_size_um))
    found.attempt("", lambda: opened.um)
    if asked is not None:
        found.lines.append(f"panel       {asked.name}, {asked.species}")
        found.lines.extend(_match_lines(opened, asked))
        found.lines.extend(_capability_lines(asked))
        found.problems.extend(_missing_channels(opened, asked))
    if asked is not None and not found.problems:
        found.lines.extend(_estimate_lines(opened, asked.nucleus))
    return found.text()


def check_config(path: Path) -> str:
    """Check a config, its sample sheet, and every slide and panel named there.

    Parameters
    ----------
    path : Path
        ``config.yaml``. Paths in it count from the working directory.

    Returns
    -------
    str
        One line per sample.

    Raises
    ------
    MifprofileError
        Something would fail later. All lines are printed on stderr, and so is every
        problem but the first.
    """
    options = read_options(path)
    sheet = read_workflow_path(path, "samples")
    samples = read_samples(sheet)
    read_workflow_path(path, "results")
    found = _Findings()
    model = options.segment
    found.attempt(
        f"{path}: segment.model: ",
        lambda: load_segmenter(model.model, model.diameter_um),
    )
    found.attempt("", lambda: check_lock(options.gates, samples, sheet))
    for sample in samples:
        _check_sample(sample, options, found)
    return found.text()


def _check_sample(sample: Sample, options: Options, found: _Findings) -> None:
    """Add a line about a sample, and its problems."""
    where, before = f"{sample.sample_id}: ", len(found.problems)
    panel = found.attempt(where, lambda: _panel_of(sample))
    names = None if panel is None else panel.channels
    slide = found.attempt(where, lambda: _slide_of(sample, options, names))
    if sample.exclusions is not None:
        drawn = Path(sample.exclusions)
        found.attempt(where, lambda: read_drawn_areas(drawn))
    if panel is not None:
        found.attempt(where, lambda: check_gating(panel, options.phenotype))
        regions = None if sample.regions is None else Path(sample.regions)
        found.attempt(where, lambda: check_landscape(options, panel, regions))
    line = ""
    if slide is not None and panel is not None:
        measure, missing = options.measure, _missing_channels(slide, panel)
        found.problems.extend(where + text for text in missing)
        found.attempt(where, lambda: check_correction(slide, panel, measure.correct))
        if not missing:
            there = column_channels(slide, panel)
            found.attempt(where, lambda: check_thresholds(there, panel, measure))
        line = f", {slide.file_format}, {_size(slide)}, panel {panel.name}"
    count = len(found.problems) - before
    verdict = f"{count} problem{'s' if count > 1 else ''}" if count else "ok"
    found.lines.append(f"{where}{verdict}{line}")


def _panel_of(sample: Sample) -> Panel:
    panel = read_panel(Path(sample.panel))
    if panel.species != sample.species:
        raise UsageError(
            f"{sample.panel}: a panel for {panel.species}, but the sample sheet says "
            f"{sample.species}"
        )
    return panel


def _slide_of(
    sample: Sample, options: Options, channel_names: tuple[str, ...] | None
) -> Slide:
    slide = open_slide(
        sample.slide,
        pixel_size_um=sample.pixel_size_um or options.ingest.pixel_size_um,
        channel_names=channel_names,
    )
    _ = slide.um  # raises if it is unknown
    return slide


def _size(slide: Slide) -> str:
    height, width = slide.shape_px
    if slide.pixel_size is None:
        return f"{width} x {height} px"
    mm = slide.um / 1000
    return f"{width} x {height} px, {width * mm:.2f} x {height * mm:.2f} mm"


def _slide_lines(path: Path, slide: Slide, given_um: float | None) -> list[str]:
    levels = ", ".join(f"{level.shape[2]} x {level.shape[1]}" for level in slide.levels)
    return [
        f"{path}: {slide.file_format}",
        f"size        {_size(slide)}",
        f"levels      {levels}",
        _pixel_line(slide, given_um),
        f"channels    {', '.join(slide.channel_names)}",
    ]


def _pixel_line(slide: Slide, given_um: float | None) -> str:
    if slide.pixel_size is None:
        return "pixel size  unknown"
    source = "from the file" if given_um is None else "as given"
    low, high = PLAUSIBLE_UM
    odd = "" if slide.pixel_size.plausible else f"; unusual, scanners have {low}-{high}"
    return f"pixel size  {slide.um:g} µm, {source}{odd}"


def _match_lines(slide: Slide, panel: Panel) -> Iterator[str]:
    """One line per channel of the panel."""
    read_as = {marker.channel: name for name, marker in panel.markers.items()}
    for name in panel.channel_names:
        there = name in slide.channel_names
        state = "found" if there else f"missing{nearest(name, slide.channel_names)}"
        role = read_as.get(name, "nuclei" if name == panel.nucleus else "membrane")
        yield f"  {name:<10}{state}, {role}"


def _capability_lines(panel: Panel) -> Iterator[str]:
    """What the panel can answer, and what to beware of."""
    yield "answers"
    for found in capabilities(panel):
        reason = f": {found.reason}" if found.reason else ""
        yield f"  {ANSWERS[found.answer]:<10}{found.question}{reason}"
    for trap in traps(panel):
        yield f"beware      {trap.text}"
    for first, second in panel.overlaps:
        yield f"beware      cells may fit {first!r} and {second!r}: they are {first!r}"


def _missing_channels(slide: Slide, panel: Panel) -> list[str]:
    return [
        f"{slide.source}: no channel {name!r}{nearest(name, slide.channel_names)}"
        for name in panel.channel_names
        if name not in slide.channel_names
    ]


def _estimate_lines(slide: Slide, nucleus: str) -> list[str]:
    """Tissue, cells, memory and time, all rough."""
    options = Options()
    tissue = _tissue_mm2(slide, nucleus, options.quality)
    total = slide.shape_px[0] * slide.shape_px[1] * slide.um**2 / 1e6
    cells = tissue * CELLS_PER_MM2
    regions = total * 1e6 / options.landscape.mask_um**2
    growing = max(cells * BYTES_PER_CELL, regions * BYTES_PER_REGION_PIXEL)
    gb = BASE_GB + growing / 1e9
    megapixels = tissue / slide.um**2
    minutes = (START_SECONDS + megapixels * SECONDS_PER_MEGAPIXEL) / 60
    return [
        f"tissue      about {tissue:.2f} of {total:.2f} mm²",
        f"cells       about {_rounded(cells)}, at {CELLS_PER_MM2} per mm² of tissue",
        f"memory      about {gb:.1f} GB",
        f"time        about {_rounded(minutes)} min on two cores",
    ]


def _rounded(value: float) -> str:
    """Two significant digits."""
    return f"{float(f'{value:.2g}'):g}" if value < 1e6 else f"{value / 1e6:.1f} million"


def _tissue_mm2(slide: Slide, channel: str, options: QualityOptions) -> float:
    plane, um = coarse_plane(slide, channel, options.mask_um)
    return area_mm2(find_tissue(plane, um, options), um)
