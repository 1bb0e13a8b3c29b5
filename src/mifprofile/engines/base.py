"""What every segmentation network looks like to the rest of the package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mifprofile.options import Precision


@dataclass(frozen=True)
class Tiling:
    """Tiles of one shape that cover a slide, anchored to its corner.

    Parameters
    ----------
    tile_px : int
        Edge of a tile.
    margin_px : int
        Width at each side of a tile that is read but not kept.
    """

    tile_px: int
    margin_px: int

    @property
    def core_px(self) -> int:
        """Edge of the part that is kept."""
        return self.tile_px - 2 * self.margin_px


class Segmenter(Protocol):
    """A network that turns normalised image tiles into flows and probabilities."""

    @property
    def name(self) -> str:
        """Model name or path, for the provenance."""
        ...

    @property
    def um(self) -> float:
        """Pixel size at which the network wants its images, µm."""
        ...

    @property
    def precision(self) -> Precision:
        """What the network computes in: "int8", "float32" or "bfloat16"."""
        ...

    @property
    def device(self) -> str:
        """Where it runs: "cpu", or the name of the CUDA device."""
        ...

    @property
    def batch(self) -> int:
        """Tiles that a call of `predict` should bring; fewer are allowed."""
        ...

    @property
    def planes(self) -> int:
        """Planes it can give: 3 of nuclei, and 3 of whole cells if it knows them."""
        ...

    def tiling(self, shape_px: tuple[int, int]) -> Tiling:
        """Tiles for a slide.

        A function of the slide alone, so that every layout of blocks and workers uses
        the same grid.

        Parameters
        ----------
        shape_px : tuple of int
            Height and width of the slide at the network's pixel size.
        """
        ...

    def predict(
        self, tiles: NDArray[np.float32], *, cells: bool = False
    ) -> NDArray[np.float32]:
        """Run the network on tiles.

        Parameters
        ----------
        tiles : (batch, 2, tile_px, tile_px) float32 array
            Nuclear stain and membrane composite, tissue percentiles mapped to 0 and
            1. Nuclei are found without the membranes.
        cells : bool
            Find whole cells too; only where `planes` is 6.

        Returns
        -------
        (batch, 3 or 6, tile_px, tile_px) float32 array
            Flow along y and x (unit length inside nuclei) and the logit of being
            inside a nucleus; then the same of whole cells.
        """
        ...
