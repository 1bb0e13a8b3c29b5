"""What the ways of running a `NarrowNet` share; imports neither torch nor OpenVINO."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mifprofile.engines.base import Tiling

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

FLOW_SCALE = 5.0
# An output pixel depends on inputs up to 127 px away: four convolutions reach 4 px at
# each of four levels, down and up, 2 · 4 · (1 + 2 + 4 + 8), and the three poolings add
# up to 7. With more than that in the margin no tile's edge is seen in what is kept.
MARGIN_PX = 128
# Beyond the slide all is 0, which training has shown at about this width.
FRAME_PX = 32
STEP_PX = 64
NUCLEI, CELLS = slice(0, 3), slice(3, 6)


def narrow_tiling(shape_px: tuple[int, int], core_px: int) -> Tiling:
    """Tiles that cover a slide evenly, each keeping at most `core_px`.

    A tile that holds the whole slide needs no more than a frame around it.
    """
    side = max(shape_px)
    tiles = -(-side // core_px)
    core = -(-side // (tiles * STEP_PX)) * STEP_PX
    margin = MARGIN_PX if tiles > 1 else FRAME_PX
    return Tiling(core + 2 * margin, margin)


def looks(
    run: Callable[[NDArray[np.float32], slice], NDArray[np.float32]],
    tiles: NDArray[np.float32],
    *,
    cells: bool,
) -> NDArray[np.float32]:
    """Nuclei from the nuclear stain alone, cells with the membranes beside it.

    The network has learned them so: membranes must not change the nuclei.

    Parameters
    ----------
    run : callable
        From (n, 2, y, x) to some of the network's planes, (n, 3, y, x).
    tiles : (n, 2, y, x) float32 array
    cells : bool

    Returns
    -------
    (n, 3 or 6, y, x) float32 array
        Flows of unit length, and logits.
    """
    blind = tiles
    if tiles[:, 1].any():
        blind = tiles.copy()
        blind[:, 1] = 0
    output = run(blind, NUCLEI)
    if cells:
        output = np.concatenate([output, run(tiles, CELLS)], axis=1)
    for plane in range(output.shape[1]):
        if plane % 3 != 2:
            output[:, plane] /= FLOW_SCALE
    return output
