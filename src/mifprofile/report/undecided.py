"""What a person looks at to decide a marker that the cells leave undecided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.phenotype.gates import find_gate
from mifprofile.options import PhenotypeOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Kinds of examples, by what they are called beside a gate.
BESIDE_SPLIT = {
    "clear positive": "far above the split",
    "borderline": "at the split",
    "clear negative": "far below the split",
}


def best_split(levels: NDArray[np.float64]) -> float:
    """Level that best parts a marker's (n,) levels in two, whether or not they differ.

    This is Otsu's threshold on the logarithm: a place to begin to look, and no gate.
    NaN where all cells are alike, or too few.
    """
    known = levels[np.isfinite(levels)]
    return find_gate(known, "otsu", PhenotypeOptions()).threshold
