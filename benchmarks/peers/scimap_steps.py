"""What scimap computes. Usage: python -m benchmarks.peers.scimap_steps FOLDER."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import joblib
import numpy as np
import pandas as pd
import scimap

from benchmarks.peers.clock import run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.peers.clock import Step

RADIUS_UM = 30.0


def steps(points: NDArray[Any], types: NDArray[Any]) -> dict[str, Step]:
    """Distances to the nearest of each type, and shares of types within a radius."""
    names = [f"{code:03d}" for code in types]
    obs = pd.DataFrame({"X_centroid": points[:, 0], "Y_centroid": points[:, 1]})
    obs = obs.assign(phenotype=pd.Categorical(names), imageid="slide")
    obs.index = obs.index.astype(str)
    cells = anndata.AnnData(np.zeros((len(types), 1), np.float32), obs=obs)

    def values(label: str) -> NDArray[Any]:
        found = cells.uns[label]
        return found.reindex(sorted(found.columns), axis=1).to_numpy(float)

    def nearest() -> NDArray[Any]:
        # In processes of their own its CPU time would go uncounted.
        with joblib.parallel_config(backend="threading"):
            scimap.tl.spatial_distance(cells, verbose=False)
        return values("spatial_distance")

    def within() -> NDArray[Any]:
        scimap.tl.spatial_count(cells, radius=RADIUS_UM, verbose=False)
        return values("spatial_count")

    return {"nearest": nearest, "within": within}


if __name__ == "__main__":
    run(steps)
