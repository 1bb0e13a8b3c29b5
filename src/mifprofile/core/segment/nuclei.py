"""One block's nuclei, named so that neighbouring blocks agree without talking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.segment.dynamics import (
    GROW_STEPS,
    SINK_WINDOW,
    follow_flows,
    sink_labels,
    travel_px,
)
from mifprofile.core.segment.objects import (
    boxes_of,
    contrasts,
    flow_errors,
    solid_areas,
    solid_objects,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

# No nucleus is wider than twice this: it sets how far a pixel may travel.
MAX_RADIUS_UM = 16.0
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
        """Margin with which a block's result cannot depend on what lies beyond it."""
        path = travel_px(self.doublings)
        return 2 * path + 4 * GROW_STEPS + SINK_WINDOW + self.ring_px + 2


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
    foreground = probability > rules.cell_probability
    labels, sinks = sink_labels(follow_flows(flows, foreground, rules.doublings))
    boxes = boxes_of(labels, sinks.size)
    areas = solid_areas(labels, boxes)
    wanted = (areas >= rules.min_area_px) & (areas <= rules.max_area_px)
    boxes[~wanted] = 0
    wanted &= flow_errors(labels, flows, boxes) <= rules.flow_error
    if stain is not None:
        boxes[~wanted] = 0
        contrast = contrasts(labels, boxes, foreground, stain, rules.ring_px)
        wanted &= contrast >= rules.min_contrast
    labels, kept = solid_objects(labels, boxes, wanted)
    places = sinks[kept].astype(np.int64)
    return labels, np.stack(np.divmod(places, labels.shape[1]), axis=1)
