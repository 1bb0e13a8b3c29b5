"""The frozen types that flow between the stages."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import dask.array as da
    from numpy.typing import NDArray

Compartment = Literal["nucleus", "cytoplasm", "membrane", "cell"]
COMPARTMENTS: tuple[Compartment, ...] = ("nucleus", "cytoplasm", "membrane", "cell")
Statistic = Literal["mean", "p50", "p95", "positive_fraction", "nc_ratio"]
# Answers beside the panel's phenotypes: no rule fits, and too near a gate to tell.
OTHER, UNCERTAIN = "other", "uncertain"
RESERVED = ("all", OTHER, UNCERTAIN)

SAMPLE_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
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


class PixelSource(Protocol):
    """What can read a block (c, y, x) of pixels from one slice per axis."""

    def __getitem__(self, index: tuple[slice, slice, slice], /) -> np.ndarray[Any, Any]:
        """Read a block."""


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
    sources : tuple of PixelSource
        What the levels are read from, if that can be read without dask.
    """

    name: str
    source: str
    file_format: str
    channels: tuple[Channel, ...]
    pixel_size: PixelSize | None
    levels: tuple[da.Array, ...]
    origin_um: tuple[float, float] = (0.0, 0.0)
    sources: tuple[PixelSource, ...] = ()

    @property
    def shape_px(self) -> tuple[int, int]:
        """(height, width) at full resolution."""
        return int(self.levels[0].shape[1]), int(self.levels[0].shape[2])

    def read(self, channel: int, rows: slice, cols: slice) -> NDArray[Any]:
        """(h, w) pixels of a window at full resolution; it is cut at the slide."""
        if not self.sources:
            return np.asarray(self.levels[0][channel, rows, cols])
        height, width = self.shape_px
        window = slice(*rows.indices(height)), slice(*cols.indices(width))
        return self.sources[0][slice(channel, channel + 1), *window][0]

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
    """A marker: its channel, where on the cell and how it is read, and its antibody."""

    channel: str
    measure: Compartment
    statistic: Statistic = "mean"
    clone: str | None = None

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.statistic == "nc_ratio" and self.measure != "nucleus":
            raise UsageError(
                f"channel {self.channel}: statistic nc_ratio (nucleus : cytoplasm) is "
                f"for markers of the nucleus; set measure: nucleus, not {self.measure}"
            )
        return self


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

    def within(self, parent: Rule) -> Rule:
        """Rule for a subset: the signs of the parent's rule, then its own."""
        signs = dict.fromkeys((*parent.signs, *self.signs))
        return Rule(_spell(signs), tuple(signs))

    def excludes(self, other: Rule) -> bool:
        """Whether no cell can fit both."""
        return any((name, not sign) in self.signs for name, sign in other.signs)


class Phenotype(_Frozen):
    """A phenotype's rule, and the subsets into which its cells are divided.

    A rule alone, as in ``CD3+/CD8-``, is a phenotype without subsets.
    """

    rule: str
    subsets: dict[str, Phenotype] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_rule(cls, content: Any) -> Any:
        if isinstance(content, str):
            return {"rule": content}
        if not isinstance(content, dict | Phenotype):
            raise UsageError(f"{content!r} is no rule; write one as in CD3+/CD8-")
        return content

    @model_serializer(mode="wrap")
    def _to_rule(self, serialise: SerializerFunctionWrapHandler) -> Any:
        return serialise(self) if self.subsets else self.rule


