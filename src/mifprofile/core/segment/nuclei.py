"""One block's nuclei, named so that neighbouring blocks agree without talking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.segment.dynamics import (
    CLIMB_DOUBLINGS,
    CLIMB_WINDOW,
    follow_flows,
    sink_labels,
    travel_px,
)
from mifprofile.core.segment.objects import (
    areas_px,
    compact,
    contrasts,
    drop,
    fill_holes,
    flow_errors,
    keep_largest_piece,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

# No nucleus is wider than twice this: it sets how far a pixel may travel.
MAX_RADIUS_UM = 32.0
# Width of the background that a nucleus is compared with.
RING_UM = 1.5


@dataclass(frozen=True)
class NucleusRules:
    """Limits for nuclei; areas in px of the array they are applied to."""

    cell_probability: float
    flow_error: float
    min_contrast: float
    min_area_px: float
    max_area_px: float
    doublings: int
    ring_px: int

    @classmethod
    def at(
        cls,
        um: float,
        *,
        cell_probability: float,
        flow_error: float,
        min_contrast: float,
        min_nucleus_um2: float,
        max_nucleus_um2: float,
    ) -> NucleusRules:
        """Rules for a pixel size in µm."""
        doublings = 0
        while travel_px(doublings) * um < MAX_RADIUS_UM:
            doublings += 1
        return cls(
            cell_probability,
            flow_error,
            min_contrast,
            min_nucleus_um2 / um**2,
            max_nucleus_um2 / um**2,
            doublings,
            max(round(RING_UM / um), 1),
        )

    @property
    def halo_px(self) -> int:
        """Margin with which a block's result cannot depend on what lies beyond it.

        An object's pixels lie within one path and one climb of its sink, and whether
        a pixel is one depends on paths that end on its own: two paths and a climb.
        """
        path = travel_px(self.doublings)
        climb = 2 * CLIMB_WINDOW * 2**CLIMB_DOUBLINGS
        return 4 * path + 2 * climb + self.ring_px


def segment_nuclei(
    flows: NDArray[np.float32],
    probability: NDArray[np.float32],
    rules: NucleusRules,
    stain: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Turn network output into nuclei.

    Parameters
    ----------
    flows : (2, h, w) float32 array
        (y, x) flows, unit length.
    probability : (h, w) float32 array
        Logit of being inside a nucleus.
    rules : NucleusRules
    stain : (h, w) float32 array, optional
        Nuclear stain, tissue percentiles mapped to 0 and 1: objects that hardly stand
        out from the background around them are not nuclei.

    Returns
    -------
    labels : (h, w) int32 array
        Nuclei 1..n.
    sinks : (n, 2) int64 array
        (row, column) of each nucleus's sink, in raster order.
    """
    ends = follow_flows(flows, probability > rules.cell_probability, rules.doublings)
    labels, names = compact(sink_labels(ends))
    labels = fill_holes(keep_largest_piece(labels), int(rules.max_area_px))
    areas = areas_px(labels, names.size)
    unwanted = (areas < rules.min_area_px) | (areas > rules.max_area_px)
    labels = drop(labels, unwanted)
    unwanted |= flow_errors(labels, flows, names.size) > rules.flow_error
    if stain is not None:
        unwanted |= ~(
            contrasts(labels, stain, names.size, rules.ring_px) >= rules.min_contrast
        )
    labels, kept = compact(drop(labels, unwanted))
    sinks = names[kept - 1].astype(np.int64) - 1
    return labels, np.stack(np.divmod(sinks, labels.shape[1]), axis=1)


def renumber(keys: NDArray[np.uint64], names: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Replace keys by 1 + their place among the sorted ``names``; 0 stays 0."""
    return np.where(keys > 0, np.searchsorted(names, keys) + 1, 0).astype(np.uint32)
