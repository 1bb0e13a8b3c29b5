"""All channels of a slide, one after another: what to exclude, and its figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core import quality as core
from mifprofile.core.masks import draw_areas, grow
from mifprofile.stages.planes import coarse_plane, type_maximum
from mifprofile.stages.quality.scan import Scan, ScanGrid, scan_channel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mifprofile.core.masks import DrawnArea
    from mifprofile.core.quality import Figure, Illumination
    from mifprofile.model import Panel
    from mifprofile.options import QualityOptions
    from mifprofile.stages.workers import Workers

    Mask = NDArray[np.bool_]
    Plane = NDArray[np.float32]

# The darkest quarter of the tissue shows the noise best.
DARKEST_PERCENT = 25.0
# Around clipped areas the light is not to be trusted either.
HALO_UM = 12.0
PAIR_PIXELS = 100_000


@dataclass(frozen=True)
class _Channel:
    """What is kept of a channel once its pixels have been read."""

    name: str
    values: Plane
    noise: float
    saturated_pct: float
    illumination: Illumination


@dataclass
class _Survey:
    """What grows from channel to channel, so that one at a time is in memory."""

    grid: ScanGrid
    nuclear: Plane
    options: QualityOptions
    clipped: Plane = field(init=False)
    aggregate: Mask = field(init=False)
    squares: Plane = field(init=False)
    excess: Plane | None = None
    nuclear_excess: Plane | None = None
    channels: list[_Channel] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clipped = np.zeros(self.grid.tissue.shape, np.float32)
        self.aggregate = np.zeros(self.grid.tissue.shape, bool)

    def add(self, name: str, plane: Plane, scan: Scan, *, nuclear: bool) -> None:
        """Take in a channel: its map and what full resolution shows of it."""
        grid, tissue = self.grid, self.grid.tissue
        values = scan.samples[grid.sampled(tissue)]
        clipped = self._clipped(scan, values)
        np.maximum(self.clipped, clipped, out=self.clipped)
        clean = tissue & ~grow(self.saturated(), HALO_UM / grid.um)
        if nuclear:
            self.squares = scan.squares
            self.nuclear_excess = core.background_excess(plane, clean, grid.um)
        else:
            self._add_marker(plane, scan, clean)
        self.channels.append(
            _Channel(
                name,
                values,
                _noise(plane, scan.noise_square, clean),
                100 * float(clipped[tissue].mean()) if tissue.any() else np.nan,
                core.find_illumination(plane, clean, grid.um),
            )
        )

    def saturated(self) -> Mask:
        """Find where any channel clips, of those seen so far."""
        return core.find_saturation(
            self.clipped,
            um=self.grid.um,
            limit=self.options.saturated_limit,
            min_area_um2=self.options.saturated_min_area_um2,
        )

    def _clipped(self, scan: Scan, values: Plane) -> Plane:
        """Share of each map pixel that clips."""
        maximum = float(scan.maximum[self.grid.tissue].max(initial=-np.inf))
        highest = type_maximum(self.grid.slide.levels[0].dtype)
        level = core.clip_level(values, maximum, highest)
        if level is None:
            return np.zeros(self.grid.tissue.shape, np.float32)
        pixels = self.grid.cell_px**2
        clipped = (scan.maximum == level) * scan.at_maximum / pixels
        return clipped.astype(np.float32)

    def _add_marker(self, plane: Plane, scan: Scan, clean: Mask) -> None:
        """Look for clumps, and for what is high in every marker."""
        grid, options = self.grid, self.options
        values = scan.samples[grid.sampled(clean)]
        self.aggregate |= core.find_aggregates(
            scan.maximum,
            self.nuclear,
            clean,
            um=grid.um,
            threshold=core.clump_level(values, options.aggregate_factor),
            max_area_um2=options.aggregate_max_um2,
        )
        excess = core.background_excess(plane, clean, grid.um)
        if excess is not None:
            before = self.excess
            self.excess = excess if before is None else np.minimum(before, excess)

    def folds(self, tissue: Mask) -> Mask:
        """Find folds once every channel has been seen."""
        if self.excess is None:
            return np.zeros(tissue.shape, bool)
        return core.find_folds(
            self.nuclear,
            self.excess,
            tissue,
            self.nuclear_excess,
            um=self.grid.um,
            limit=self.options.fold_limit,
            min_area_um2=self.options.fold_min_area_um2,
        )

    def focus(self, tissue: Mask) -> tuple[Mask, float]:
        """Find blur, on the map, and the slide's sharpness."""
        cells = self.grid.tile_cells
        # A tile is judged by the map pixel in its middle.
        middles = np.pad(tissue, [(0, cells), (0, cells)])[cells // 2 :: cells]
        shape = self.squares.shape[1:]
        found = core.find_blur(
            self.squares,
            middles[: shape[0], cells // 2 :: cells][:, : shape[1]],
            um=self.grid.um * cells,
            step_um=self.grid.step_px * self.grid.slide.um,
            smooth_um=self.options.focus_smooth_um,
            limit=self.options.focus_limit,
            min_area_um2=self.options.focus_min_area_um2,
        )
        blurred = found.blurred.repeat(cells, axis=0).repeat(cells, axis=1)
        return blurred[: tissue.shape[0], : tissue.shape[1]], found.sharpness


def survey_slide(
    grid: ScanGrid,
    nuclear: Plane,
    panel: Panel,
    options: QualityOptions,
    drawn: Sequence[DrawnArea],
    workers: Workers,
) -> tuple[dict[str, Mask], list[Figure]]:
    """Find what to exclude, by cause, and the figures of the rest.

    Parameters
    ----------
    grid : ScanGrid
    nuclear : (h, w) float32 array
        The nuclear channel on the map.
    panel : Panel
        Its channels are looked at.
    options : QualityOptions
    drawn : sequence of DrawnArea
        Areas that people have drawn.
    workers : Workers
        Threads of this process.

    Returns
    -------
    masks : dict of str to (h, w) bool array
        Tissue to exclude, by cause.
    figures : list of Figure
    """
    tissue = grid.tissue
    survey = _Survey(grid, nuclear, options)
    for name in panel.channel_names:
        first = name == panel.nucleus
        index = grid.slide.channel_index(name)
        scan = scan_channel(grid, index, workers, sharpness=first)
        plane = nuclear if first else coarse_plane(grid.slide, name, grid.um)[0]
        survey.add(name, plane, scan, nuclear=first)
    shape = (tissue.shape[0], tissue.shape[1])
    saturated = survey.saturated()
    fold = survey.folds(tissue & ~saturated)
    blurred, sharpness = survey.focus(tissue & ~saturated & ~fold)
    masks = {
        "excluded": draw_areas(((a, 1) for a in drawn), shape, grid.cell_px) > 0,
        "fold": fold,
        "saturated": saturated,
        "out_of_focus": blurred,
        "aggregate": survey.aggregate,
        "edge": core.edge_mask(tissue, grid.um, options.edge_um),
    }
    masks = {cause: masks[cause] & tissue for cause in core.CAUSES}
    evaluable = core.evaluable_mask(tissue, masks)
    kept = grid.sampled(evaluable)[grid.sampled(tissue)]
    figures = [core.sharpness_figure(panel.nucleus, sharpness)]
    return masks, [*figures, *_figures(survey.channels, kept)]


def _figures(channels: Sequence[_Channel], kept: Mask) -> Iterator[Figure]:
    for channel in channels:
        yield from core.staining_figures(
            channel.name, channel.values[kept], channel.noise, channel.saturated_pct
        )
        yield from core.illumination_figures(channel.name, channel.illumination)
    step = max(int(np.count_nonzero(kept)) // PAIR_PIXELS, 1)
    values = np.stack([channel.values[kept][::step] for channel in channels])
    yield from core.pair_figures([channel.name for channel in channels], values)


def _noise(plane: Plane, noise_square: Plane, tissue: Mask) -> float:
    """Standard deviation of the noise where the tissue is darkest; NaN if unknown."""
    known = tissue & np.isfinite(noise_square)
    if not known.any():
        return np.nan
    dark = plane[known] <= np.percentile(plane[known], DARKEST_PERCENT)
    return float(np.sqrt(np.median(noise_square[known][dark])) / 2)