@dataclass(frozen=True)
class Population:
    """A phenotype in its place in the hierarchy.

    Attributes
    ----------
    name : str
    rule : Rule
        All that is asked of its cells: its parents' signs and its own.
    parents : tuple of str
        The phenotypes that it is a subset of, the lineage first.
    """

    name: str
    rule: Rule
    parents: tuple[str, ...] = ()

    @property
    def lineage(self) -> str:
        """The phenotype at the top of its branch, which may be itself."""
        return (*self.parents, self.name)[0]


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
    phenotypes: dict[str, Phenotype]
    states: tuple[str, ...] = ()
    tumour: str | None = None
    impossible: tuple[str, ...] = ()
    therapies: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for text in self.impossible:
            Rule.parse(text, self.markers)
        names = [population.name for population in self.populations]
        _check_names(names)
        _check_reached(self.populations)
        for state in self.states:
            _known(state, self.markers, "states")
        if self.tumour is not None:
            _known(self.tumour, names, "tumour")
        return self

    @property
    def populations(self) -> tuple[Population, ...]:
        """Every phenotype in order of precedence: subsets before what they divide."""
        return tuple(_populations(self.phenotypes, self.markers))

    @property
    def rules(self) -> dict[str, Rule]:
        """Phenotype name to its whole rule, in order of precedence."""
        return {p.name: p.rule for p in self.populations}

    @property
    def categories(self) -> tuple[str, ...]:
        """All that a cell can be called: the phenotypes, then other and uncertain."""
        return (*self.rules, OTHER, UNCERTAIN)

    @property
    def lineages(self) -> dict[str, str]:
        """Lineage of all that a cell can be called; other and uncertain are one."""
        found = {p.name: p.lineage for p in self.populations}
        return found | {OTHER: OTHER, UNCERTAIN: UNCERTAIN}

    def within(self, phenotype: str) -> tuple[str, ...]:
        """Name of a phenotype and of all its subsets."""
        found = self.populations
        return tuple(p.name for p in found if phenotype in (p.name, *p.parents))

    @property
    def tumour_phenotypes(self) -> tuple[str, ...]:
        """The tumour phenotype and all its subsets, none if the panel names none."""
        return () if self.tumour is None else self.within(self.tumour)

    @property
    def overlaps(self) -> tuple[tuple[str, str], ...]:
        """Pairs of phenotypes that one cell may fit; the first of a pair wins.

        A phenotype that is the rest of an earlier one is meant so, and left out; so
        are subsets of what is named already.
        """
        by_parents: dict[tuple[str, ...], list[Population]] = {}
        for population in self.populations:
            by_parents.setdefault(population.parents, []).append(population)
        return tuple(
            (one.name, other.name)
            for siblings in by_parents.values()
            for one, other in combinations(siblings, 2)
            if not set(other.rule.signs) <= set(one.rule.signs)
            and not one.rule.excludes(other.rule)
        )

    @property
    def level_columns(self) -> dict[str, str]:
        """Marker to the column of the cell table that its gate applies to."""
        return {
            name: f"{name}_nc_ratio"
            if marker.statistic == "nc_ratio"
            else f"{name}_{marker.measure}_{marker.statistic}"
            for name, marker in self.markers.items()
        }

    @property
    def percentiles(self) -> set[int]:
        """Percentiles that some marker is read by."""
        statistics = {marker.statistic for marker in self.markers.values()}
        return {int(s[1:]) for s in statistics if s in ("p50", "p95")}

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


class Origin(_Frozen):
    """Of whom a sample is, and when it was taken."""

    patient_id: str
    species: Literal["human", "mouse"]
    arm: str
    timepoint: str


class Sample(Origin):
    """One row of the sample sheet, a slide."""

    sample_id: str = Field(pattern=SAMPLE_ID)
    slide: str
    panel: str
    batch: str
    pixel_size_um: float | None = None
    exclusions: str | None = None
    regions: str | None = None


def nearest(name: str, names: Iterable[Any], cutoff: float = 0.5) -> str:
    """Return ``" (did you mean 'X'?)"``, or nothing if no name is alike."""
    folded = {str(n).casefold(): str(n) for n in names}
    hits = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=cutoff)
    return f" (did you mean {folded[hits[0]]!r}?)" if hits else ""


