"""Whether cells are cut where blocks meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.core.segment.grid import Block

# An outline that follows a line for this long was cut along it.
STRAIGHT_UM = 6.0


class Seam(NamedTuple):
    """Cells that lie on a line, and those whose outline runs straight along it."""

    cells: int
    straight: int

    def __add__(self, other: object) -> Seam:
        """Counts of both."""
        if not isinstance(other, Seam):
            return NotImplemented
        return Seam(self.cells + other.cells, self.straight + other.straight)

    @property
    def share(self) -> float:
        """Straight ones among all; NaN without any."""
        return self.straight / self.cells if self.cells else float("nan")


def block_seams(
    labels: NDArray[np.uint32],
    block: Block,
    *,
    first_px: int,
    every_px: int,
    straight_px: int,
) -> Seam:
    """Look along all lines of a grid that cross a block.

    Parameters
    ----------
    labels : (h, w) uint32 array
        Of the block's core and at least one px above and to the left.
    block : Block
    first_px, every_px : int
        Where on the slide the first line lies, and the distance between lines; both for
        rows and columns.
    straight_px : int
        As long as this an outline must follow a line to count as cut.
    """
    total = Seam(0, 0)
    turned = (labels, labels.T)
    for axis, image in enumerate(turned):
        start, stop = block.core[2 * axis : 2 * axis + 2]
        before = block.outer[2 * axis]
        along = block.inner_slices[1 - axis]
        skipped = max(-(-(max(start, 1) - first_px) // every_px), 0)
        for line in range(first_px + skipped * every_px, stop, every_px):
            row = line - before
            total += seam(image[row - 1, along], image[row, along], straight_px)
    return total


def seam(
    before: NDArray[np.uint32], after: NDArray[np.uint32], straight_px: int
) -> Seam:
    """Look along a line between two rows (or columns) of labels.

    Parameters
    ----------
    before, after : (n,) uint32 array
        Labels on either side of the line.
    straight_px : int
        As long as this an outline must follow the line to count as cut.

    Returns
    -------
    Seam
    """
    cut = [_longest_runs(a, b) for a, b in ((before, after), (after, before))]
    straight = {label for runs in cut for label, n in runs.items() if n >= straight_px}
    seen = np.union1d(before, after)
    return Seam(int(np.count_nonzero(seen)), len(straight))


def _longest_runs(
    labels: NDArray[np.uint32], others: NDArray[np.uint32]
) -> dict[int, int]:
    """Longest stretch of each label beside which there is something else."""
    edge = np.where(labels != others, labels, 0)
    starts = np.flatnonzero(np.diff(edge, prepend=np.uint32(0)) != 0)
    lengths = np.diff(np.append(starts, edge.size))
    runs: dict[int, int] = {}
    for label, length in zip(edge[starts].tolist(), lengths.tolist(), strict=True):
        if label:
            runs[label] = max(runs.get(label, 0), length)
    return runs
