"""Small forms of what tasks leave for each other: network output, and cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Flows are kept in steps of 1/127, logits of 1/16.
FLOW_STEPS = 127.0
LOGIT_STEPS = 16.0
LIMIT = 127
NO_LOGIT = -LIMIT


def pack_output(output: NDArray[np.float32]) -> NDArray[np.int8]:
    """Round network output to int8.

    Parameters
    ----------
    output : (3 k, h, w) float32 array
        Of each kind of object the flow along y, along x, and the logit.

    Returns
    -------
    (k, 3, h, w) int8 array
    """
    planes = output.reshape(-1, 3, *output.shape[1:])
    packed = np.empty(planes.shape, np.int8)
    _pack(planes, _steps(), packed)
    return packed


def no_output(kinds: int, height: int, width: int) -> NDArray[np.int8]:
    """Packed output of an area without any object, (kinds, 3, height, width)."""
    packed = np.zeros((kinds, 3, height, width), np.int8)
    packed[:, 2] = NO_LOGIT
    return packed


def unpack_output(packed: NDArray[np.int8]) -> NDArray[np.float32]:
    """Bring (…, 3, h, w) packed output back to flows of unit length and logits."""
    steps = _steps()[:, None, None]
    return np.divide(packed, steps, dtype=np.float32)


def pack_cells(
    nuclei: NDArray[np.int32], cells: NDArray[np.int32]
) -> NDArray[np.uint16] | NDArray[np.uint32]:
    """Put nuclei and cells into one array.

    Parameters
    ----------
    nuclei, cells : (h, w) int32 array
        A nucleus lies in the cell of the same number.

    Returns
    -------
    (h, w) uint16 or uint32 array
        Twice the cell's number, and 1 more within its nucleus.
    """
    small = int(cells.max(initial=0)) <= np.iinfo(np.uint16).max // 2
    packed = np.left_shift(cells, 1, dtype=np.int32)
    packed += nuclei > 0
    return packed.astype(np.uint16) if small else packed.astype(np.uint32)


def unpack_cells(
    packed: NDArray[np.uint16] | NDArray[np.uint32], numbers: NDArray[np.uint32]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Take nuclei and cells apart, and give them other numbers.

    Parameters
    ----------
    packed : (h, w) uint16 or uint32 array
        As from `pack_cells`.
    numbers : (n + 1,) uint32 array
        New number of each cell; 0 for none.

    Returns
    -------
    nuclei, cells : (h, w) uint32 array
    """
    of_cells = np.repeat(numbers, 2)
    of_nuclei = of_cells.copy()
    of_nuclei[::2] = 0
    return of_nuclei[packed], of_cells[packed]


def _steps() -> NDArray[np.float32]:
    return np.array([FLOW_STEPS, FLOW_STEPS, LOGIT_STEPS], np.float32)


@njit(cache=True, nogil=True)
def _pack(
    planes: NDArray[np.float32], steps: NDArray[np.float32], packed: NDArray[np.int8]
) -> None:
    kinds, planes_each, height, width = planes.shape
    for kind in range(kinds):
        for plane in range(planes_each):
            for y in range(height):
                row, to = planes[kind, plane, y], packed[kind, plane, y]
                for x in range(width):
                    value = np.rint(row[x] * steps[plane])
                    to[x] = np.int8(min(max(value, -LIMIT), LIMIT))
