"""One word on a sample, and why."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import pandas as pd

    from mifprofile.core.quality.nuclei import NucleiFigures
    from mifprofile.options import QualityOptions

NO_TISSUE = "no tissue was found"
NO_NUCLEI = "no nucleus was found in the tissue"
Word = Literal["pass", "review", "fail"]
# Whether a value lies on a side of a limit.
BEYOND = {"below": operator.lt, "above": operator.gt}


@dataclass(frozen=True)
class QualityVerdict:
    """Whether a sample can be used.

    Attributes
    ----------
    word : str
        ``"fail"``: its numbers must not be used; ``"review"``: a person must look
        first; ``"pass"``.
    reasons : tuple of str
        Sentences without a full stop; empty for ``"pass"``.
    """

    word: Word
    reasons: tuple[str, ...] = ()


def judge_sample(
    areas: Mapping[str, float],
    figures: pd.DataFrame,
    apart: Collection[frozenset[str]],
    nucleus: str,
    options: QualityOptions,
) -> QualityVerdict:
    """Hold a sample against the limits of the options.

    Parameters
    ----------
    areas : mapping of str to float
        ``tissue``, ``evaluable`` and every cause, mm².
    figures : pandas.DataFrame
        The columns of ``quality.csv``.
    apart : collection of frozenset of str
        Pairs of channels that no cell carries together.
    nucleus : str
        The channel that marks nuclei.
    options : QualityOptions
    """
    fails = (
        *_fails(areas, nucleus, options),
        *_saturated(figures, nucleus, options),
    )
    if fails:
        return QualityVerdict("fail", fails)
    doubts = (
        *_excluded(areas, options),
        *_blurred(figures, options),
        *_channels(figures, options),
        *_leaks(figures, apart, options),
    )
    return QualityVerdict("review" if doubts else "pass", doubts)


def judge_results(
    quality: QualityVerdict,
    undecided: Mapping[str, Sequence[str]],
    nuclei: NucleiFigures,
    conflicts: Sequence[str],
    options: QualityOptions,
    *,
    decide: str,
) -> QualityVerdict:
    """Join a slide's verdict with what its nuclei, gates and calls tell.

    Parameters
    ----------
    quality : QualityVerdict
        As from `judge_sample`.
    undecided : mapping of str to sequence of str
        Marker without a decided gate → phenotypes whose rules ask for it.
    nuclei : NucleiFigures
    conflicts : sequence of str
        Impossible combinations that are too frequent, as they are said.
    options : QualityOptions
    decide : str
        What to do about the undecided markers.
    """
    fails = quality.reasons if quality.word == "fail" else ()
    if not nuclei.count and not fails:
        asked = f"{_ask(nuclei.um)}, and whether {nuclei.channel} has a signal"
        fails = (f"{NO_NUCLEI}: {asked}",)
    doubts = (
        # Without a nucleus nothing could be decided.
        *(_undecided(undecided, decide) if nuclei.count else ()),
        *_nuclei(nuclei, options),
        *conflicts,
        *(() if quality.word == "fail" else quality.reasons),
    )
    word: Word = "fail" if fails else "review" if doubts else "pass"
    return QualityVerdict(word, (*fails, *doubts))


def _undecided(undecided: Mapping[str, Sequence[str]], decide: str) -> Iterator[str]:
    if not undecided:
        return
    phenotypes = dict.fromkeys(name for names in undecided.values() for name in names)
    verb = "is" if len(undecided) == 1 else "are"
    yield (
        f"{', '.join(undecided)} {verb} undecided, and {', '.join(phenotypes)} cannot "
        f"be told without: {decide}"
    )


def _nuclei(nuclei: NucleiFigures, options: QualityOptions) -> Iterator[str]:
    """Doubts about what was taken for nuclei."""
    if not nuclei.count:
        return
    area = nuclei.median_um2
    low, high = options.min_nucleus_um2, options.max_nucleus_um2
    if area < low or area > high:
        side = f"small, below {low:g}" if area < low else f"large, above {high:g}"
        yield f"a nucleus of {area:.3g} µm² (median) is {side} µm²; {_ask(nuclei.um)}"
    if nuclei.lymphocyte_um2 > options.max_lymphocyte_um2:
        yield (
            f"a lymphocyte's nucleus of {nuclei.lymphocyte_um2:.3g} µm² (median) is "
            f"large, above {options.max_lymphocyte_um2:g} µm²; {_ask(nuclei.um)}"
        )
    share, limit = 100 * nuclei.unseen_share, 100 * options.max_unseen_share
    if share > limit:
        yield (
            f"{share:.0f} % of what {nuclei.channel} stains lies in no nucleus, above "
            f"the limit of {limit:g} %; {_ask(nuclei.um)}"
        )


def _ask(um: float) -> str:
    return f"check the pixel size of {um:.4g} µm"


def _saturated(
    figures: pd.DataFrame, nucleus: str, options: QualityOptions
) -> Iterator[str]:
    mine = (figures["channel"] == nucleus) & (figures["figure"] == "saturated_pixels")
    for value in figures.loc[mine, "value"]:
        if value > 100 * options.fail_saturated_share:
            yield (
                f"{nucleus} clips in {value:.3g} % of the tissue, more than "
                f"{100 * options.fail_saturated_share:g} %: its nuclei cannot be told"
            )


def _fails(
    areas: Mapping[str, float], nucleus: str, options: QualityOptions
) -> Iterator[str]:
    tissue, evaluable = areas["tissue"], areas["evaluable"]
    if tissue == 0:
        yield f"{NO_TISSUE}: {nucleus} shows no nuclei anywhere"
    elif evaluable < options.min_evaluable_mm2:
        rest = f"; the rest is mostly {_most(areas)}" if evaluable < tissue else ""
        yield (
            f"{evaluable:.3g} mm² of tissue can be evaluated, less than "
            f"{options.min_evaluable_mm2:g} mm²{rest}"
        )
    elif 1 - evaluable / tissue > options.fail_excluded_share:
        yield (
            f"{100 * (1 - evaluable / tissue):.0f} % of the tissue is excluded, more "
            f"than {100 * options.fail_excluded_share:g} %, mostly {_most(areas)}"
        )


def _excluded(areas: Mapping[str, float], options: QualityOptions) -> Iterator[str]:
    share = 1 - areas["evaluable"] / areas["tissue"]
    if share > options.review_excluded_share:
        yield f"{100 * share:.0f} % of the tissue is excluded, mostly {_most(areas)}"


def _most(areas: Mapping[str, float]) -> str:
    """Spell the cause that takes most of the tissue."""
    causes = {k: v for k, v in areas.items() if k not in {"tissue", "evaluable"}}
    return max(causes, key=lambda cause: causes[cause]).replace("_", " ")


def _blurred(figures: pd.DataFrame, options: QualityOptions) -> Iterator[str]:
    for row in figures[figures["figure"] == "sharpness"].to_dict("records"):
        if row["value"] < options.min_sharpness:
            yield (
                f"{row['channel']} is out of focus all over: sharpness "
                f"{row['value']:.3f}, below {options.min_sharpness:g}"
            )


def _channels(figures: pd.DataFrame, options: QualityOptions) -> Iterator[str]:
    """Doubts about one channel each."""
    clips, varies = 100 * options.max_saturated_share, 100 * options.max_illumination
    contrast = options.min_contrast_to_noise
    checks = (
        ("saturated_pixels", "above", clips, "{:.3g} % of it clips"),
        ("illumination", "above", varies, "its light varies by {:.0f} %"),
        ("contrast_to_noise", "below", contrast, "contrast {:.3g} x noise"),
    )
    for name, side, limit, text in checks:
        for row in figures[figures["figure"] == name].to_dict("records"):
            if BEYOND[side](row["value"], limit):
                said = text.format(row["value"])
                yield f"{row['channel']}: {said}, {side} the limit of {limit:g}"


def _leaks(
    figures: pd.DataFrame, apart: Collection[frozenset[str]], options: QualityOptions
) -> Iterator[str]:
    """Channels that show in others, of those which no cell carries together."""
    leaks = figures[figures["figure"] == "leak"]
    for row in leaks[leaks["value"] > 100 * options.max_leak].to_dict("records"):
        if frozenset((row["channel"], row["channel_b"])) not in apart:
            continue
        yield (
            f"{row['channel_b']} may show {row['channel']}: where {row['channel']} is "
            f"bright it rises by {row['value']:.0f} % of it or more"
        )
