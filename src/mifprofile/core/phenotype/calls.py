"""Positivity and phenotypes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtr

from mifprofile.core.levels import to_scale, unit_of
from mifprofile.model import OTHER, UNCERTAIN

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from mifprofile.model import Panel, Rule


def marker_levels(table: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """Each marker's level: the statistic and compartment that the panel names.

    Returns
    -------
    pandas.DataFrame
        One float column per marker, indexed as ``table``.
    """
    return pd.DataFrame(
        {
            name: table[column].astype(float)
            for name, column in panel.level_columns.items()
        },
        index=table.index,
    )


def call_positive(
    levels: pd.DataFrame, thresholds: Mapping[str, float]
) -> pd.DataFrame:
    """Whether each cell is positive for each marker.

    Returns
    -------
    pandas.DataFrame
        Bool columns ``<marker>_positive``. A NaN threshold calls no cell positive.
    """
    return pd.DataFrame(
        {
            f"{name}_positive": levels[name] > thresholds.get(name, np.nan)
            for name in levels
        },
        index=levels.index,
    )


def call_cells(
    levels: pd.DataFrame,
    thresholds: Mapping[str, float],
    panel: Panel,
    min_confidence: float,
    evaluable: pd.Series | None = None,
    undecided: frozenset[str] = frozenset(),
) -> pd.DataFrame:
    """All that is said of each cell: positivity, phenotype, confidence, conflict.

    Parameters
    ----------
    levels : pandas.DataFrame
        As from `marker_levels`.
    thresholds : mapping of str to float
        By marker; NaN if no positive population was found.
    panel : Panel
    min_confidence : float
        A cell that is less sure is ``"uncertain"``; 0.5 names every cell.
    evaluable : pandas.Series of bool, optional
        Cells that show how far the negatives spread; by default all.
    undecided : frozenset of str
        Markers of which nobody can tell whether they are there.

    Returns
    -------
    pandas.DataFrame
        The columns of `call_positive`; ``phenotype``, the most specific one;
        ``lineage``, the top of its branch, which may be sure where the phenotype is
        not; ``phenotype_best``, what the gates alone say; ``phenotype_confidence``;
        ``conflict``.
    """
    positive = call_positive(levels, thresholds)
    best = call_phenotypes(positive, panel)
    sure = marker_confidence(levels, thresholds, evaluable)
    sure[sorted(undecided & set(sure))] = np.nan
    of_phenotype, of_lineage = confidence(sure, positive, panel)
    return pd.concat(
        [
            positive,
            best.mask(of_phenotype < min_confidence, UNCERTAIN),
            lineage_of(best, panel).mask(of_lineage < min_confidence, UNCERTAIN),
            best.rename("phenotype_best"),
            of_phenotype,
            call_conflicts(positive, panel),
        ],
        axis=1,
    )


def called_again(
    levels: pd.DataFrame,
    thresholds: Mapping[str, float],
    panel: Panel,
    min_confidence: float,
    evaluable: pd.Series | None = None,
) -> pd.DataFrame:
    """What other thresholds would say of the cells.

    Parameters
    ----------
    levels, thresholds, panel, min_confidence, evaluable
        As of `call_cells`.

    Returns
    -------
    pandas.DataFrame
        Of its columns the positivity, ``phenotype`` and ``lineage``.
    """
    found = call_cells(levels, thresholds, panel, min_confidence, evaluable)
    return found[[*(f"{name}_positive" for name in levels), "phenotype", "lineage"]]


def without_calls(cells: pd.DataFrame, markers: Collection[str]) -> pd.DataFrame:
    """Cells with an empty ``<marker>_positive`` of markers that nobody could tell."""
    empty = pd.Series(pd.NA, cells.index, dtype="boolean")
    columns = [f"{marker}_positive" for marker in markers]
    return cells.assign(**{c: empty for c in columns if c in cells})


def call_phenotypes(positive: pd.DataFrame, panel: Panel) -> pd.Series:
    """Name of the first rule that each cell fits, subsets first, else ``"other"``."""
    codes = np.full(len(positive), panel.categories.index(OTHER))
    for code, rule in reversed([*enumerate(panel.rules.values())]):
        codes[matches(positive, rule)] = code
    names = pd.Categorical.from_codes(codes, panel.categories)
    return pd.Series(names, index=positive.index, name="phenotype")


def lineage_of(phenotypes: pd.Series, panel: Panel) -> pd.Series:
    """Top of the branch of each cell's phenotype."""
    names = list(dict.fromkeys(panel.lineages.values()))
    kind = pd.CategoricalDtype(names)
    return phenotypes.astype(object).map(panel.lineages).astype(kind).rename("lineage")


