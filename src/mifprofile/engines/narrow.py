"""What the ways of running a `NarrowNet` share; imports neither torch nor OpenVINO."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FLOW_SCALE = 5.0
# An output pixel depends on inputs up to 127 px away: four convolutions reach 4 px at
# each of four levels, down and up, 2 · 4 · (1 + 2 + 4 + 8), and the three poolings add
# up to 7. With more than that in the margin no tile's edge is seen in what is kept.
MARGIN_PX = 128
STEP_PX = 64


def narrow_tile_px(shape_px: tuple[int, int], core_px: int) -> int:
    """Edge of the tiles that cover a slide evenly, each keeping at most `core_px`."""
    side = max(shape_px)
    tiles = -(-side // core_px)
    core = -(-side // (tiles * STEP_PX)) * STEP_PX
    return core + 2 * MARGIN_PX


def unit_flows(output: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring the flow planes of (n, planes, y, x) to unit length, in place."""
    for plane in range(output.shape[1]):
        if plane % 3 != 2:
            output[:, plane] /= FLOW_SCALE
    return output