def _parse_sign(term: str, text: str, markers: tuple[str, ...]) -> tuple[str, bool]:
    match = re.fullmatch(r"\s*(\S.*?)\s*([+-])\s*", term)
    if match is None:
        raise UsageError(
            f"rule {text!r}: {term!r} is no marker followed by + or -, as in CD3+/CD8-"
        )
    _known(match[1], markers, f"rule {text!r}")
    return match[1], match[2] == "+"


def _spell(signs: Iterable[tuple[str, bool]]) -> str:
    return "/".join(f"{name}{'+' if sign else '-'}" for name, sign in signs)


def _populations(
    phenotypes: Mapping[str, Phenotype],
    markers: Iterable[str],
    above: Population | None = None,
) -> Iterator[Population]:
    """Walk the hierarchy, subsets before what they divide; raises UsageError."""
    for name, phenotype in phenotypes.items():
        here = Population(name, Rule.parse(phenotype.rule, markers))
        here = here if above is None else _subset(here, above)
        yield from _populations(phenotype.subsets, markers, here)
        yield here


def _subset(own: Population, above: Population) -> Population:
    """Put a subset below its parent, unless no cell or every cell of that fits it."""
    name, rule = own.name, own.rule
    contrary = [(m, s) for m, s in rule.signs if (m, not s) in above.rule.signs]
    if contrary:
        raise UsageError(
            f"subset {name!r} can never match: it asks for {_spell(contrary)}, but "
            f"every {above.name!r} ({above.rule.text}) is "
            f"{_spell((m, not s) for m, s in contrary)}"
        )
    if set(rule.signs) <= set(above.rule.signs):
        raise UsageError(
            f"subset {name!r} ({rule.text}) asks for no more than {above.name!r} "
            f"({above.rule.text}), so all of its cells would be {name!r}; "
            "add what sets it apart"
        )
    return Population(name, rule.within(above.rule), (*above.parents, above.name))


def _check_names(names: list[str]) -> None:
    """Refuse a reserved name, or one that is given twice."""
    for name in RESERVED:
        if name in names:
            raise UsageError(
                f"phenotype {name!r}: the name is reserved; choose another"
            )
    for one, other in pairwise(sorted(names)):
        if one == other:
            raise UsageError(f"phenotype {one!r} is named twice; names must differ")


def _check_reached(populations: Sequence[Population]) -> None:
    """Raise UsageError for a phenotype whose cells all fit earlier ones."""
    # Higher levels first: what hides a phenotype hides its subsets too.
    for i, here in sorted(enumerate(populations), key=lambda p: len(p[1].parents)):
        earlier = [
            p
            for p in populations[:i]
            if here.name not in p.parents and not p.rule.excludes(here.rule)
        ]
        if not _escapes(dict(here.rule.signs), [p.rule for p in earlier]):
            raise UsageError(_never_reached(here, earlier))


def _escapes(signs: Mapping[str, bool], earlier: Sequence[Rule]) -> bool:
    """Whether some cell with these signs fits none of the earlier rules."""
    fitting = (r for r in earlier if all(signs.get(m, s) == s for m, s in r.signs))
    rule = next(fitting, None)
    if rule is None:
        return True
    free = [(m, s) for m, s in rule.signs if m not in signs]
    return any(_escapes({**signs, m: not s}, earlier) for m, s in free)


def _never_reached(here: Population, earlier: Sequence[Population]) -> str:
    wide = [p for p in earlier if set(p.rule.signs) <= set(here.rule.signs)]
    hiding = wide[:1] or earlier
    names = " or ".join(f"{p.name!r} ({p.rule.text})" for p in hiding)
    branch = (*here.parents, here.name)
    below = next(name for name in branch if name not in hiding[0].parents)
    return (
        f"phenotype {here.name!r} is never reached: every cell that fits "
        f"{here.rule.text} fits {names} before; move {below!r} up"
    )


def _known(name: str, names: Iterable[str], where: str) -> None:
    listed = tuple(names)
    if name not in listed:
        raise UsageError(
            f"{where}: unknown name {name!r}{nearest(name, listed)}; "
            f"known are {', '.join(listed)}"
        )
