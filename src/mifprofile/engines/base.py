"""What every segmentation network looks like to the rest of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
    def precision(self) -> str:
        """What the network computes in: "int8", "float32" or "bfloat16"."""
        ...

    @property
    def device(self) -> str:
        """Where it runs: "cpu", or the name of the CUDA device."""
        ...

    @property
    def margin_px(self) -> int:
        """Width at each side of a tile that is read but not kept."""
        ...

    @property
    def batch(self) -> int:
        """Tiles that a call of `predict` should bring; fewer are allowed."""
        ...

    @property
    def planes(self) -> int:
        """Planes of the output: 3 for nuclei, 6 for nuclei and whole cells."""
        ...

    def tile_px(self, shape_px: tuple[int, int]) -> int:
        """Edge of the tiles for a slide.

        A function of the slide alone, so that every layout of blocks and workers uses
        the same grid.

        Parameters
        ----------
        shape_px : tuple of int
            Height and width of the slide at the network's pixel size.
        """
        ...

    def predict(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network on tiles.

        Parameters
        ----------
        tiles : (batch, 2, tile_px, tile_px) float32 array
            Nuclear stain and membrane composite, tissue percentiles mapped to 0 and
            1; the membrane is all 0 where the panel has none.

        Returns
        -------
        (batch, planes, tile_px, tile_px) float32 array
            Flow along y and x (unit length inside nuclei) and the logit of being
            inside a nucleus; then the same of whole cells.
        """
        ...
