"""Maps of the slide, pixels of one size each: looked up at other places."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

PixelT = TypeVar("PixelT", bound=np.generic)


def places_on(
    of_shape: tuple[int, ...], of_um: float, shape: tuple[int, ...], um: float
) -> list[NDArray[np.intp]]:
    """Rows, and columns, of one grid that hold the centres of another grid's pixels.

    Parameters
    ----------
    of_shape, of_um : (int, int), float
        The grid to look up, and its pixel size, µm; beyond its end, its last pixels.
    shape, um : (int, int), float
        The other grid.
    """
    return [
        np.minimum(((np.arange(n) + 0.5) * um / of_um).astype(np.intp), size - 1)
        for n, size in zip(shape, of_shape, strict=True)
    ]


def at_grid(
    plane: NDArray[PixelT], plane_um: float, shape: tuple[int, ...], um: float
) -> NDArray[PixelT]:
    """Map looked up at the centres of another grid's pixels.

    Parameters
    ----------
    plane : (h, w) array
    plane_um : float
        Its pixel size, µm.
    shape, um : (int, int), float
        Of the other grid.
    """
    return plane[np.ix_(*places_on(plane.shape, plane_um, shape, um))]


def pixel_of_cells(
    cells: pd.DataFrame, shape: tuple[int, ...], um: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column of each cell's centroid on a grid, kept within it.

    Parameters
    ----------
    cells : pandas.DataFrame
        With ``x_um`` and ``y_um``.
    shape, um : (int, int), float
        Of the grid.
    """
    rows = np.clip((cells["y_um"] / um).astype(int), 0, shape[0] - 1)
    cols = np.clip((cells["x_um"] / um).astype(int), 0, shape[1] - 1)
    return rows.to_numpy(), cols.to_numpy()
