"""What every task of a segmentation knows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mifprofile.core.segment import (
    Block,
    ObjectRules,
    Window,
    claim_reach_px,
    plan_blocks,
    reach_px,
    source_window,
)
from mifprofile.io.store import CHUNK_PX, pyramid_shapes
from mifprofile.stages.quality import read_tissue
from mifprofile.stages.segment.squares import open_once, read_square

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mifprofile.engines import Segmenter, Tiling
    from mifprofile.model import PixelSize, Slide
    from mifprofile.options import Precision, SegmentOptions
    from mifprofile.stages.job import Job

# Closer than this to the network's own pixel size, the image is taken as it is: the
# network was trained on more variation than that.
SCALE_TOLERANCE = 0.1
# As in training.
NETWORK_PERCENTILES = (1.0, 99.8)
# For growth along membranes: background falls to 0, clear membranes to 1.
GROWTH_PERCENTILES = (50.0, 99.0)
# Takes off the noise that would break a membrane into pieces.
MEMBRANE_SMOOTH_UM = 0.4
SMOOTH_SIGMAS = 3.0
BLOCK_PX = 2048
SAMPLE_BLOCKS = 64
SAMPLE_PIXELS = 1_000_000

Corner = tuple[int, int]
Channel = tuple[int, float, float]


@dataclass(frozen=True)
class SegmentPlan:
    """A segmentation cut into tasks; small enough to send to every worker.

    Attributes
    ----------
    slide, scratch, labels : Path
        What is read, where tasks leave their results for each other, what is made.
    options : SegmentOptions
    precision, threads
        With which the network runs in every worker.
    shape_px, pixel_size, origin_um
        Of the slide.
    tissue, tissue_um
        Mask, and the edge of its pixels.
    ratio : float
        Pixel size of the network over that of the slide; 1 if they are close.
    tiling : Tiling
    batch : int
        How many tiles the network takes at a time.
    whole_cells : bool
        Whether the network finds cells too; else nuclei are grown.
    nucleus : int
        Channel of the nuclear stain.
    nucleus_range : tuple of float
        Values that become 0 and 1.
    membrane : tuple of (channel, low, high)
    rules : ObjectRules
    fingerprint : str
        Of the stage: its options and all that it reads.
    key : str
        What must be the same for a run to go on where another was stopped.
    """

    slide: Path
    scratch: Path
    labels: Path
    options: SegmentOptions
    precision: Precision
    threads: int
    shape_px: tuple[int, int]
    pixel_size: PixelSize | None
    origin_um: tuple[float, float]
    um: float
    tissue: NDArray[np.bool_]
    tissue_um: float
    ratio: float
    tiling: Tiling
    batch: int
    whole_cells: bool
    nucleus: int
    nucleus_range: tuple[float, float]
    membrane: tuple[Channel, ...]
    rules: ObjectRules
    fingerprint: str
    key: str

    @property
    def block_px(self) -> int:
        """Edge of the blocks; by default a small slide makes several, for all cores."""
        half = -(-max(self.shape_px) // 2)
        return self.options.block_px or min(BLOCK_PX, max(half, CHUNK_PX))

    @property
    def network_shape(self) -> tuple[int, int]:
        """Slide height and width at the network's pixel size."""
        return network_shape(self.shape_px, self.ratio)

    @property
    def objects(self) -> int:
        """How many kinds of object the network finds."""
        return 2 if self.whole_cells else 1

    @property
    def tile_batches(self) -> list[tuple[Corner, ...]]:
        """Upper left corners of the network tiles with tissue, batch by batch."""
        tiles = plan_blocks(self.network_shape, self.tiling.core_px, 0)
        um = self.um * self.ratio
        found = [(t.core[0], t.core[2]) for t in tiles if self.in_tissue(t.core, um)]
        return [
            tuple(found[i : i + self.batch]) for i in range(0, len(found), self.batch)
        ]

    @cached_property
    def blocks(self) -> list[Block]:
        """Blocks in which cells are looked for."""
        blocks = plan_blocks(self.shape_px, self.block_px, self.halo_px)
        return [b for b in blocks if self.in_tissue(b.outer, self.um)]

    @property
    def label_blocks(self) -> list[Block]:
        """Blocks in which labels are written: whole chunks, whatever the block size."""
        size = -(-self.block_px // CHUNK_PX) * CHUNK_PX
        blocks = plan_blocks(self.shape_px, size, 1)
        return [b for b in blocks if self.in_tissue(b.core, self.um, self.halo_px)]

    @property
    def coarse_blocks(self) -> list[list[Block]]:
        """Chunks of each coarser level of the label pyramid."""
        return [
            [
                block
                for block in plan_blocks(shape, CHUNK_PX, 0)
                if self.in_tissue(block.core, self.um * 2**level, self.halo_px)
            ]
            for level, shape in enumerate(pyramid_shapes(self.shape_px)[1:], start=1)
        ]

    @property
    def halo_px(self) -> int:
        """Margin with which no block's cells depend on what lies beyond it."""
        return self.rules.halo_px + self.reach_px

    @property
    def reach_px(self) -> int:
        """Margin of nuclei, and of membranes, that a block's cells depend on."""
        if self.whole_cells:
            return claim_reach_px(self.um)
        options = self.options
        smooth = int(np.ceil(SMOOTH_SIGMAS * MEMBRANE_SMOOTH_UM / self.um))
        return reach_px(self.um, options.rim_um, options.expansion_um) + smooth

    def tiles_below(self, window: Window) -> list[Corner]:
        """Corners of the network tiles under a window of the slide, tissue or not."""
        under = source_window(window, 1 / self.ratio, self.network_shape)
        return _corners(under, self.tiling.core_px)

    def blocks_below(self, window: Window) -> list[Block]:
        """Blocks under a window of the slide in which cells were looked for."""
        corners = _corners(window, self.block_px)
        return [self._by_corner[at] for at in corners if at in self._by_corner]

    @cached_property
    def _by_corner(self) -> dict[Corner, Block]:
        return {(block.core[0], block.core[2]): block for block in self.blocks}

    def in_tissue(self, window: Window, um: float, margin_px: int = 0) -> bool:
        """Whether tissue lies in a window of pixels of ``um``, or near it."""
        scale, margin = um / self.tissue_um, margin_px * self.um / self.tissue_um
        y0, y1, x0, x1 = (v * scale for v in window)
        rows = slice(max(int(y0 - margin), 0), int(np.ceil(y1 + margin)) or 1)
        cols = slice(max(int(x0 - margin), 0), int(np.ceil(x1 + margin)) or 1)
        return bool(self.tissue[rows, cols].any())


def _corners(window: Window, size: int) -> list[Corner]:
    """Upper left corners of the squares of a grid that a window meets."""
    y0, y1, x0, x1 = window
    rows = range(y0 // size * size, y1, size)
    cols = range(x0 // size * size, x1, size)
    return [(y, x) for y in rows for x in cols]


def network_shape(shape_px: tuple[int, int], ratio: float) -> tuple[int, int]:
    """Height and width of a slide at the network's pixel size."""
    return int(np.ceil(shape_px[0] / ratio)), int(np.ceil(shape_px[1] / ratio))


def make_plan(
    job: Job, segmenter: Segmenter, threads: int, fingerprint: str
) -> SegmentPlan:
    """Look at the slide and decide on everything that tasks must agree on."""
    options = job.options.segment
    key, path = _key(job, segmenter, fingerprint), job.results.slide.resolve()
    slide = open_once(path, key)
    tissue, tissue_um = read_tissue(job.results)
    scale = segmenter.um / slide.um
    ratio = 1.0 if abs(scale - 1) <= SCALE_TOLERANCE else scale
    sample = TissueSample(path, key, slide, tissue, tissue_um)
    nucleus = slide.channel_index(job.panel.nucleus)
    membrane = [slide.channel_index(name) for name in job.panel.membrane]
    whole_cells = options.whole_cells and bool(membrane) and segmenter.planes == 6
    percents = NETWORK_PERCENTILES if whole_cells else GROWTH_PERCENTILES
    return SegmentPlan(
        slide=path,
        scratch=job.results.scratch("segment").resolve(),
        labels=job.results.labels.resolve(),
        options=options,
        precision=segmenter.precision,
        threads=threads,
        shape_px=slide.shape_px,
        pixel_size=slide.pixel_size,
        origin_um=slide.origin_um,
        um=slide.um,
        tissue=tissue,
        tissue_um=tissue_um,
        ratio=ratio,
        tiling=segmenter.tiling(network_shape(slide.shape_px, ratio)),
        batch=segmenter.batch,
        whole_cells=whole_cells,
        nucleus=nucleus,
        nucleus_range=sample.percentiles(nucleus, NETWORK_PERCENTILES),
        membrane=tuple((c, *sample.percentiles(c, percents)) for c in membrane),
        rules=ObjectRules.at(
            slide.um,
            cell_probability=options.cell_probability,
            flow_error=options.flow_error,
            min_contrast=options.min_contrast,
            min_area_um2=options.min_nucleus_um2,
            max_area_um2=options.max_nucleus_um2,
        ),
        fingerprint=fingerprint,
        key=key,
    )


def _key(job: Job, segmenter: Segmenter, fingerprint: str) -> str:
    """What must be the same for a run to go on where another was stopped."""
    content: dict[str, Any] = {
        "fingerprint": fingerprint,
        "block_px": job.options.segment.block_px,
        "engine": [segmenter.name, segmenter.precision, segmenter.device],
    }
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True)
class TissueSample:
    """Pixels of blocks spread evenly over the tissue."""

    path: Path
    key: str
    slide: Slide
    tissue: NDArray[np.bool_]
    tissue_um: float

    def percentiles(
        self, channel: int, percents: tuple[float, float]
    ) -> tuple[float, float]:
        """Two percentiles of a channel, made to differ."""
        parts = [self._pixels(channel, block) for block in self._blocks]
        if not any(part.size for part in parts):
            return 0.0, 1.0
        low, high = (float(v) for v in np.percentile(np.concatenate(parts), percents))
        return low, high if high > low else low + 1.0

    @cached_property
    def _blocks(self) -> list[Block]:
        blocks = plan_blocks(self.slide.shape_px, CHUNK_PX, 0)
        found = [b for b in blocks if self._has_tissue(b)]
        return found[:: -(-len(found) // SAMPLE_BLOCKS) or 1]

    def _has_tissue(self, block: Block) -> bool:
        """Whether any pixel of a block is tissue."""
        scale = self.slide.um / self.tissue_um
        rows, cols = (
            slice(int(s.start * scale), int((s.stop - 1) * scale) + 1)
            for s in block.core_slices
        )
        return bool(self.tissue[rows, cols].any())

    def _pixels(self, channel: int, block: Block) -> NDArray[Any]:
        """Tissue pixels of a block, on a grid that all blocks share."""
        pixels = len(self._blocks) * CHUNK_PX**2
        step = max(int(np.ceil(np.sqrt(pixels / SAMPLE_PIXELS))), 1)
        corner = block.core[0], block.core[2]
        plane = read_square(self.path, self.key, channel, *corner)
        scale = self.slide.um / self.tissue_um
        rows, cols = (
            (np.arange(s.start, s.stop, step) * scale).astype(int)
            for s in block.core_slices
        )
        return plane[::step, ::step][self.tissue[np.ix_(rows, cols)]]
