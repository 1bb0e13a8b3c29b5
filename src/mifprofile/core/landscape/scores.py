"""Scores of PD-L1, HER2 and lymphocytes, as far as cells in a table can give them.

They follow the definitions of the scores that pathologists read, on cells found by
immunofluorescence: for research, not a companion diagnostic's result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np

from mifprofile.core.landscape.uncertainty import bootstrap_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Status = Literal[
    "OK",
    "APPROX",
    "SMALL",
    "NO_INTERVAL",
    "LOW_N",
    "LOW_AREA",
    "NO_TUMOUR",
    "NOT_COMPUTABLE",
    "QC_FAIL",
]
# With a value: firm, rough, of little, or without its interval; all others have none.
HAS_VALUE: frozenset[Status] = frozenset({"OK", "APPROX", "SMALL", "NO_INTERVAL"})
Adequacy = Literal["INADEQUATE", "LIMITED", "ADEQUATE"]
ImmuneClass = Literal["desert", "excluded", "inflamed"]
IMMUNE_CLASSES: tuple[ImmuneClass, ...] = get_args(ImmuneClass)

MAX_CPS = 100.0
TPS_CUTS = (1.0,)
CPS_CUTS = (1.0, 10.0)
IC_CUTS = (1.0, 5.0, 10.0)
# A probability below this decides no class.
SURE = 0.7
# ASCO/CAP: a pattern counts if it is found in more than this share of tumour cells, %.
MAIN_PATTERN_PCT = 10.0


class Score(NamedTuple):
    """A number and what it was made of; NaN where there is nothing to divide by."""

    value: float
    n_num: float
    n_den: float = np.nan


def adequacy(
    bed_mm2: float,
    tumour_cells: int,
    *,
    adequate_mm2: float = 1.65,
    limited_mm2: float = 0.5,
    min_tumour_cells: int = 100,
) -> tuple[Adequacy, str]:
    """Whether there is enough tumour to speak for the lesion.

    Five fields of 0.33 mm² speak for the whole slide in lung cancer (PMC9684353); PD-L1
    scores ask for 100 viable tumour cells (PMC7265767).

    Returns
    -------
    level, reason : str
        The reason is empty for ``ADEQUATE``.
    """
    if tumour_cells < min_tumour_cells:
        return "INADEQUATE", f"fewer than {min_tumour_cells} tumour cells"
    if bed_mm2 < limited_mm2:
        return "INADEQUATE", f"tumour bed smaller than {limited_mm2:g} mm2"
    if bed_mm2 < adequate_mm2:
        return "LIMITED", f"tumour bed smaller than {adequate_mm2:g} mm2"
    return "ADEQUATE", ""


def tps(positive: int, tumour: int) -> Score:
    """PD-L1 tumour proportion score: positive among viable tumour cells, %.

    Parameters
    ----------
    positive, tumour : int
        PD-L1+ tumour cells, and all of them.
    """
    return Score(_percent(positive, tumour), positive, tumour)


def cps(positive_tumour: int, positive_immune: int, tumour: int) -> Score:
    """PD-L1 combined positive score, at most 100; a number, not a percentage.

    Parameters
    ----------
    positive_tumour, positive_immune : int
        PD-L1+ tumour cells, and PD-L1+ lymphocytes and macrophages in or near nests.
    tumour : int
        Viable tumour cells.
    """
    positive = positive_tumour + positive_immune
    return Score(
        float(np.minimum(MAX_CPS, _percent(positive, tumour))), positive, tumour
    )


def area_share(covered_mm2: float, area_mm2: float, count: int) -> Score:
    """Share of an area that some cells cover, %.

    Of PD-L1+ immune cells in the tumour bed it is the IC score, of lymphocytes in the
    stroma the analogue of sTIL.

    Parameters
    ----------
    covered_mm2, area_mm2 : float
    count : int
        The cells.
    """
    return Score(_percent(covered_mm2, area_mm2), count)


def her2_bins(
    levels: Floats, thresholds: tuple[float, float, float]
) -> NDArray[np.intp]:
    """Bin of each cell by its membrane's level: 0, 1, 2 or 3 for 3+.

    Parameters
    ----------
    levels : (n,) float array
        Mean of HER2 in the membrane, background taken off.
    thresholds : tuple of float
        t1 < t2 < t3 in the same unit, from controls of known score.
    """
    return np.searchsorted(np.asarray(thresholds), levels, side="left")


def h_score(bins: NDArray[np.intp]) -> Score:
    """H = 1·%1+ + 2·%2+ + 3·%3+ of tumour cells, 0 to 300.

    Parameters
    ----------
    bins : (n,) int array
        As from `her2_bins`.
    """
    value = 100 * float(bins.mean()) if len(bins) else np.nan
    return Score(value, int(np.count_nonzero(bins)), len(bins))


def her2_class(
    bins: NDArray[np.intp], completeness: Floats, *, complete: float = 0.8
) -> Score:
    """The analogue of the ASCO/CAP classes: 0, 1, 2 (2+-like) or 3 (3+-like).

    More than 10 % complete and intense is 3+-like; else more than 10 % complete at any
    level, or any complete and intense, 2+-like; else more than 10 % incomplete 1+-like.

    Parameters
    ----------
    bins : (n,) int array
        As from `her2_bins`.
    completeness : (n,) float array
        Share of each cell's outline that is stained, 0 to 1.
    complete : float
        From here on a membrane counts as complete.
    """
    if len(bins) == 0:
        return Score(np.nan, 0, 0)
    whole = completeness >= complete
    intense = 100 * float((whole & (bins == 3)).mean())
    circled = 100 * float((whole & (bins > 0)).mean())
    partial = 100 * float((~whole & (bins > 0)).mean())
    if intense > MAIN_PATTERN_PCT:
        value, share = 3, intense
    elif circled > MAIN_PATTERN_PCT or intense > 0:
        value, share = 2, circled
    else:
        value, share = int(partial > MAIN_PATTERN_PCT), partial
    return Score(value, round(share * len(bins) / 100), len(bins))


def immune_class(
    nest: float, stroma: float, *, nest_cut: float, stroma_cut: float
) -> ImmuneClass:
    """Class by CD8 densities in tumour nests and in stroma, cells/mm².

    Inflamed if there are enough in the nests, else excluded if there are enough in the
    stroma, else desert (the design of 10.1038/s41374-021-00653-y).
    """
    if nest >= nest_cut:
        return "inflamed"
    return "excluded" if stroma >= stroma_cut else "desert"


def class_probabilities(
    tallies: Floats, *, nest_cut: float, stroma_cut: float, samples: int, seed: int
) -> dict[ImmuneClass, float]:
    """How often each immune class results if blocks are drawn anew.

    Parameters
    ----------
    tallies : (k, 4) float array
        Per block: CD8+ cells and mm² of nests, CD8+ cells and mm² of stroma.

    Returns
    -------
    dict
        Class → share of the draws that hold both nest and stroma; NaN if none does.
    """
    drawn = bootstrap_sums(tallies, samples, seed)
    drawn = drawn[(drawn[:, 1] > 0) & (drawn[:, 3] > 0)]
    if len(drawn) == 0:
        return dict.fromkeys(IMMUNE_CLASSES, np.nan)
    inflamed = drawn[:, 0] >= nest_cut * drawn[:, 1]
    excluded = ~inflamed & (drawn[:, 2] >= stroma_cut * drawn[:, 3])
    desert = ~inflamed & ~excluded
    shares = [float(c.mean()) for c in (desert, excluded, inflamed)]
    return dict(zip(IMMUNE_CLASSES, shares, strict=True))


def probability_at_least(
    tallies: Floats, cuts: tuple[float, ...], *, samples: int, seed: int
) -> tuple[float, ...]:
    """How often a ratio of sums reaches each cut if blocks are drawn anew.

    Parameters
    ----------
    tallies : (k, 2) float array
        Numerator and denominator per block.
    cuts : tuple of float
        In the unit of the ratio.
    """
    drawn = bootstrap_sums(tallies, samples, seed)
    drawn = drawn[drawn[:, 1] > 0]
    if len(drawn) == 0:
        return (np.nan,) * len(cuts)
    ratio = drawn[:, 0] / drawn[:, 1]
    # A cut of 1 % is reached by 1 of 100, whose quotient is not quite 0.01.
    return tuple(float((ratio >= cut * (1 - 1e-12)).mean()) for cut in cuts)


def _percent(part: float, whole: float) -> float:
    return 100 * part / whole if whole else np.nan
