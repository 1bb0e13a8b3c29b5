"""Light that a cell's membrane receives from its neighbours', and its removal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

if TYPE_CHECKING:
    import pandas as pd

STRIP_PIXELS = ("membrane_px", "strip_px")


def compensate_spill_over(
    cells: pd.DataFrame,
    contacts: pd.DataFrame,
    levels: dict[str, float],
    gamma: float,
) -> pd.DataFrame:
    """Take from each cell's membrane what its neighbours shed over the shared border.

    x'_i = max(0, x_i + γ e_i - Σ_j e_j b_ij / P_j), REDSEA's form (Bai et al. 2021,
    doi:10.3389/fimmu.2021.652631): x is the signal on the membrane ring, e the signal
    in the strip along the cell's own outline, b the border that two cells share and P
    a cell's perimeter. Signals are sums above the channel's background.

    Parameters
    ----------
    cells : pandas.DataFrame
        ``cell_id``, ``perimeter_um``, ``membrane_px``, ``strip_px``, and per marker
        ``<marker>_membrane_mean`` and ``<marker>_strip_mean``.
    contacts : pandas.DataFrame
        ``cell_a``, ``cell_b``, ``boundary_um``.
    levels : dict
        Background by marker; these markers are compensated.
    gamma : float
        How far a cell's own strip is counted again.

    Returns
    -------
    pandas.DataFrame
        ``<marker>_membrane_mean`` compensated, the measured one beside it as
        ``<marker>_membrane_raw_mean``; without the columns of the strip.
    """
    shares = _border_shares(cells, contacts)
    out = cells.drop(columns=[*STRIP_PIXELS, *(f"{m}_strip_mean" for m in levels)])
    for marker, level in levels.items():
        raw = f"{marker}_membrane_mean"
        pixels = cells["membrane_px"].to_numpy(float)
        signal = (cells[raw].to_numpy(float) - level) * pixels
        strip = np.maximum(cells[f"{marker}_strip_mean"].to_numpy(float) - level, 0)
        strip = strip * cells["strip_px"].to_numpy(float)
        left = np.maximum(signal + gamma * strip - shares @ strip, 0)
        out[f"{marker}_membrane_raw_mean"] = cells[raw]
        out[raw] = (level + left / pixels).astype(np.float32)
    return out


def _border_shares(cells: pd.DataFrame, contacts: pd.DataFrame) -> csr_array:
    """b_ij / P_j in row i and column j."""
    places = cells.reset_index().set_index("cell_id")["index"]
    a, b = (places[contacts[name]].to_numpy(int) for name in ("cell_a", "cell_b"))
    borders = np.tile(contacts["boundary_um"].to_numpy(float), 2)
    i, j = np.append(a, b), np.append(b, a)
    perimeters = cells["perimeter_um"].to_numpy(float)
    return csr_array((borders / perimeters[j], (i, j)), shape=(len(cells), len(cells)))
