"""What a synthetic slide shows and which faults it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mifprofile.errors import UsageError
from mifprofile.model import Compartment, nearest

NUCLEAR_CHANNEL = "DAPI"
GLOW_CHANNEL = "AF"
PHENOTYPES = ("tumour", "CTL", "Treg", "other")
TYPES = ("tumour", "CTL", "Treg", "immune", "stromal")
PLACES = ("glass", "stroma", "tumour")

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]


class MarkerLook(NamedTuple):
    """Where a marker lies and which share of each cell type carries it."""

    channel: str
    measure: Compartment
    carriers: dict[str, float]


MARKERS: dict[str, MarkerLook] = {
    "CD8": MarkerLook("CD8", "membrane", {"CTL": 1.0}),
    "FOXP3": MarkerLook("FOXP3", "nucleus", {"Treg": 1.0}),
    "PD-L1": MarkerLook("PDL1", "membrane", {"tumour": 0.35, "immune": 0.3}),
    "HER2": MarkerLook("HER2", "membrane", {"tumour": 0.85}),
    "CK": MarkerLook("CK", "cytoplasm", {"tumour": 1.0}),
    "CD3": MarkerLook("CD3", "membrane", {"CTL": 1.0, "Treg": 1.0, "immune": 0.3}),
    "CD68": MarkerLook("CD68", "cytoplasm", {"immune": 0.25}),
    "KI67": MarkerLook("KI67", "nucleus", {"tumour": 0.25, "CTL": 0.1}),
}
DEMO_MARKERS = ("CD8", "FOXP3", "PD-L1", "HER2", "CK")
# No type of cell is named after these.
STATES = ("PD-L1", "HER2", "CD68", "KI67")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mixture(_Frozen):
    """Shares of the cell types in one region; the rest is stromal."""

    tumour: Fraction = 0.0
    ctl: Fraction = 0.0
    treg: Fraction = 0.0
    immune: Fraction = 0.0

    @property
    def shares(self) -> tuple[float, ...]:
        """One share per type, in the order of `TYPES`."""
        named = (self.tumour, self.ctl, self.treg, self.immune)
        return (*named, max(0.0, 1 - sum(named)))

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        total = self.tumour + self.ctl + self.treg + self.immune
        if total > 1 + 1e-9:
            raise UsageError(f"shares of a mixture add up to {total:.3g}, more than 1")
        return self


# So that overlap, tails and the best gate are like those of real stains.
HARD: dict[str, Any] = {
    "nest": Mixture(tumour=0.9, ctl=0.04, treg=0.004, immune=0.04),
    "stroma": Mixture(ctl=0.11, treg=0.022, immune=0.26),
    "tumour_area_fraction": 0.55,
    "positive_level": 45_000.0,
    "negative_level": 220.0,
    "level_spread": 0.4,
    "positive_decades": 1.0,
    "negative_tail": 0.3,
    "autofluorescence": 0.003,
    "autofluorescent_cells": 0.004,
    "debris_per_mm2": 60.0,
    "bleed_through": 0.02,
    "spill_over": 0.08,
}
# What differs from HARD where single events are counted and background is removed.
SPARSE: dict[str, Any] = {
    "counts": 2.0,
    "negative_level": 3.0,
    "autofluorescence": 0.0,
    "bleed_through": 0.0,
    "illumination": 0.0,
}
LOOKS: dict[str, dict[str, Any]] = {"hard": HARD, "easy": {}, "sparse": HARD | SPARSE}


class SynthOptions(_Frozen):
    """A synthetic slide: its size, its tissue and its faults.

    The defaults give a clean, easy slide, `hard` one as difficult as real ones. Every
    fault is a field of its own, and 0 switches it off.

    Parameters
    ----------
    size_mm : (float, float)
        Width and height.
    pixel_size_um : float
    seed : int
        Same seed, same slide.
    markers : tuple of str
        Keys of `MARKERS`; the nuclear channel comes before them.
    nest, stroma : Mixture
        Cell types inside and outside the tumour nests.
    tumour_area_fraction : float
        Share of the tissue that is tumour nest, on average.
    nest_cells_per_mm2, stroma_cells_per_mm2 : float
        Wanted densities; crowding may leave them up to a tenth short.
    positive_level, negative_level : float
        Median counts of a marker on cells with and without it.
    level_spread : float
        Standard deviation of the logarithm of both.
    noise : float
        Shot and read noise, as a multiple of a usual camera's.
    blur_um : float
        Standard deviation of the point spread.
    illumination : float
        Relative loss of light from the centre to the corners of each camera field.
    autofluorescence : float
        Light of unstained tissue, relative to ``positive_level``.
    autofluorescence_channel : bool
        Whether a last channel, AF, sees autofluorescence alone.
    haze : float
        Light that varies slowly over the whole slide, glass included, relative to
        ``positive_level``; each channel has its own.
    bleed_through : float
        Share of each channel's light that the neighbouring channels also see.
    spill_over : float
        Share of each cell's light that spreads over its neighbours.
    fold_count : int
        Folds: bands of doubled, blurred light.
    out_of_focus_count : int
        Patches that the focus missed.
    out_of_focus_blur_um : float
        Extra blur in their middle.
    saturated_count : int
        Patches that were exposed too long: what is stained there clips.
    saturated_gain : float
        Their light, as a multiple of the usual.
    aggregate_count : int
        Clumps of antibody: small round spots, far brighter than any cell, each in one
        marker channel.
    positive_decades : float
        Positive cells spread evenly, in the logarithm, over so many decades downwards
        from ``positive_level``.
    negative_tail : float
        Mean of an exponential tail that is added to the natural logarithm of the
        negative cells' level; it ends after one and a half decades.
    autofluorescent_cells : float
        Share of cells that glow alike in every channel but the nuclear one, by 0.05
        to 0.5 ``positive_level``.
    debris_per_mm2 : float
        Bright irregular specks on the tissue, each in several channels, none of them
        nuclear; nuclei hide them.
    counts : float
        0 for a camera; else the events that a detector counts, on average, per pixel of
        light ``positive_level``, and four times as many in a nucleus. Most pixels of
        such an image are 0; ``noise`` has no part in it.
    shares : tuple of (str, float)
        Marker and share of the cells that carry it, among the types that can. Only
        for the markers that are states, not lineages: `STATES`. A mapping will do.
    glass_margin_um : float
        Mean width of the bare glass around the tissue.
    """

    size_mm: tuple[Positive, Positive] = (1.0, 1.0)
    pixel_size_um: Positive = 0.5
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    markers: tuple[str, ...] = DEMO_MARKERS
    nest: Mixture = Mixture(tumour=0.88, ctl=0.05, treg=0.015, immune=0.035)
    stroma: Mixture = Mixture(ctl=0.14, treg=0.07, immune=0.24)
    tumour_area_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.45
    nest_cells_per_mm2: NonNegative = 7500.0
    stroma_cells_per_mm2: NonNegative = 6500.0
    positive_level: Positive = 4000.0
    negative_level: NonNegative = 120.0
    level_spread: NonNegative = 0.35
    noise: NonNegative = 1.0
    blur_um: NonNegative = 0.35
    illumination: Fraction = 0.03
    autofluorescence: NonNegative = 0.03
    autofluorescence_channel: bool = False
    haze: NonNegative = 0.0
    bleed_through: Fraction = 0.01
    spill_over: Fraction = 0.05
    fold_count: Annotated[int, Field(ge=0)] = 0
    out_of_focus_count: Annotated[int, Field(ge=0)] = 0
    out_of_focus_blur_um: Positive = 2.5
    saturated_count: Annotated[int, Field(ge=0)] = 0
    saturated_gain: Annotated[float, Field(ge=1)] = 60.0
    aggregate_count: Annotated[int, Field(ge=0)] = 0
    glass_margin_um: NonNegative = 40.0
    positive_decades: NonNegative = 0.0
    negative_tail: NonNegative = 0.0
    autofluorescent_cells: Fraction = 0.0
    debris_per_mm2: NonNegative = 0.0
    counts: NonNegative = 0.0
    shares: tuple[tuple[str, Fraction], ...] = ()

    @classmethod
    def hard(cls, **changes: Any) -> Self:
        """Return a slide whose levels are as hard to gate as those of real slides.

        Parameters
        ----------
        **changes
            Fields that differ from `HARD`, or that it leaves alone.
        """
        return cls.look("hard", **changes)

    @classmethod
    def sparse(cls, **changes: Any) -> Self:
        """Return a hard slide of single events, as imaging mass spectrometry makes.

        Parameters
        ----------
        **changes
            Fields that differ from `HARD` and `SPARSE`, or that they leave alone.
        """
        return cls.look("sparse", **changes)

    @classmethod
    def look(cls, name: str, **changes: Any) -> Self:
        """Return the slide of one of `LOOKS`, with some fields changed."""
        return cls.model_validate(LOOKS[name] | changes)

    @field_validator("shares", mode="before")
    @classmethod
    def _pairs(cls, shares: Any) -> Any:
        return tuple(shares.items()) if isinstance(shares, Mapping) else shares

    @model_validator(mode="after")
    def _shares_of_states(self) -> Self:
        for name, _ in self.shares:
            if name not in STATES:
                raise UsageError(
                    f"shares: {name!r} is no state of a cell; choose from "
                    f"{', '.join(STATES)}, or change nest and stroma"
                )
        return self

    @model_validator(mode="after")
    def _known_markers(self) -> Self:
        for name in self.markers:
            if name not in MARKERS:
                raise UsageError(
                    f"markers: {name!r} cannot be drawn{nearest(name, MARKERS)}; "
                    f"{NUCLEAR_CHANNEL} is always there, "
                    f"choose the others from {', '.join(MARKERS)}"
                )
        if len(set(self.markers)) < len(self.markers):
            raise UsageError(f"markers: {', '.join(self.markers)} names one twice")
        return self

    def carriers(self, marker: str) -> dict[str, float]:
        """Return the share of each cell type that carries a marker."""
        carriers = MARKERS[marker].carriers
        share = dict(self.shares).get(marker)
        return carriers if share is None else dict.fromkeys(carriers, share)

    @property
    def shape_px(self) -> tuple[int, int]:
        """Height and width of the slide in pixels."""
        width, height = self.size_mm
        return (
            max(1, round(height * 1000 / self.pixel_size_um)),
            max(1, round(width * 1000 / self.pixel_size_um)),
        )

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Channel names in the order of the image."""
        glow = (GLOW_CHANNEL,) if self.autofluorescence_channel else ()
        stains = (MARKERS[name].channel for name in self.markers)
        return (NUCLEAR_CHANNEL, *stains, *glow)
