"""PD-L1 scores of a sample: TPS, CPS and IC."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from mifprofile.core.landscape.estimates import (
    UNKNOWN_AREA,
    Estimate,
    Row,
    Scope,
    Sums,
    scored,
    without_value,
)
from mifprofile.core.landscape.metrics import LYMPHOCYTES, MACROPHAGES
from mifprofile.core.landscape.regions import OUTSIDE, REGION_NAMES, TUMOUR
from mifprofile.core.landscape.sample import (
    SampleScopes,
    from_blocks,
    in_nest,
    tumour_cells,
)
from mifprofile.core.landscape.scores import (
    CPS_CUTS,
    IC_CUTS,
    MAX_CPS,
    TPS_CUTS,
    area_share,
    cps,
    probability_at_least,
    tps,
)
from mifprofile.core.panel.targets import marker_of, names_of
from mifprofile.model import UNCERTAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

STAINED = "pdl1_ic_stained"
NAMED = "immune=named"
NO_NEST = "no tumour nest: by the distance from tumour cells"
NO_DISTANCE = "no map of the nests: all that is not outside the tumour bed counts"


def pdl1_rows(sample: SampleScopes) -> Iterator[Estimate]:
    """TPS, CPS by distance from a nest, IC, and how surely each reaches its cuts."""
    yield from _with_cuts(sample, _tps(sample), TPS_CUTS)
    away_um = _immune_away_um(sample)
    for nth, within_um in enumerate(sample.options.cps_within_um):
        found = _cps(sample, away_um <= within_um, within_um)
        yield from _with_cuts(sample, found, CPS_CUTS if nth == 0 else ())
        yield from _cps_of_named(sample, away_um <= within_um, within_um)
    yield from _with_cuts(sample, _ic(sample), IC_CUTS)
    yield _ic_stained(sample)


def _tps(sample: SampleScopes) -> Estimate:
    tissue, tumour = sample.scopes["tissue"], sample.tumour
    positive = tumour & sample.positive(tissue, "PD-L1")
    score = tps(int(positive.sum()), int(tumour.sum()))
    return Estimate(
        scored(_row(sample, tissue, "pdl1_tps"), score),
        Sums(
            tissue.by_block(positive),
            tissue.by_block(tumour),
            kind="share",
            ceiling=1.0,
            scale=100.0,
        ),
    )


def _cps(sample: SampleScopes, immune: Mask, within_um: float) -> Estimate:
    tissue, tumour = sample.scopes["tissue"], sample.tumour
    positive = tumour & sample.positive(tissue, "PD-L1")
    score = cps(int(positive.sum()), int(immune.sum()), int(tumour.sum()))
    row = scored(_row(sample, tissue, "pdl1_cps", f"within_um={within_um:g}"), score)
    if sample.regions is None:
        row = replace(row, status="APPROX", reason=NO_DISTANCE)
    elif not sample.nests:
        row = replace(row, status="APPROX", reason=NO_NEST)
    return Estimate(
        row,
        Sums(
            tissue.by_block(positive | immune),
            tissue.by_block(tumour),
            kind="ratio",
            scale=100.0,
            cap=MAX_CPS,
        ),
    )


def _cps_of_named(
    sample: SampleScopes, immune: Mask, within_um: float
) -> Iterator[Estimate]:
    """Lower end of a CPS that counts any cell but tumour cells as immune."""
    if _immune_are_named(sample):
        return
    named = sample.of_lineage(sample.scopes["tissue"], (*LYMPHOCYTES, *MACROPHAGES))
    found = _cps(sample, immune & named, within_um)
    yield replace(found, row=replace(found.row, param=f"{found.row.param},{NAMED}"))


def _ic(
    sample: SampleScopes, metric: str = "pdl1_ic", share: Floats | float = 1
) -> Estimate:
    """IC by the area of cells, or of a share of each."""
    bed = sample.scopes["tumour_bed"]
    immune = sample.positive(bed, "PD-L1") & _immune(sample, bed)
    areas_mm2 = bed.cell_areas_mm2 * share
    score = area_share(areas_mm2[immune].sum(), bed.area_mm2, int(immune.sum()))
    row = scored(_row(sample, bed, metric), score)
    if np.isnan(bed.area_mm2):
        row = without_value(row, "NOT_COMPUTABLE", UNKNOWN_AREA)
    return Estimate(
        row,
        Sums(
            bed.by_block(immune, areas_mm2),
            bed.areas_mm2,
            kind="area_share",
            ceiling=1.0,
            scale=100.0,
        ),
    )


def _ic_stained(sample: SampleScopes) -> Estimate:
    """IC by stained area: the stained share of each cell, where PD-L1 is read."""
    bed, name = sample.scopes["tumour_bed"], marker_of("PD-L1", sample.panel)
    part = sample.panel.markers[name].measure if name else "cell"
    column = f"{name}_{part}_positive_fraction"
    known = column in bed.cells
    share = bed.cells[column].fillna(0).to_numpy(float) if known else np.nan
    found = _ic(sample, STAINED, share)
    if found.row.status == "OK" and part != "cell":
        reason = f"the stained share of the {part} stands for that of the cell"
        return replace(found, row=replace(found.row, status="APPROX", reason=reason))
    return found


def _immune_away_um(sample: SampleScopes) -> Floats:
    """Distance from the nearest nest of PD-L1+ immune cells, infinite for others.

    Without a nest it is that from the nearest tumour cell. Where no map tells
    distances, it is 0 for all that is not known to lie outside the tumour bed.
    """
    tissue = sample.scopes["tissue"]
    chosen = sample.positive(tissue, "PD-L1") & _immune(sample, tissue)
    out = np.full(len(chosen), np.inf)
    if sample.regions is None:
        beyond = (tissue.cells["region"] == REGION_NAMES[OUTSIDE]).to_numpy()
        return np.where(chosen & ~beyond, 0.0, np.inf)
    places = tissue.cells[["x_um", "y_um"]].to_numpy(float)
    if not sample.nests:
        out[chosen] = _away_um(places[chosen], places[sample.tumour])
        return out
    nests = sample.regions == TUMOUR
    out[chosen] = nest_distance_um(places[chosen], nests, sample.um)
    out[chosen & in_nest(tissue)] = 0
    return out


def _away_um(at_um: Floats, places_um: Floats) -> Floats:
    """Distance of points from the nearest of some places; infinite without any."""
    if len(places_um) == 0 or len(at_um) == 0:
        return np.full(len(at_um), np.inf)
    return np.asarray(KDTree(places_um).query(at_um)[0])


def nest_distance_um(at_um: Floats, nests: Mask, um: float) -> Floats:
    """Distance of points from the nearest nest; infinite without any.

    Parameters
    ----------
    at_um : (n, 2) float64 array
        x and y.
    nests : (h, w) bool array
    um : float
        Its pixel size, µm.
    """
    rim = np.argwhere(nests & ~ndimage.binary_erosion(nests))
    away_um = _away_um(at_um[:, ::-1], (rim + 0.5) * um)
    # The nest's edge lies half a pixel beyond the centres of its outermost pixels.
    return np.maximum(away_um - um / 2, 0)


def _immune(sample: SampleScopes, scope: Scope) -> Mask:
    """Lymphocytes and macrophages, or all but tumour if they cannot be told."""
    if _immune_are_named(sample):
        return sample.of_lineage(scope, (*LYMPHOCYTES, *MACROPHAGES))
    return ~tumour_cells(scope) & ~scope.of_phenotype(UNCERTAIN)


def _immune_are_named(sample: SampleScopes) -> bool:
    return {"CD3", "CD68"} <= names_of(sample.panel.markers)


def _row(sample: SampleScopes, scope: Scope, metric: str, param: str = "") -> Row:
    immune = metric in {"pdl1_ic", STAINED}
    whose = "immune" if immune else sample.panel.tumour or ""
    return scope.row(whose, metric, phenotype_b="PD-L1", param=param)


def _with_cuts(
    sample: SampleScopes, found: Estimate, cuts: tuple[float, ...]
) -> Iterator[Estimate]:
    """A score, and the probability that it reaches each cut."""
    yield found
    chances = _chances(sample, found, cuts)
    for cut, chance in zip(cuts, chances, strict=True):
        row = replace(
            found.row,
            metric=f"{found.row.metric}_probability",
            param=",".join(filter(None, (found.row.param, f"cut={cut:g}"))),
            value=chance,
            unit="1",
        )
        if found.sums is not None:
            least = sample.options.min_blocks
            row = from_blocks(row, found.sums.denominators, least)
        yield Estimate(row)


def _chances(
    sample: SampleScopes, found: Estimate, cuts: tuple[float, ...]
) -> tuple[float, ...]:
    sums = found.sums
    if sums is None or not np.isfinite(found.row.value):
        return (np.nan,) * len(cuts)
    return probability_at_least(
        np.stack([sums.numerators, sums.denominators], axis=1),
        tuple(cut / sums.scale for cut in cuts),
        samples=sample.options.bootstrap_samples,
        seed=sample.options.seed,
    )
