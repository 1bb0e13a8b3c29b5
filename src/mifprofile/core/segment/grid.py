"""Blocks on a grid that is anchored to the slide's origin."""

from __future__ import annotations

from dataclasses import dataclass

# y0, y1, x0, x1; half-open, px.
Window = tuple[int, int, int, int]


@dataclass(frozen=True)
class Block:
    """A work unit: a core that it owns and a halo that it only reads.

    All bounds are half-open slide coordinates in px; the halo is cut at the slide.
    """

    core: Window
    outer: Window

    @property
    def core_slices(self) -> tuple[slice, slice]:
        """Core as (rows, columns) of the slide."""
        return _slices(self.core)

    @property
    def outer_slices(self) -> tuple[slice, slice]:
        """Core and halo as (rows, columns) of the slide."""
        return _slices(self.outer)

    @property
    def inner_slices(self) -> tuple[slice, slice]:
        """Core as (rows, columns) of an array that covers ``outer``."""
        (y0, y1, x0, x1), (top, _, left, _) = self.core, self.outer
        return slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)

    def near(self, margin_px: int) -> Window:
        """Bounds of the core and a margin, no wider than the halo."""
        (y0, y1, x0, x1), (top, bottom, left, right) = self.core, self.outer
        rows = max(y0 - margin_px, top), min(y1 + margin_px, bottom)
        return (*rows, max(x0 - margin_px, left), min(x1 + margin_px, right))


def plan_blocks(shape_px: tuple[int, int], block_px: int, halo_px: int) -> list[Block]:
    """Cover a slide with blocks in raster order.

    Parameters
    ----------
    shape_px : tuple of int
        Slide height and width.
    block_px : int
        Edge of a core; the last row and column may be smaller.
    halo_px : int
        Margin read around each core, cut at the slide's edge.

    Returns
    -------
    list of Block
        Cores tile the slide without gap or overlap.
    """
    height, width = shape_px
    return [
        _block(y, x, block_px, halo_px, shape_px)
        for y in range(0, height, block_px)
        for x in range(0, width, block_px)
    ]


def _block(y: int, x: int, size: int, halo: int, shape: tuple[int, int]) -> Block:
    core = (y, min(y + size, shape[0]), x, min(x + size, shape[1]))
    outer = (
        max(core[0] - halo, 0),
        min(core[1] + halo, shape[0]),
        max(core[2] - halo, 0),
        min(core[3] + halo, shape[1]),
    )
    return Block(core, outer)


def _slices(bounds: Window) -> tuple[slice, slice]:
    return slice(bounds[0], bounds[1]), slice(bounds[2], bounds[3])
