"""What every segmentation network looks like to the rest of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Segmenter(Protocol):
    """A network that turns a normalised image tile into flows and probability."""

    @property
    def name(self) -> str:
        """Model name or path, for the provenance."""
        ...

    @property
    def um(self) -> float:
        """Pixel size at which the network wants its images, µm."""
        ...

    @property
    def tile_px(self) -> int:
        """Edge of the tiles that `predict` takes."""
        ...

    @property
    def margin_px(self) -> int:
        """Width at each side of a tile that is read but not kept."""
        ...

    def predict(self, tile: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network on one tile.

        Parameters
        ----------
        tile : (tile_px, tile_px) float32 array
            Nuclear stain, tissue percentiles mapped to 0 and 1.

        Returns
        -------
        (3, tile_px, tile_px) float32 array
            Flow along y and x (unit length inside nuclei) and the logit of being
            inside a nucleus.
        """
        ...
