"""The cell table as AnnData."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np

from mifprofile.io.atomic import atomic_output

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

INTENSITY = re.compile(r"(.*)_(nucleus|cytoplasm|membrane|cell)_mean")


def to_anndata(
    cells: pd.DataFrame, facts: dict[str, Any], tables: Mapping[str, pd.DataFrame]
) -> anndata.AnnData:
    """Intensities as ``X``, the rest as ``obs``, positions as ``obsm['spatial']``.

    Parameters
    ----------
    cells : pandas.DataFrame
        The final cell table.
    facts : dict
        Goes into ``uns['mifprofile']``.
    tables : mapping of str to pandas.DataFrame
        Of the sample as a whole, such as its landscape; each goes into ``uns``.
    """
    parts = {name: INTENSITY.fullmatch(name) for name in cells.columns}
    found = {name: match for name, match in parts.items() if match}
    intensity = cells[list(found)]
    obs = cells.drop(columns=list(found)).set_index(cells["cell_id"].astype(str))
    obs.index.name = None
    table = anndata.AnnData(
        X=intensity.to_numpy(np.float32), obs=obs, uns={"mifprofile": facts, **tables}
    )
    table.var_names = intensity.columns
    table.var["marker"] = [match[1] for match in found.values()]
    table.var["compartment"] = [match[2] for match in found.values()]
    table.obsm["spatial"] = cells[["x_um", "y_um"]].to_numpy(np.float64)
    return table


def read_anndata(path: Path) -> anndata.AnnData:
    """Read ``cells.h5ad``."""
    return anndata.read_h5ad(path)


def write_anndata(
    cells: pd.DataFrame,
    facts: dict[str, Any],
    tables: Mapping[str, pd.DataFrame],
    path: Path,
) -> None:
    """Write ``cells.h5ad``, whole or not at all."""
    with atomic_output(path) as partial:
        to_anndata(cells, facts, tables).write_h5ad(partial, compression="gzip")
