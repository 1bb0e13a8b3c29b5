"""What the neighbourhoods of a cohort are made of, and their share of each sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.core.landscape.regions import REGION_NAMES, REGIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Makeup:
    """Windows of one sample, or of several with equal weight, by neighbourhood.

    Attributes
    ----------
    weight : (m,) float64 array
        Share of the sample's cells in each neighbourhood; of several, their sum.
    content : (m, t) float64 array
        Sum of their compositions, on the same scale.
    """

    weight: NDArray[np.float64]
    content: NDArray[np.float64]

    @classmethod
    def of(
        cls, composition: NDArray[np.float32], kind: NDArray[np.int32], count: int
    ) -> Makeup:
        """Windows of one sample; all zero if it has no cell.

        Parameters
        ----------
        composition : (n, t) float32 array
            As from `mifprofile.core.spatial.compositions`.
        kind : (n,) int32 array
            Neighbourhood of each cell, 0 … ``count`` - 1.
        """
        cells = np.bincount(kind, minlength=count)
        columns = [np.bincount(kind, c, count) for c in composition.T]
        size = max(len(kind), 1)
        return cls(cells / size, np.column_stack(columns) / size)

    def __add__(self, other: Makeup) -> Makeup:
        """Windows of both."""
        return Makeup(self.weight + other.weight, self.content + other.content)


def makeup_table(makeup: Makeup, names: Sequence[str]) -> pd.DataFrame:
    """Composition of each neighbourhood beside that of all cells.

    Parameters
    ----------
    makeup : Makeup
        Sum over the samples of a cohort, so that each has the same weight.
    names : sequence of str
        What a cell can be called, (t,).

    Returns
    -------
    pandas.DataFrame
        ``neighbourhood`` (from 1), ``phenotype``, ``share`` of its windows' cells
        (0 … 1), ``enrichment_log2`` = log₂(share / share in all windows) and ``reason``
        where there is none: a share of 0 has no logarithm.
    """
    count = len(makeup.weight)
    share = makeup.content / makeup.weight[:, None]
    overall = makeup.content.sum(axis=0) / makeup.weight.sum()
    found = share > 0
    ratio = np.divide(share, overall, out=np.ones_like(share), where=found)
    return pd.DataFrame(
        {
            "neighbourhood": np.repeat(np.arange(1, count + 1), len(names)),
            "phenotype": list(names) * count,
            "share": share.ravel(),
            "enrichment_log2": np.where(found, np.log2(ratio), np.nan).ravel(),
            "reason": np.where(found, "", "in none of its windows").ravel(),
        }
    )


def neighbourhood_shares(
    sample_id: str, regions: pd.Series, kind: NDArray[np.int32], count: int, least: int
) -> pd.DataFrame:
    """Share of each neighbourhood among the cells of each region.

    Parameters
    ----------
    sample_id : str
    regions : pandas.Series
        Region of each cell, (n,).
    kind : (n,) int32 array
        Neighbourhood of each cell, 0 … ``count`` - 1.
    least : int
        A share of fewer cells is ``SMALL``.

    Returns
    -------
    pandas.DataFrame
        ``sample_id, neighbourhood, region, n_num, n_den, value, unit, status, reason``;
        ``value`` in %, NaN without a cell in the region.
    """
    rows: list[dict[str, Any]] = []
    for region, codes in REGIONS.items():
        inside = regions.isin([REGION_NAMES[code] for code in codes]).to_numpy()
        cells = np.bincount(kind[inside], minlength=count).tolist()
        total = sum(cells)
        status, reason = _enough(total, least)
        rows += [
            {
                "sample_id": sample_id,
                "neighbourhood": nth,
                "region": region,
                "n_num": mine,
                "n_den": total,
                "value": 100 * mine / total if total else np.nan,
                "unit": "%",
                "status": status,
                "reason": reason,
            }
            for nth, mine in enumerate(cells, start=1)
        ]
    return pd.DataFrame(rows)


def _enough(cells: int, least: int) -> tuple[str, str]:
    if cells == 0:
        return "LOW_N", "no cell in the denominator"
    return ("SMALL", f"fewer than {least} cells") if cells < least else ("OK", "")
