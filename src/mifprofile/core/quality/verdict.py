"""One word on a sample, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import pandas as pd

    from mifprofile.options import QualityOptions

NO_TISSUE = "no tissue was found"
Word = Literal["pass", "review", "fail"]


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
    options : QualityOptions
    """
    fails = tuple(_fails(areas, options))
    if fails:
        return QualityVerdict("fail", fails)
    doubts = (
        *_excluded(areas, options),
        *_blurred(figures, options),
        *_channels(figures, options),
        *_leaks(figures, apart, options),
    )
    return QualityVerdict("review" if doubts else "pass", doubts)


def _fails(areas: Mapping[str, float], options: QualityOptions) -> Iterator[str]:
    tissue, evaluable = areas["tissue"], areas["evaluable"]
    if tissue == 0:
        yield NO_TISSUE
    elif evaluable < options.min_evaluable_mm2:
        yield (
            f"{evaluable:.3g} mm² of tissue can be evaluated, less than "
            f"{options.min_evaluable_mm2:g} mm²"
        )
    elif 1 - evaluable / tissue > options.fail_excluded_share:
        yield (
            f"{100 * (1 - evaluable / tissue):.0f} % of the tissue is excluded, more "
            f"than {100 * options.fail_excluded_share:g} %"
        )


def _excluded(areas: Mapping[str, float], options: QualityOptions) -> Iterator[str]:
    share = 1 - areas["evaluable"] / areas["tissue"]
    if share > options.review_excluded_share:
        causes = {k: v for k, v in areas.items() if k not in {"tissue", "evaluable"}}
        most = max(causes, key=lambda cause: causes[cause])
        yield (
            f"{100 * share:.0f} % of the tissue is excluded, mostly "
            f"{most.replace('_', ' ')}"
        )


def _blurred(figures: pd.DataFrame, options: QualityOptions) -> Iterator[str]:
    for row in figures[figures["figure"] == "sharpness"].to_dict("records"):
        if row["value"] < options.min_sharpness:
            yield (
                f"{row['channel']} is out of focus all over: sharpness "
                f"{row['value']:.3f}, below {options.min_sharpness:g}"
            )


def _channels(figures: pd.DataFrame, options: QualityOptions) -> Iterator[str]:
    """Doubts about one channel each."""
    checks = (
        ("saturated_pixels", 100 * options.max_saturated_share, "{:.3g} % of it clips"),
        (
            "illumination",
            100 * options.max_illumination,
            "its light varies by {:.0f} %",
        ),
        ("contrast_to_noise", options.min_contrast_to_noise, "contrast {:.3g} x noise"),
    )
    for name, limit, text in checks:
        for row in figures[figures["figure"] == name].to_dict("records"):
            value, lower = row["value"], name == "contrast_to_noise"
            if value < limit if lower else value > limit:
                side = "below" if lower else "above"
                said = text.format(value)
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
