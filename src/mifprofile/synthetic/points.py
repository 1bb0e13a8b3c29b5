"""Point patterns with known density."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def thomas_process(
    rng: np.random.Generator,
    per_mm2: float,
    size_um: float,
    *,
    per_cluster: float = 25.0,
    sigma_um: float = 60.0,
) -> NDArray[np.float64]:
    """Clusters of cells: a Thomas process in a square window.

    Parameters
    ----------
    rng : numpy.random.Generator
    per_mm2 : float
        Expected density, mm⁻².
    size_um : float
        Edge of the window, µm.
    per_cluster : float
        Expected cells of a cluster.
    sigma_um : float
        Standard deviation of a cell's distance from its cluster's centre, µm.

    Returns
    -------
    (n, 2) float64 array
        x and y, µm. Clusters whose centres lie outside the window reach into it.
    """
    margin = 5 * sigma_um
    area_mm2 = (size_um + 2 * margin) ** 2 / 1e6
    clusters = rng.poisson(per_mm2 / per_cluster * area_mm2)
    centres = rng.uniform(-margin, size_um + margin, (clusters, 2))
    points = np.repeat(centres, rng.poisson(per_cluster, clusters), axis=0)
    points += rng.normal(0, sigma_um, points.shape)
    return points[((points >= 0) & (points < size_um)).all(axis=1)]
