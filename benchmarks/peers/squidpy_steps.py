"""What squidpy computes. Usage: python -m benchmarks.peers.squidpy_steps FOLDER."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import squidpy

from benchmarks.peers.clock import run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.peers.clock import Step

RADII_UM = (0.0, 10.0, 20.0, 30.0, 50.0)
GRAPH_UM = 30.0


def steps(points: NDArray[Any], types: NDArray[Any]) -> dict[str, Step]:
    """Co-occurrence within radii, and edges between types in a graph of radius 30."""
    obs = pd.DataFrame({"type": pd.Categorical(types)})
    obs.index = obs.index.astype(str)
    cells = anndata.AnnData(np.zeros((len(types), 1), np.float32), obs=obs)
    cells.obsm["spatial"] = points

    def co_occurrence() -> NDArray[Any]:
        radii = np.array(RADII_UM)
        return squidpy.gr.co_occurrence(cells, "type", interval=radii, copy=True)[0]

    def edges() -> NDArray[Any]:
        squidpy.gr.spatial_neighbors(cells, coord_type="generic", radius=GRAPH_UM)
        return squidpy.gr.interaction_matrix(cells, "type", copy=True)

    return {"co_occurrence": co_occurrence, "edges": edges}


if __name__ == "__main__":
    run(steps)
