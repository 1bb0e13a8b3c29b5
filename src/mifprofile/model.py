"""The frozen types that flow between the stages."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import dask.array as da

Compartment = Literal["nucleus", "cytoplasm", "membrane", "cell"]
COMPARTMENTS: tuple[Compartment, ...] = ("nucleus", "cytoplasm", "membrane", "cell")

PLAUSIBLE_UM = (0.15, 1.1)
MAX_ANISOTROPY = 0.01


@dataclass(frozen=True)
class PixelSize:
    """Edge lengths of a full-resolution pixel in µm."""

    x_um: float
    y_um: float

    def __post_init__(self) -> None:
        """Refuse what cannot be a pixel (DOMAIN: X and Y differ by at most 1 %)."""
        if not (0 < self.x_um < float("inf") and 0 < self.y_um < float("inf")):
            raise UsageError(
                f"pixel size {self.x_um} x {self.y_um} µm is not a positive number; "
                "give the right one with --pixel-size"
            )
        if abs(self.x_um - self.y_um) > MAX_ANISOTROPY * max(self.x_um, self.y_um):
            raise UsageError(
                f"pixel size differs by more than 1 % between x ({self.x_um} µm) "
                f"and y ({self.y_um} µm); resample, or give --pixel-size"
            )

    @property
    def um(self) -> float:
        """Geometric mean of both edges, µm."""
        return float((self.x_um * self.y_um) ** 0.5)

    @property
    def plausible(self) -> bool:
        """Whether the size lies where slide scanners lie (0.15-1.1 µm)."""
        return PLAUSIBLE_UM[0] <= self.um <= PLAUSIBLE_UM[1]


@dataclass(frozen=True)
class Channel:
    """One image plane of a slide."""

    name: str
    index: int


@dataclass(frozen=True)
class Slide:
    """A multi-channel slide, read lazily.

    Parameters
    ----------
    name : str
        File name without its suffixes.
    source : str
        Where it was read from.
    file_format : str
        What the reader recognised, such as ``"OME-TIFF"``.
    channels : tuple of Channel
    pixel_size : PixelSize or None
        None if the file does not say.
    levels : tuple of dask.array.Array
        The resolution pyramid, full resolution first; each (c, y, x).
    origin_um : tuple of float
        (x, y) of the upper left corner on the microscope's stage, µm.
    """

    name: str
    source: str
    file_format: str
    channels: tuple[Channel, ...]
    pixel_size: PixelSize | None
    levels: tuple[da.Array, ...]
    origin_um: tuple[float, float] = (0.0, 0.0)

    @property
    def shape_px(self) -> tuple[int, int]:
        """(height, width) at full resolution."""
        return int(self.levels[0].shape[1]), int(self.levels[0].shape[2])

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Channel names in file order."""
        return tuple(channel.name for channel in self.channels)

    @property
    def um(self) -> float:
        """Pixel size in µm; raises UsageError if it is unknown."""
        if self.pixel_size is None:
            raise UsageError(
                f"{self.source}: the file does not say its pixel size; "
                "give it in µm with --pixel-size"
            )
        return self.pixel_size.um

    def channel_index(self, name: str) -> int:
        """Index of a channel by name; raises UsageError that lists what is there."""
        if name in self.channel_names:
            return self.channel_names.index(name)
        raise UsageError(
            f"{self.source}: no channel {name!r}{nearest(name, self.channel_names)}; "
            f"the file has {', '.join(self.channel_names)}"
        )


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Marker(_Frozen):
    """A marker: the channel it is read from, where on the cell, and its antibody."""

    channel: str
    measure: Compartment
    clone: str | None = None


@dataclass(frozen=True)
class Rule:
    """A conjunction of marker signs, written ``CD3+/CD8-``."""

    text: str
    signs: tuple[tuple[str, bool], ...]

    @classmethod
    def parse(cls, text: str, markers: Iterable[str]) -> Rule:
        """Parse a rule and check every marker; raises UsageError."""
        known = tuple(markers)
        signs = tuple(_parse_sign(term, text, known) for term in text.split("/"))
        both = {name for name, sign in signs if (name, not sign) in signs}
        if both:
            raise UsageError(
                f"rule {text!r} can never match: {min(both)} is asked to be + and -"
            )
        return cls(text, signs)


