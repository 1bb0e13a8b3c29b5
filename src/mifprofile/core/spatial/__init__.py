"""Statistics of cells in space, corrected for the edges of the mask they were seen in.

`Pattern.of` keeps the cells that lie in a `Window`; everything else takes a pattern, or
what was counted from it once: `pair_sums`, `nearest_distances`, `count_tiles`,
`distance_bands`. `compositions` takes cells alone: they need no window.
"""

from mifprofile.core.spatial.diversity import Diversity, diversity, shannon_bits
from mifprofile.core.spatial.infiltration import (
    Bands,
    band_edges,
    distance_bands,
    infiltration_profile,
    infiltration_summary,
)
from mifprofile.core.spatial.mixing import mixing_scores
from mifprofile.core.spatial.neighbourhoods import (
    Neighbourhoods,
    assign_neighbourhoods,
    compositions,
    fit_neighbourhoods,
)
from mifprofile.core.spatial.neighbours import (
    NearestNull,
    cross_g,
    nearest_distances,
    nearest_null,
    nearest_table,
    within_table,
)
from mifprofile.core.spatial.pairs import RADII_UM, PairSums, disc_counts, pair_sums
from mifprofile.core.spatial.ripley import cross_k
from mifprofile.core.spatial.tiles import Tiles, count_tiles, moran, morisita_horn
from mifprofile.core.spatial.window import (
    Pattern,
    Window,
    distance_to_pixels,
    set_covariance,
)

__all__ = [
    "RADII_UM",
    "Bands",
    "Diversity",
    "NearestNull",
    "Neighbourhoods",
    "PairSums",
    "Pattern",
    "Tiles",
    "Window",
    "assign_neighbourhoods",
    "band_edges",
    "compositions",
    "count_tiles",
    "cross_g",
    "cross_k",
    "disc_counts",
    "distance_bands",
    "distance_to_pixels",
    "diversity",
    "fit_neighbourhoods",
    "infiltration_profile",
    "infiltration_summary",
    "mixing_scores",
    "moran",
    "morisita_horn",
    "nearest_distances",
    "nearest_null",
    "nearest_table",
    "pair_sums",
    "set_covariance",
    "shannon_bits",
    "within_table",
]