def call_conflicts(positive: pd.DataFrame, panel: Panel) -> pd.Series:
    """Whether a cell shows a combination that the panel calls impossible."""
    conflict = pd.Series(False, index=positive.index, name="conflict")
    for rule in panel.impossible_rules:
        conflict |= matches(positive, rule)
    return conflict


def matches(positive: pd.DataFrame, rule: Rule) -> pd.Series:
    """Whether each cell fits a rule, as a bool series."""
    fits = pd.Series(True, index=positive.index)
    for marker, sign in rule.signs:
        fits &= positive[f"{marker}_positive"] == sign
    return fits


def marker_confidence(
    levels: pd.DataFrame,
    thresholds: Mapping[str, float],
    evaluable: pd.Series | None = None,
) -> pd.DataFrame:
    """How sure each cell's call for each marker is, 0.5 to 1.

    The distance to the gate, on log(1 + level / unit) with the marker's own unit, over
    the robust standard deviation (1.4826 MAD) of the evaluable negative cells, read as
    a normal probability. Without a gate a cell is surely negative: the marker is
    absent. Without a level nothing is known, which is 0.5.
    """
    judged = levels if evaluable is None else levels[evaluable]
    return pd.DataFrame(
        {
            m: _certainty(levels[m], thresholds.get(m, np.nan), judged[m])
            for m in levels
        },
        index=levels.index,
    )


def confidence(
    sure: pd.DataFrame, positive: pd.DataFrame, panel: Panel
) -> tuple[pd.Series, pd.Series]:
    """How far each cell is from being called otherwise, 0.5 to 1, NaN if unknown.

    It is as sure as the weakest of the calls that decide: of the markers of which one
    alone, were its call the other way round, would change the cell's name. Markers that
    no rule asks for decide nothing. A name that only two wrong calls at once would
    change counts as sure, though of cells at both gates one in four is wrong. Where a
    call that decides has no confidence, nobody knows that of the name.

    Parameters
    ----------
    sure : pandas.DataFrame
        As from `marker_confidence`.
    positive : pandas.DataFrame
        As from `call_positive`.
    panel : Panel

    Returns
    -------
    phenotype_confidence, lineage_confidence : pandas.Series
    """
    best = call_phenotypes(positive, panel)
    lineage = lineage_of(best, panel)
    of_phenotype = pd.Series(1.0, sure.index, name="phenotype_confidence")
    of_lineage = pd.Series(1.0, sure.index, name="lineage_confidence")
    for marker in dict.fromkeys(m for r in panel.rules.values() for m, _ in r.signs):
        column = f"{marker}_positive"
        turned = call_phenotypes(positive.assign(**{column: ~positive[column]}), panel)
        decided = turned != best
        of_phenotype[decided] = np.minimum(of_phenotype, sure[marker])[decided]
        decided = lineage_of(turned, panel) != lineage
        of_lineage[decided] = np.minimum(of_lineage, sure[marker])[decided]
    return of_phenotype, of_lineage


def _certainty(
    levels: pd.Series, threshold: float, judged: pd.Series
) -> NDArray[np.float64]:
    if not np.isfinite(threshold):
        return np.ones(len(levels))
    unit = unit_of(judged.to_numpy(float))
    cut = to_scale(np.array(threshold), unit)
    below = to_scale(judged[judged <= threshold].to_numpy(float), unit)
    spread = (
        1.4826 * float(np.median(np.abs(below - np.median(below)))) if below.size else 0
    )
    away = np.abs(to_scale(levels.to_numpy(float), unit) - cut)
    return np.nan_to_num(ndtr(away / max(spread, 1e-6)), nan=0.5)
