"""What other markers, and the place on the cell, say of the cells above a cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import fisher_exact

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from mifprofile.core.phenotype.gates.relations import Relation
    from mifprofile.core.phenotype.gates.shape import Cut
    from mifprofile.model import Marker

# Fewer cells that cannot carry a marker say nothing of it.
MIN_NEGATIVES = 10
# Share above a cut among possible carriers, over that among impossible ones.
MIN_RATIO = 3.0
SURE_P, FAIR_P = 0.005, 0.1
# A nuclear marker that is f times brighter is at most f to this power in the cytoplasm.
NUCLEAR_POWER = 0.65
# Fewer cells above a cut have no place on the cell in common.
MIN_CELLS = 3


@dataclass(frozen=True)
class Partner:
    """Another marker of which the carriers are known.

    Attributes
    ----------
    relation : Relation
    fits : (n,) bool array
        Cells that may carry the marker, as far as the partner says.
    """

    relation: Relation
    fits: NDArray[np.bool_]

    @property
    def tells(self) -> bool:
        """Whether there are enough cells of both kinds."""
        return min(self.fits.sum(), (~self.fits).sum()) >= MIN_NEGATIVES

    def chance(self, above: NDArray[np.bool_]) -> float:
        """Probability of so many possible carriers among the cells above a cut.

        ``above`` is (n,), a value per cell. Fisher's exact test, one-sided; 1 where
        they are not `MIN_RATIO` times as frequent among possible carriers.
        """
        fits = self.fits
        hits, strays = int((above & fits).sum()), int((above & ~fits).sum())
        ratio = (hits + 0.5) / (fits.sum() + 1) * ((~fits).sum() + 1) / (strays + 0.5)
        if ratio < MIN_RATIO:
            return 1.0
        rest = [int(fits.sum()) - hits, int((~fits).sum()) - strays]
        table = [[hits, strays], rest]
        return float(fisher_exact(table, alternative="greater").pvalue)


def best_chance(partners: list[Partner], above: NDArray[np.bool_]) -> tuple[float, str]:
    """Lowest of the partners' probabilities, times their number, and whose it is.

    ``above`` is (n,), a value per cell.
    """
    telling = [p for p in partners if p.tells]
    if not telling:
        return 1.0, ""
    chances = [p.chance(above) for p in telling]
    best = int(np.argmin(chances))
    return min(1.0, len(telling) * chances[best]), str(telling[best].relation)


def in_the_nucleus(
    name: str, marker: Marker, cells: pd.DataFrame | None, above: NDArray[np.bool_]
) -> bool:
    """Whether cells above a cut are brighter in the nucleus, and less so around it.

    An autofluorescent cell, debris and a neighbour's light are as much brighter in the
    cytoplasm as in the nucleus; of a nuclear stain only blur arrives there. ``above``
    is (n,), a value per row of ``cells``.
    """
    places = [f"{name}_{place}_mean" for place in ("nucleus", "cytoplasm")]
    if marker.measure != "nucleus" or cells is None or not {*places} <= {*cells}:
        return False
    if above.sum() < MIN_CELLS:
        return False
    nucleus, around = (_fold(cells[p].to_numpy(float), above) for p in places)
    return bool(nucleus > 1 and around < nucleus**NUCLEAR_POWER)


def brighter_than_chance(cut: Cut, flanks: float) -> bool:
    """Whether the cells above a cut are more than the tail of a normal peak."""
    return cut.flanks >= flanks and cut.more_than_normal


def _fold(levels: NDArray[np.float64], above: NDArray[np.bool_]) -> float:
    """Median above a cut over that below."""
    below = float(np.nanmedian(levels[~above]))
    return float(np.nanmedian(levels[above])) / below if below > 0 else np.inf
