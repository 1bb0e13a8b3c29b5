"""Corrections of a slide: found on its coarse tissue, applied as blocks are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mifprofile.core.correct import (
    Autofluorescence,
    Background,
    Correction,
    FlatField,
    Unmixing,
    autofluorescence_factor,
    background_grid,
    bleed_through_matrix,
    camera_fields,
    dark_end,
    flat_profile,
    mixing_matrix,
    quartile_profile,
)
from mifprofile.engines.flat_field import basic_profile, require_basic
from mifprofile.errors import UsageError
from mifprofile.io.readers import open_slide
from mifprofile.io.tables import read_mixing
from mifprofile.stages.planes import coarse_plane
from mifprofile.stages.quality import read_tissue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mifprofile.model import Panel, Slide
    from mifprofile.options import CorrectOptions
    from mifprofile.stages.job import Job

MIN_FIELDS = 8
MIN_GLASS_PX = 1000
# Pixels of the tissue, taken evenly, that the share of autofluorescence is fitted to.
MAX_FIT_PX = 500_000


def read_corrected(
    slide: Slide,
    channels: Sequence[int],
    window: tuple[slice, slice],
    correction: Correction | None,
) -> NDArray[Any]:
    """Read some channels of a window, corrected.

    Returns
    -------
    (c, h, w) array
        Float32 with a correction, else as in the slide.
    """
    rows, columns = window
    planes = [np.asarray(slide.levels[0][c, rows, columns]) for c in channels]
    image = np.stack(planes)
    if correction is None:
        return image
    return correction.apply(image, (rows.start, columns.start), slide.um)


def fit_correction(
    job: Job, slide: Slide, channels: Sequence[int]
) -> tuple[Correction | None, dict[str, Any]]:
    """Find what the options ask for, on the slide's tissue.

    Memory holds a few channels at the resolution of the tissue mask.

    Parameters
    ----------
    job : Job
    slide : Slide
    channels : sequence of int
        Channels of the slide, in the order in which they will be read.

    Returns
    -------
    correction : Correction or None
        None if nothing is asked for.
    facts : dict
        ``corrected``: every parameter that was found or given, for people to read;
        empty if nothing is asked for.
    """
    options = job.options.measure.correct
    check_correction(slide, job.panel, options)
    if not options.active:
        return None, {}
    tissue, um = read_tissue(job.results)
    scene = _Scene(slide, tuple(channels), tissue, um)
    flat_field, flat_facts = _flat_field(scene, options)
    correction = Correction(flat_field)
    background, background_facts = _background(scene, correction, options)
    correction = Correction(flat_field, background)
    glow, glow_facts = _autofluorescence(scene, correction, job.panel, options)
    mixing = _mixing(scene.names, options)
    unmixing = None if mixing is None else Unmixing(mixing, options.non_negative)
    facts = flat_facts | background_facts | glow_facts
    if mixing is not None:
        rows = [_named(scene.names, row) for row in mixing]
        facts |= {"mixing": dict(zip(scene.names, rows, strict=True))}
    return Correction(flat_field, background, glow, unmixing), {"corrected": facts}


def check_correction(slide: Slide, panel: Panel, options: CorrectOptions) -> None:
    """Raise a MifprofileError for what would fail later, before pixels are read."""
    names = slide.channel_names
    for name in (options.autofluorescence, *options.autofluorescence_factors):
        if name is not None:
            slide.channel_index(name)
    if options.autofluorescence in {m.channel for m in panel.markers.values()}:
        raise UsageError(
            f"correct.autofluorescence: {options.autofluorescence!r} is read as a "
            "marker; it must be a channel without stain"
        )
    _mixing(names, options)
    if options.flat_field == "basic":
        require_basic()
    if options.flat_field_file is not None:
        _profiles_of_file(Path(options.flat_field_file), range(len(names)), len(names))


@dataclass(frozen=True)
class _Scene:
    """The slide at the resolution of its tissue mask."""

    slide: Slide
    channels: tuple[int, ...]
    tissue: NDArray[np.bool_]
    um: float

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the file, in the order of the channels."""
        return tuple(self.slide.channel_names[c] for c in self.channels)

    def plane(self, channel: int, before: Correction) -> NDArray[np.float32]:
        """A channel after the corrections that come before."""
        plane, _ = coarse_plane(self.slide, self.names[channel], self.um)
        return before.apply_to_plane(plane, channel, (0, 0), self.um)

    def sampled(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pixels of the tissue, taken evenly."""
        inside = plane[self.tissue]
        return inside[:: max(inside.size // MAX_FIT_PX, 1)]


def _named(names: Sequence[str], values: NDArray[Any]) -> dict[str, float]:
    """Values by channel, rounded for people."""
    return {n: float(f"{v:.4g}") for n, v in zip(names, values, strict=True)}


def _flat_field(
    scene: _Scene, options: CorrectOptions
) -> tuple[FlatField | None, dict[str, Any]]:
    if options.flat_field == "none" or options.field_um is None:
        return None, {}
    width, height = options.field_um
    if options.flat_field_file is not None:
        path, count = Path(options.flat_field_file), len(scene.slide.channels)
        profiles, source = _profiles_of_file(path, scene.channels, count), path.name
    else:
        profiles, used = _fitted_profiles(scene, options, (height, width))
        source = f"{options.flat_field} of {used} fields"
    darkest = _named(scene.names, profiles.min(axis=(1, 2)))
    facts = {"from": source, "field_um": [width, height], "darkest_share": darkest}
    field = FlatField(profiles, (height, width), options.dark_level)
    return field, {"flat_field": facts}


def _fitted_profiles(
    scene: _Scene, options: CorrectOptions, field_um: tuple[float, float]
) -> tuple[NDArray[np.float32], int]:
    """Profile of each channel, and how many fields it was found on."""
    fit = basic_profile if options.flat_field == "basic" else quartile_profile
    size = (field_um[0] / scene.um, field_um[1] / scene.um)
    profiles, used = [], 0
    for channel in range(len(scene.channels)):
        plane = scene.plane(channel, Correction()) - np.float32(options.dark_level)
        fields = camera_fields(plane, scene.tissue, size)
        used = len(fields)
        if used < MIN_FIELDS:
            raise UsageError(
                f"{scene.slide.source}: only {used} whole camera fields of "
                f"{field_um[1]:g} x {field_um[0]:g} µm with tissue, and a flat field "
                f"needs {MIN_FIELDS}; give one with correct.flat_field_file"
            )
        profiles.append(flat_profile(fit(fields)))
    return np.stack(profiles), used


def _profiles_of_file(
    path: Path, channels: Sequence[int], count: int
) -> NDArray[np.float32]:
    pages = np.asarray(open_slide(path).levels[0], np.float32)
    if len(pages) not in {1, count}:
        raise UsageError(
            f"{path}: {len(pages)} pages, but the slide has {count} channels; give one "
            "page per channel, or one for all"
        )
    if not (np.isfinite(pages).all() and (pages > 0).all()):
        raise UsageError(f"{path}: a flat field must be above 0 everywhere")
    return np.stack([flat_profile(pages[c if len(pages) > 1 else 0]) for c in channels])


def _background(
    scene: _Scene, before: Correction, options: CorrectOptions
) -> tuple[Background | None, dict[str, Any]]:
    if options.background == "none":
        return None, {}
    step_px = max(round(options.background_window_um / scene.um), 1)
    levels = np.stack(
        [
            _levels(scene, scene.plane(c, before), options, step_px)
            for c in range(len(scene.channels))
        ]
    )
    facts: dict[str, Any] = {"from": options.background}
    for name, summary in (("low", levels.min), ("high", levels.max)):
        facts[name] = _named(scene.names, summary(axis=(1, 2)))
    return Background(levels, step_px * scene.um), {"background": facts}


def _levels(
    scene: _Scene, plane: NDArray[np.float32], options: CorrectOptions, step_px: int
) -> NDArray[np.float32]:
    """Background of one channel on its grid, or on a grid of one node."""
    if options.background == "local":
        share = options.background_percentile
        return background_grid(plane, scene.tissue, step_px, share)
    if options.background == "tissue":
        whole, share = max(plane.shape), options.background_percentile
        return background_grid(plane, scene.tissue, whole, share)
    glass = plane[~scene.tissue]
    if glass.size < MIN_GLASS_PX:
        raise UsageError(
            f"{scene.slide.source}: correct.background: there is hardly any glass on "
            "this slide; take 'tissue' or 'local'"
        )
    return np.full((1, 1), np.median(glass), np.float32)


def _autofluorescence(
    scene: _Scene, before: Correction, panel: Panel, options: CorrectOptions
) -> tuple[Autofluorescence | None, dict[str, Any]]:
    if options.autofluorescence is None:
        return None, {}
    own = scene.names.index(options.autofluorescence)
    plane = scene.plane(own, before)
    level, glow = dark_end(plane), scene.sampled(plane)
    stained = {marker.channel for marker in panel.markers.values()}
    factors = np.zeros(len(scene.names), np.float32)
    for channel, name in enumerate(scene.names):
        if name in options.autofluorescence_factors:
            factors[channel] = options.autofluorescence_factors[name]
        elif name in stained and glow.size:
            seen = scene.sampled(scene.plane(channel, before))
            factors[channel] = autofluorescence_factor(seen, glow)
    facts = {
        "channel": options.autofluorescence,
        "level": float(f"{level:.4g}"),
        "factors": _named(scene.names, factors),
    }
    return Autofluorescence(own, level, factors), {"autofluorescence": facts}


def _mixing(
    names: Sequence[str], options: CorrectOptions
) -> NDArray[np.float64] | None:
    if options.unmixing is not None:
        path = Path(options.unmixing)
        return mixing_matrix(read_mixing(path), names, str(path))
    if options.bleed_through:
        return bleed_through_matrix(
            options.bleed_through, names, "correct.bleed_through"
        )
    return None
