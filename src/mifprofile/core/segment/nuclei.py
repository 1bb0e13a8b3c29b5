"""One block's objects, named so that neighbouring blocks agree without talking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.segment.dynamics import (
    GROW_STEPS,
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

    from mifprofile.core.segment.grid import Window

# No object is wider than twice this: it sets how far a pixel may travel.
MAX_RADIUS_UM = 16.0
# Width of the background that an object is compared with.
RING_UM = 1.5


@dataclass(frozen=True)
class ObjectRules:
    """Limits for nuclei, or for cells; areas in px of the array they are applied to."""

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
        min_area_um2: float,
        max_area_um2: float,
    ) -> ObjectRules:
        """Rules for a pixel size in µm."""
        doublings = 1
        while travel_px(doublings) * um < MAX_RADIUS_UM:
            doublings += 1
        return cls(
            cell_probability,
            flow_error,
            min_contrast,
            min_area_um2 / um**2,
            max_area_um2 / um**2,
            doublings,
            max(round(RING_UM / um), 1),
        )

    @property
    def halo_px(self) -> int:
        """Margin with which a block's result cannot depend on what lies beyond it.

        Along each axis, with T for a pixel's longest way and G for a sink's growth:
        all that a path reads lies within T + 2 of its pixel and of its end. An object's
        ends lie within G of its sink, so its pixels, its holes and its box within
        T + G. What it takes in depends on arrivals within 3 G of the sink: its own
        growth, then the growth of a sink that claims the same end. These arrivals are
        paths, true if all within T + 3 G + 2 of the sink is known. All else is found
        out from the object's own pixels, and from the network's output up to a ring's
        width beyond. From a pixel to its sink and on: 2 T + 2 G + max(2 G, ring) + 2.
        """
        grown = 2 * GROW_STEPS
        return 2 * travel_px(self.doublings) + grown + max(grown, self.ring_px) + 2


def segment_nuclei(
    flows: NDArray[np.float32],
    probability: NDArray[np.float32],
    rules: ObjectRules,
    stain: NDArray[np.float32] | None = None,
    within: Window | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Turn network output into nuclei, or into whole cells.

    Parameters
    ----------
    flows : (2, h, w) float32 array
        (y, x) flows, unit length.
    probability : (h, w) float32 array
        Logit of being inside an object.
    rules : ObjectRules
    stain : (h, w) float32 array, optional
        Nuclear stain, tissue percentiles mapped to 0 and 1: objects that hardly stand
        out from the background around them are dropped.
    within : tuple of int, optional
        (y0, y1, x0, x1): objects with neither their box nor their sink in it may be
        left out.

    Returns
    -------
    labels : (h, w) int32 array
        Objects 1..n.
    sinks : (n, 2) int64 array
        (row, column) of each object's sink, in raster order.
    """
    foreground = probability > rules.cell_probability
    labels, sinks = sink_labels(follow_flows(flows, foreground, rules.doublings))
    places = np.stack(np.divmod(sinks.astype(np.int64), labels.shape[1]), axis=1)
    boxes = boxes_of(labels, sinks.size)
    if within is not None:
        boxes[_beyond(boxes, places, within)] = 0
    areas = solid_areas(labels, boxes)
    wanted = (areas > 0) & (areas >= rules.min_area_px) & (areas <= rules.max_area_px)
    boxes[~wanted] = 0
    wanted &= flow_errors(labels, flows, boxes) <= rules.flow_error
    if stain is not None:
        boxes[~wanted] = 0
        contrast = contrasts(labels, boxes, foreground, stain, rules.ring_px)
        wanted &= contrast >= rules.min_contrast
    labels, kept = solid_objects(labels, boxes, wanted)
    return labels, places[kept]


def _beyond(
    boxes: NDArray[np.int32], places: NDArray[np.int64], within: Window
) -> NDArray[np.bool_]:
    """Objects of which neither the box nor the sink lies in a window."""
    y0, y1, x0, x1 = within
    apart = (boxes[:, 0] >= y1) | (boxes[:, 1] <= y0)
    apart |= (boxes[:, 2] >= x1) | (boxes[:, 3] <= x0)
    row, col = places.T
    ends = (row >= y0) & (row < y1) & (col >= x0) & (col < x1)
    return np.asarray(apart & ~ends)
