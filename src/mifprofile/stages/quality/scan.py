"""One look at every tissue pixel of a channel, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.quality import LAGS, scan_cells, structure
from mifprofile.core.segment import plan_blocks
from mifprofile.stages.planes import read_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.core.segment import Block
    from mifprofile.model import Slide
    from mifprofile.stages.workers import Workers

    Window = tuple[slice, slice]

BLOCK_PX = 1024
# Sharpness compares details of this size with larger ones.
DETAIL_UM = 0.5
SAMPLE_PIXELS = 1_000_000


@dataclass(frozen=True)
class ScanGrid:
    """How a slide's pixels fall on the map, on sharpness tiles and on samples.

    Attributes
    ----------
    slide : Slide
    tissue : (h, w) bool array
        The map of the tissue.
    um : float
        Pixel size of the map: the slide's times a whole number.
    block_px : int
        Wanted edge of a block; it does not change the result.
    """

    slide: Slide
    tissue: NDArray[np.bool_]
    um: float
    block_px: int = BLOCK_PX

    @property
    def cell_px(self) -> int:
        """Edge of a map pixel, px of the slide."""
        return round(self.um / self.slide.um)

    @property
    def step_px(self) -> int:
        """Distance of the nearest pixels that are compared for sharpness."""
        return max(round(DETAIL_UM / self.slide.um), 1)

    @property
    def tile_cells(self) -> int:
        """Edge of a sharpness tile, map pixels: at least twice the longest distance."""
        wanted = 2 * max(LAGS) * self.step_px / self.cell_px
        return 2 ** max(int(np.ceil(np.log2(wanted))), 0)

    @property
    def tile_px(self) -> int:
        """Edge of a sharpness tile, px of the slide."""
        return self.tile_cells * self.cell_px

    @property
    def stride(self) -> int:
        """Every how manieth pixel is drawn, along both axes."""
        pixels = int(np.count_nonzero(self.tissue)) * self.cell_px**2
        return max(int(np.ceil(np.sqrt(pixels / SAMPLE_PIXELS))), 1)

    @property
    def blocks(self) -> list[Block]:
        """Blocks of whole tiles in which tissue lies."""
        size = -(-self.block_px // self.tile_px) * self.tile_px
        blocks = plan_blocks(self.slide.shape_px, size, 0)
        return [b for b in blocks if self.tissue[window(b, self.cell_px)].any()]

    def shape(self, step_px: int) -> tuple[int, int]:
        """Height and width of the slide in steps of some pixels."""
        height, width = self.slide.shape_px
        return -(-height // step_px), -(-width // step_px)

    def sampled(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Look a (h, w) mask on the map up at the drawn pixels."""
        rows, columns = (
            np.arange(n) * self.stride // self.cell_px for n in self.shape(self.stride)
        )
        return mask[np.ix_(rows, columns)]


@dataclass(frozen=True)
class Scan:
    """What full resolution shows of one channel; 0 or NaN in blocks without tissue.

    Attributes
    ----------
    maximum, at_maximum, noise_square : (h, w) array
        On the map; see `mifprofile.core.quality.CellScan`.
    samples : (h, w) float32 array
        Pixels of the sampling grid.
    squares : (3, h, w) float32 array
        On sharpness tiles; see `mifprofile.core.quality.structure`. All NaN unless
        it was asked for.
    """

    maximum: NDArray[np.float32]
    at_maximum: NDArray[np.uint32]
    noise_square: NDArray[np.float32]
    samples: NDArray[np.float32]
    squares: NDArray[np.float32]

    @classmethod
    def empty(cls, grid: ScanGrid) -> Scan:
        """Provide the arrays that blocks fill in."""
        return cls(
            np.zeros(grid.tissue.shape, np.float32),
            np.zeros(grid.tissue.shape, np.uint32),
            np.full(grid.tissue.shape, np.nan, np.float32),
            np.zeros(grid.shape(grid.stride), np.float32),
            np.full((len(LAGS), *grid.shape(grid.tile_px)), np.nan, np.float32),
        )


def scan_channel(
    grid: ScanGrid, channel: int, workers: Workers, *, sharpness: bool
) -> Scan:
    """Read a channel's blocks, each once."""
    scan = Scan.empty(grid)
    tasks = [
        workers.submit(_look, scan, grid, channel, block, sharpness)
        for block in grid.blocks
    ]
    for _ in workers.completed(tasks):
        pass
    return scan


def window(block: Block, step_px: int) -> Window:
    """Part of a coarser grid, of whole or cut steps, that a block covers."""
    rows, columns = (
        slice(-(-s.start // step_px), -(-s.stop // step_px)) for s in block.core_slices
    )
    return rows, columns


def _look(
    scan: Scan, grid: ScanGrid, channel: int, block: Block, sharpness: bool
) -> None:
    """Fill in one block's part."""
    pixels = read_pixels(grid.slide, 0, channel, block.core_slices)
    here = window(block, grid.cell_px)
    found = scan_cells(pixels, grid.cell_px)
    scan.maximum[here] = found.maximum
    scan.at_maximum[here] = found.at_maximum
    scan.noise_square[here] = found.noise_square
    picks = tuple(
        slice(-s.start % grid.stride, None, grid.stride) for s in block.core_slices
    )
    scan.samples[window(block, grid.stride)] = pixels[picks]
    if sharpness:
        tiles = window(block, grid.tile_px)
        scan.squares[:, *tiles] = structure(pixels, grid.tile_px, grid.step_px)