class Panel(_Frozen):
    """What was stained, where it is read and what it means.

    See ``config/panel.yaml`` for a commented example.
    """

    name: str
    species: Literal["human", "mouse"]
    channels: tuple[str, ...] | None = None
    nucleus: str
    membrane: tuple[str, ...] = ()
    markers: dict[str, Marker]
    phenotypes: dict[str, str]
    states: tuple[str, ...] = ()
    tumour: str | None = None
    impossible: tuple[str, ...] = ()
    therapies: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        rules = (*self.phenotypes.values(), *self.impossible)
        for text in rules:
            Rule.parse(text, self.markers)
        self._reachable()
        for state in self.states:
            _known(state, self.markers, "states")
        if self.tumour is not None:
            _known(self.tumour, self.phenotypes, "tumour")
        if "other" in self.phenotypes:
            raise UsageError(
                "phenotype 'other' is reserved for cells that no rule fits"
            )
        return self

    def _reachable(self) -> None:
        """Raise UsageError for a phenotype whose cells all fit an earlier one."""
        rules = self.rules
        for (first, wide), (name, rule) in combinations(rules.items(), 2):
            if set(wide.signs) <= set(rule.signs):
                raise UsageError(
                    f"phenotype {name!r} is never reached: every cell that fits "
                    f"{rule.text} fits {first!r} ({wide.text}) before; move it up"
                )

    @property
    def overlaps(self) -> tuple[tuple[str, str], ...]:
        """Pairs of phenotypes that one cell may fit; the first of a pair wins.

        A phenotype that is the rest of an earlier one is meant so, and left out.
        """
        return tuple(
            (first, second)
            for (first, one), (second, other) in combinations(self.rules.items(), 2)
            if not set(other.signs) <= set(one.signs)
            and not any((name, not sign) in one.signs for name, sign in other.signs)
        )

    @property
    def rules(self) -> dict[str, Rule]:
        """Phenotype name to parsed rule, in order of precedence."""
        return {k: Rule.parse(v, self.markers) for k, v in self.phenotypes.items()}

    @property
    def impossible_rules(self) -> tuple[Rule, ...]:
        """Combinations that no cell can have; their rate is a quality figure."""
        return tuple(Rule.parse(text, self.markers) for text in self.impossible)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Every channel that the panel needs, the nuclear one first, each once."""
        used = (
            self.nucleus,
            *self.membrane,
            *(m.channel for m in self.markers.values()),
        )
        return tuple(dict.fromkeys(used))


class Sample(_Frozen):
    """One row of the sample sheet."""

    sample_id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    patient_id: str
    species: Literal["human", "mouse"]
    arm: str
    timepoint: str
    slide: str
    panel: str
    batch: str
    pixel_size_um: float | None = None
    exclusions: str | None = None


def nearest(name: str, names: Iterable[Any]) -> str:
    """Return ``" (did you mean 'X'?)"``, or nothing if no name is alike."""
    folded = {str(n).casefold(): str(n) for n in names}
    hits = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    return f" (did you mean {folded[hits[0]]!r}?)" if hits else ""


def _parse_sign(term: str, text: str, markers: tuple[str, ...]) -> tuple[str, bool]:
    match = re.fullmatch(r"\s*(\S.*?)\s*([+-])\s*", term)
    if match is None:
        raise UsageError(
            f"rule {text!r}: {term!r} is no marker followed by + or -, as in CD3+/CD8-"
        )
    _known(match[1], markers, f"rule {text!r}")
    return match[1], match[2] == "+"


def _known(name: str, names: Iterable[str], where: str) -> None:
    listed = tuple(names)
    if name not in listed:
        raise UsageError(
            f"{where}: unknown name {name!r}{nearest(name, listed)}; "
            f"known are {', '.join(listed)}"
        )
