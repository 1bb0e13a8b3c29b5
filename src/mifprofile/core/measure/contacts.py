"""Which cells touch, and how much of their outlines they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def outline_edges(
    cells: NDArray[np.integer[Any]], inner: tuple[slice, slice]
) -> pd.DataFrame:
    """Pixel edges between different labels that a block's core owns.

    A pixel owns its right and its lower edge, and at the slide's border the left and
    the upper one; the edges of disjoint cores add up to those of the slide.

    Parameters
    ----------
    cells : (h, w) integer array
        Labels over the core and a margin of a pixel, cut at the slide's border.
    inner : tuple of slice
        The core, within the array.

    Returns
    -------
    pandas.DataFrame
        ``cell_a`` < ``cell_b``, and ``edges``; label 0 is no cell, or no slide.
    """
    padded = np.pad(cells, 1)
    rows, cols = (slice(s.start + 1, s.stop + 1) for s in inner)
    wide, high = (
        slice(s.start + (s.start > 0), s.stop + 2) for s in (inner[1], inner[0])
    )
    across, down = padded[rows, wide], padded[high, cols]
    keys = np.concatenate(
        [_keys(across[:, :-1], across[:, 1:]), _keys(down[:-1], down[1:])]
    )
    counts = pd.Series(keys).value_counts(sort=False)
    pairs = counts.index.to_numpy(np.uint64)
    return pd.DataFrame(
        {
            "cell_a": (pairs >> np.uint64(32)).astype(np.uint32),
            "cell_b": pairs.astype(np.uint32),
            "edges": counts.to_numpy(np.int64),
        }
    )


def add_edges(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Edges of all blocks together, in the order of the pairs."""
    empty = outline_edges(np.zeros((1, 1), np.uint32), (slice(0, 1), slice(0, 1)))
    every = pd.concat([empty, *parts], ignore_index=True)
    return every.groupby(["cell_a", "cell_b"], as_index=False)["edges"].sum()


def contact_table(edges: pd.DataFrame, um: float) -> pd.DataFrame:
    """Pairs of cells that touch: ``cell_a`` < ``cell_b``, ``boundary_um``.

    Parameters
    ----------
    edges : pandas.DataFrame
        As from `add_edges`.
    um : float
        Pixel size.
    """
    touching = edges[edges["cell_a"] > 0].reset_index(drop=True)
    boundary = touching["edges"] * um
    return touching[["cell_a", "cell_b"]].assign(boundary_um=boundary)


def perimeters_um(
    edges: pd.DataFrame, ids: NDArray[np.integer[Any]], um: float
) -> NDArray[np.float64]:
    """Length of each cell's outline along pixel edges, (n,).

    Of a smooth outline this is up to 4/π times the length; boundaries in
    `contact_table` are measured alike, so that their share of it is right.
    """
    both = pd.concat([edges.set_index(name)["edges"] for name in ("cell_a", "cell_b")])
    total = both.groupby(level=0).sum().reindex(ids, fill_value=0)
    return total.to_numpy(float) * um


def _keys(
    one: NDArray[np.integer[Any]], other: NDArray[np.integer[Any]]
) -> NDArray[np.uint64]:
    apart = one != other
    a, b = one[apart].astype(np.uint64), other[apart].astype(np.uint64)
    return (np.minimum(a, b) << np.uint64(32)) | np.maximum(a, b)
