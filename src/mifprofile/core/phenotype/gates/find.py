"""Gates of all markers: each by its method, those that rest on others after them."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, get_args

import numpy as np
from skimage.filters import threshold_li, threshold_otsu, threshold_triangle

from mifprofile.core.levels import from_scale, to_scale, unit_of
from mifprofile.core.phenotype.gates.anchored import (
    gate_from_negatives,
    gate_from_slide,
)
from mifprofile.core.phenotype.gates.evidence import gate_alone, gates_by_evidence
from mifprofile.core.phenotype.gates.gate import Gate, too_few, undecided
from mifprofile.core.phenotype.gates.mixture import fit_gate
from mifprofile.core.phenotype.gates.shape import between
from mifprofile.errors import UsageError
from mifprofile.model import Rule, nearest
from mifprofile.options import GateMethod

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from mifprofile.model import Panel
    from mifprofile.options import PhenotypeOptions


def find_gates(
    levels: pd.DataFrame,
    panel: Panel,
    options: PhenotypeOptions,
    *,
    known: Mapping[str, float] | None = None,
    control: pd.DataFrame | None = None,
    cells: pd.DataFrame | None = None,
) -> dict[str, Gate]:
    """Gate every marker by its own method, those that rest on others after them.

    Parameters
    ----------
    levels : pandas.DataFrame
        A column per marker, a row per cell.
    panel : Panel
    options : PhenotypeOptions
    known : mapping of str to float
        Thresholds that stand already, by marker; these are not sought.
    control : pandas.DataFrame or None
        Levels of the cells of a negative-control slide.
    cells : pandas.DataFrame or None
        The same cells as measured, see `gates_by_evidence`.

    Returns
    -------
    dict of str to Gate
        Of the markers that are not known, in the panel's order.

    Raises
    ------
    UsageError
        Options that name markers the panel lacks, or gates that rest on each other.
    """
    thresholds = dict(known or {})
    order = gating_order(panel, options, thresholds)
    methods = {marker: method_of(marker, options) for marker in order}
    found: dict[str, Gate] = {}
    for marker, method in methods.items():
        if method not in ("evidence", "control"):
            found[marker] = find_gate(levels[marker].to_numpy(float), method, options)
    stands = thresholds | {m: gate.threshold for m, gate in found.items()}
    wanted = [m for m, method in methods.items() if method == "evidence"]
    found |= gates_by_evidence(levels, panel, options, wanted, stands, cells)
    for marker, method in methods.items():
        if method == "control":
            stands = thresholds | {m: gate.threshold for m, gate in found.items()}
            found[marker] = _anchored(marker, levels, panel, options, stands, control)
    return {marker: found[marker] for marker in panel.markers if marker in found}


def method_of(marker: str, options: PhenotypeOptions) -> GateMethod:
    """The method for a marker; one with known negatives is anchored to them."""
    usual = "control" if marker in options.negatives else options.method
    return options.methods.get(marker, usual)


def gating_order(
    panel: Panel, options: PhenotypeOptions, known: Iterable[str] = ()
) -> tuple[str, ...]:
    """Markers to gate, each after those on which its negatives rest.

    Raises
    ------
    UsageError
        A marker is not in the panel, or gates rest on each other.
    """
    for name in (*options.methods, *options.negatives):
        if name not in panel.markers:
            raise UsageError(
                f"phenotype: no marker {name!r} in panel {panel.name}"
                f"{nearest(name, panel.markers)}"
            )
    stands = set(known)
    needs = {
        marker: _rests_on(marker, panel, options) - stands
        for marker in panel.markers
        if marker not in stands
    }
    try:
        return tuple(TopologicalSorter(needs).static_order())
    except CycleError as e:
        circle = " needs ".join(reversed(e.args[1]))
        raise UsageError(
            f"phenotype.negatives: the gates rest on each other ({circle}); gate one "
            "of them by hand or by another method (phenotype.methods)"
        ) from e


def find_gate(
    levels: NDArray[np.float64], method: GateMethod, options: PhenotypeOptions
) -> Gate:
    """Gate a marker from its own levels alone.

    Parameters
    ----------
    levels : (n,) float64 array
        A marker's level per cell.
    method : str
        ``evidence`` (see `gate_alone`), ``gmm`` (see `fit_gate`); ``li``, minimum
        cross-entropy, ``otsu`` or ``triangle`` on the logarithm, which find a threshold
        in any levels; or ``manual``: none is sought.
    options : PhenotypeOptions

    Raises
    ------
    UsageError
        There is no such method, or it needs more than a marker's levels.
    """
    match method:
        case "evidence":
            return gate_alone(levels, options)
        case "gmm":
            return fit_gate(levels, options)
        case "manual":
            return undecided("to be set by hand: give it in a table with --gates")
        case "li" | "otsu" | "triangle":
            return _split_anything(levels, method, options)
        case _:
            known = ", ".join(m for m in get_args(GateMethod) if m != "control")
            raise UsageError(
                f"phenotype: no gate method {method!r} for the levels of one marker; "
                f"there are {known}"
            )


def _split_anything(
    levels: NDArray[np.float64], method: str, options: PhenotypeOptions
) -> Gate:
    known = np.maximum(levels[np.isfinite(levels)], 0.0)
    if known.size < options.min_cells:
        return too_few(known.size)
    if np.ptp(known) == 0:
        return undecided("no positive population: every cell has the same level")
    unit = unit_of(known)
    if method == "li":
        cut = unit * float(threshold_li(known / unit))
    else:
        splits = {"otsu": threshold_otsu, "triangle": threshold_triangle}
        scaled = np.array(splits[method](to_scale(known, unit)))
        cut = float(from_scale(scaled, unit))
    note = "finds a gate in any levels: look at it"
    return Gate(between(known, cut), note, "graded")


def _anchored(
    marker: str,
    levels: pd.DataFrame,
    panel: Panel,
    options: PhenotypeOptions,
    thresholds: Mapping[str, float],
    control: pd.DataFrame | None,
) -> Gate:
    """Gate of a marker anchored to cells, here or elsewhere, that cannot carry it."""
    rule = options.negatives.get(marker)
    if rule is None:
        return gate_from_slide(control, marker, options)
    known = Rule.parse(rule, panel.markers)
    return gate_from_negatives(levels, marker, known, thresholds, options)


def _rests_on(marker: str, panel: Panel, options: PhenotypeOptions) -> set[str]:
    rule = options.negatives.get(marker)
    if rule is None or method_of(marker, options) != "control":
        return set()
    return {name for name, _ in Rule.parse(rule, panel.markers).signs}
