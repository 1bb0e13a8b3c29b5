"""The dictionary of all metrics: what each is, of what, and where it comes from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

import pandas as pd

from mifprofile.core.panel.capability import NESTS


@dataclass(frozen=True)
class Metric:
    """A column ``metric`` of ``landscape.csv``, explained.

    Parameters
    ----------
    name : str
        As in the table.
    title : str
        For people.
    formula : str
    unit : str
        As in the table.
    denominator : str
        What it is a share of, or is divided by.
    edge_cases : str
        When the value is missing or not to be trusted.
    source : str
        Where the definition comes from.
    question : str
        What the panel must be able to answer, as of `mifprofile.core.panel.capability`.
    asks : tuple of str
        Molecules whose gates it rests on, beside those of the phenotypes in its row.
    of_tumour, of_immune, of_all : bool
        Whether it rests on tumour cells, on immune cells, on all phenotypes.
    nests, mapped : bool
        Whether it needs a tumour nest, and the shape of the tissue.
    least : str
        The option that says of how many tumour cells it is no longer ``SMALL``; with
        ``min_tumour_cells`` the tumour bed must be large enough as well.
    columns : tuple of str
        What the cell table must hold; ``{HER2}`` and ``{PD-L1}`` are their markers,
        ``{part}`` where PD-L1 is read.
    her2 : str
        ``bins`` if it needs levels of 1+, 2+ and 3+, ``gate`` if the gate will do.
    counts : bool
        Whether ``n_num`` is a number of cells that were called.
    headline : bool
        Whether it is given at lower and higher gates, too.
    """

    name: str
    title: str
    formula: str
    unit: str
    denominator: str = ""
    edge_cases: str = ""
    source: str = ""
    question: str = ""
    asks: tuple[str, ...] = ()
    of_tumour: bool = False
    of_immune: bool = False
    of_all: bool = False
    nests: bool = False
    mapped: bool = False
    least: Literal["", "min_tumour_cells", "min_tumour_cells_ic"] = ""
    columns: tuple[str, ...] = ()
    her2: Literal["", "bins", "gate"] = ""
    counts: bool = False
    headline: bool = False


_TUMOUR = "no tumour cell: NO_TUMOUR; fewer than landscape.min_tumour_cells: SMALL"
_SAMPLE = f"{_TUMOUR}; tumour bed below landscape.limited_bed_mm2: SMALL"
_LEVELS = (
    "no landscape.her2_levels: APPROX, bins from ½, 1 and 2 times the gate; no gate "
    f"either: NOT_COMPUTABLE; {_SAMPLE}"
)
_DRAWN = "share of bootstrap draws of blocks"
_FEW = "fewer than landscape.min_pair_cells of A or B: LOW_N"
_PAIR = f"{_FEW}; r beyond a quarter of the tissue's width: LOW_AREA"
_CELLS = "none: n_num and n_den are the cells of A and of B"
_PHENOPTR = "akoyabio/phenoptr R/average_counts.R"
_NESTS = "no nest: NO_TUMOUR; nests by HER2 alone: APPROX"
_PAIRS = "pairs within r of immune cells (I), the reference, and tumour cells (T)"
_MIXING = (
    f"no tumour cell: NO_TUMOUR; {_PAIR}; no pair in the denominator: LOW_N; tumour by "
    "HER2 alone: APPROX"
)

_PDL1, _HER2, _CD8 = ("PD-L1",), ("HER2",), ("CD8",)
# Molecules that make a lymphocyte or a macrophage.
LYMPHOCYTES = ("CD3", "CD8", "CD4", "FOXP3", "CD20")
MACROPHAGES = ("CD68",)
_IMMUNE = (*LYMPHOCYTES, *MACROPHAGES)

_LISTED = (
    Metric("area", "Area", "pixels of the region × area of a pixel", "mm2"),
    Metric(
        "count",
        "Cells",
        "cells whose centroid lies in the region",
        "cells",
        counts=True,
    ),
    Metric(
        "density",
        "Density",
        "cells / area; blocks pooled as ratio of sums",
        "cells/mm2",
        "area of the region",
        "0 if none was found; area below landscape.min_area_mm2: LOW_AREA",
        counts=True,
        headline=True,
    ),
    Metric(
        "pct_of_cells",
        "Share of all cells",
        "100 · cells of the phenotype / all cells of the region",
        "%",
        "all cells of the region",
        "no cell: LOW_N; fewer than landscape.min_parent_cells: SMALL",
        counts=True,
    ),
    Metric(
        "pct_positive",
        "Share positive for a state",
        "100 · positive cells of the phenotype / cells of the phenotype",
        "%",
        "cells of the phenotype",
        "no cell: LOW_N; fewer than landscape.min_parent_cells: SMALL",
        counts=True,
    ),
    Metric(
        "ratio",
        "CD8:FOXP3, CD8:CD68",
        "cells whose phenotype asks for CD8+ / for FOXP3+, or for CD68+",
        "1",
        "FOXP3+ or CD68+ cells",
        "no cell below: zero_denominator, both counts kept; fewer than "
        "landscape.min_ratio_cells of both: SMALL",
    ),
    Metric(
        "log2_ratio",
        "The same ratios for statistics",
        "log2[(cells above + 0.5) / (cells below + 0.5)]",
        "1",
        "FOXP3+ or CD68+ cells",
        "no cell of either: LOW_N; fewer than landscape.min_ratio_cells of both: SMALL",
    ),
    Metric(
        "adequacy",
        "Adequacy of the sample",
        "0 INADEQUATE, 1 LIMITED, 2 ADEQUATE: by area of the tumour bed and number of "
        "tumour cells",
        "class",
        edge_cases="no tumour phenotype in the panel: NOT_COMPUTABLE",
        source="PMC9684353 (1.65 mm2), PMC7265767 (100 tumour cells)",
        of_tumour=True,
    ),
    Metric(
        "pdl1_tps",
        "PD-L1 TPS",
        "100 · PD-L1+ tumour cells / tumour cells",
        "%",
        "tumour cells of the tissue",
        _SAMPLE,
        "PMC7265767",
        asks=_PDL1,
        of_tumour=True,
        question="PD-L1 TPS",
        least="min_tumour_cells",
        counts=True,
        headline=True,
    ),
    Metric(
        "pdl1_cps",
        "PD-L1 CPS",
        "min(100, 100 · (PD-L1+ tumour cells + PD-L1+ lymphocytes and macrophages in "
        "nests or within_um of one) / tumour cells)",
        "1",
        "tumour cells of the tissue",
        f"no nest: NO_TUMOUR; no CD3 and CD68 in the panel: APPROX, any cell that is "
        f"no tumour cell, and beside it immune=named, the panel's lymphocytes and "
        f"macrophages alone; {_SAMPLE}",
        "PMC7265767; the distance stands for the pathologist's 20x field",
        asks=(*_PDL1, *_IMMUNE),
        of_tumour=True,
        question="PD-L1 CPS",
        least="min_tumour_cells",
        counts=True,
        headline=True,
    ),
    Metric(
        "pdl1_ic",
        "PD-L1 IC",
        "100 · summed area of PD-L1+ immune cells in the tumour bed / its area",
        "%",
        "area of the tumour bed",
        "no nest: NO_TUMOUR; fewer than landscape.min_tumour_cells_ic: SMALL; no "
        "area_um2: NOT_COMPUTABLE",
        "PMC7265767; area of cells, not of stained pixels",
        asks=(*_PDL1, *_IMMUNE),
        of_tumour=True,
        question="PD-L1 IC",
        least="min_tumour_cells_ic",
        nests=True,
        columns=("area_um2",),
        counts=True,
        headline=True,
    ),
    Metric(
        "pdl1_ic_stained",
        "PD-L1 IC by stained area",
        "100 · Σ area × stained share of PD-L1+ immune cells in the tumour bed / its "
        "area",
        "%",
        "area of the tumour bed",
        "as pdl1_ic; no positive_fraction: NOT_COMPUTABLE; where PD-L1 is not read in "
        "the whole cell, its share there stands for the cell's: APPROX",
        "PMC7265767",
        asks=(*_PDL1, *_IMMUNE),
        of_tumour=True,
        question="PD-L1 IC",
        least="min_tumour_cells_ic",
        nests=True,
        columns=("area_um2", "{PD-L1}_{part}_positive_fraction"),
        counts=True,
    ),
    *(
        Metric(
            f"pdl1_{score}_probability",
            f"Probability that PD-L1 {score.upper()} reaches the cut",
            f"{_DRAWN} in which {score.upper()} is at least the cut",
            "1",
            "draws",
            "as the score; fewer than landscape.min_blocks blocks: LOW_AREA",
            question=f"PD-L1 {score.upper()}",
            asks=_PDL1 if score == "tps" else (*_PDL1, *_IMMUNE),
            of_tumour=True,
            nests=score == "ic",
            least="min_tumour_cells_ic" if score == "ic" else "min_tumour_cells",
            columns=("area_um2",) if score == "ic" else (),
        )
        for score in ("tps", "cps", "ic")
    ),
    Metric(
        "her2_h_score",
        "HER2 H-score",
        "1 · %1+ + 2 · %2+ + 3 · %3+ of tumour cells, 0 to 300",
        "1",
        "tumour cells of the tissue",
        f"no PanCK: APPROX, over HER2-called cells alone; {_LEVELS}",
        "phenoptrReports R/positivity.R, without its rounding",
        asks=_HER2,
        of_tumour=True,
        question="HER2 H-score",
        least="min_tumour_cells",
        her2="bins",
    ),
    Metric(
        "her2_pct_bin",
        "Tumour cells by bin of HER2",
        "100 · tumour cells whose membrane mean lies in the bin / tumour cells",
        "%",
        "tumour cells of the tissue",
        _LEVELS,
        asks=_HER2,
        of_tumour=True,
        question="HER2 H-score",
        least="min_tumour_cells",
        her2="bins",
    ),
    Metric(
        "her2_pct_pos",
        "HER2+ tumour cells",
        "100 · tumour cells of 2+ and 3+ / tumour cells; by the gate without levels",
        "%",
        "tumour cells of the tissue",
        f"tumour called by HER2: NOT_COMPUTABLE; by the gate: APPROX; {_SAMPLE}",
        asks=_HER2,
        of_tumour=True,
        question="share of HER2+ tumour cells",
        least="min_tumour_cells",
        her2="gate",
        counts=True,
        headline=True,
    ),
    Metric(
        "her2_pct_complete",
        "Tumour cells with a complete HER2 membrane",
        "100 · tumour cells of 1+ or more stained on landscape.her2_complete of their "
        "outline / tumour cells",
        "%",
        "tumour cells of the tissue",
        f"no completeness in the cell table: NOT_COMPUTABLE; {_LEVELS}",
        asks=_HER2,
        of_tumour=True,
        question="HER2 H-score",
        least="min_tumour_cells",
        her2="bins",
        columns=("{HER2}_membrane_completeness",),
    ),
    Metric(
        "her2_class",
        "Analogue of the ASCO/CAP class",
        "3: complete 3+ in > 10 %; else 2: complete in > 10 % or any complete 3+; else "
        "1: incomplete in > 10 %; else 0",
        "class",
        "tumour cells of the tissue",
        f"no completeness in the cell table: NOT_COMPUTABLE; {_LEVELS}",
        "10.1200/JCO.22.02864; no ISH, 0 and 1 not told apart without controls",
        asks=_HER2,
        of_tumour=True,
        question="HER2 H-score",
        least="min_tumour_cells",
        her2="bins",
        columns=("{HER2}_membrane_completeness",),
    ),
    Metric(
        "her2_block_cv",
        "Heterogeneity of HER2",
        "SD / mean of H over blocks with landscape.min_parent_cells tumour cells",
        "1",
        "blocks",
        f"fewer than 2 blocks: LOW_AREA; {_LEVELS}",
        asks=_HER2,
        of_tumour=True,
        question="HER2 H-score",
        least="min_tumour_cells",
        her2="bins",
    ),
    Metric(
        "her2_pct_blocks_low",
        "Blocks that are HER2-low",
        "100 · blocks of class 1 or 2 / blocks with landscape.min_parent_cells tumour "
        "cells",
        "%",
        "blocks",
        f"fewer than 2 blocks: LOW_AREA; {_LEVELS}",
        asks=_HER2,
        of_tumour=True,
        question="HER2 H-score",
        least="min_tumour_cells",
        her2="bins",
        columns=("{HER2}_membrane_completeness",),
    ),
    Metric(
        "stil_area_pct",
        "Stromal TILs by area",
        "100 · summed area of lymphocytes in stroma / area of stroma",
        "%",
        "area of the stroma",
        "no nest: NO_TUMOUR; without CD3 and CD20: APPROX, a lower bound; no area_um2: "
        "NOT_COMPUTABLE",
        "PMC6267863; the only one to compare with a pathologist's sTIL",
        asks=LYMPHOCYTES,
        question="stromal TILs",
        nests=True,
        columns=("area_um2",),
        counts=True,
        headline=True,
    ),
    Metric(
        "til_cell_pct",
        "Stromal TILs by number",
        "100 · lymphocytes in stroma / cells in stroma",
        "%",
        "cells of the stroma",
        "as stil_area_pct; not to be compared with a pathologist's sTIL",
        asks=LYMPHOCYTES,
        question="stromal TILs",
        nests=True,
        counts=True,
    ),
    Metric(
        "itil_density",
        "Intratumoral TILs",
        "lymphocytes in nests / area of nests",
        "cells/mm2",
        "area of the nests",
        "as stil_area_pct",
        asks=LYMPHOCYTES,
        question="stromal TILs",
        nests=True,
        counts=True,
        headline=True,
    ),
    Metric(
        "immune_class",
        "Immune class",
        "2 inflamed: CD8 in nests ≥ landscape.inflamed_per_mm2; else 1 excluded: CD8 "
        "in stroma ≥ landscape.excluded_per_mm2; else 0 desert",
        "class",
        edge_cases="no class has a probability of 0.7: LOW_N, indeterminate; fewer "
        "than landscape.min_blocks blocks: LOW_AREA",
        source="10.1038/s41374-021-00653-y; its cuts are placeholders to calibrate",
        asks=_CD8,
        question="CD8 density",
        nests=True,
    ),
    Metric(
        "immune_class_probability",
        "Probability of an immune class",
        f"{_DRAWN} that fall into the class",
        "1",
        "draws",
        "fewer than landscape.min_blocks blocks: LOW_AREA",
        asks=_CD8,
        question="CD8 density",
        nests=True,
    ),
)

_SPATIAL = (
    Metric(
        "nn_median_um",
        "Distance to the nearest",
        "median over cells of A of the distance to the nearest other cell of B",
        "um",
        _CELLS,
        f"{_FEW}; depends on B's density: read it beside nn_z",
        "docs/spatial.md",
    ),
    Metric(
        "nn_iqr_um",
        "Spread of the distance to the nearest",
        "third less first quartile of the distances of nn_median_um",
        "um",
        _CELLS,
        _FEW,
        "docs/spatial.md",
    ),
    Metric(
        "nn_z",
        "Distance to the nearest beside random labelling",
        "(mean distance - its mean) / its SD over landscape.nn_permutations "
        "relabellings of all cells; below 0: closer than chance",
        "1",
        _CELLS,
        f"{_FEW}; every relabelling gives the same mean: NOT_COMPUTABLE; of at most "
        "1000 cells of A, and grows with the root of their number",
        "docs/spatial.md",
    ),
    Metric(
        "g_auc",
        "G beside randomness",
        "∫ (G - G_csr) dr / R from 0 to R; G by Kaplan-Meier, a distance censored at "
        "the border of the tissue; above 0: closer than chance",
        "1",
        _CELLS,
        f"{_PAIR}; no cell of A left at risk: LOW_AREA",
        "10.1038/ncomms15095 for R = 20 µm (there of L)",
        mapped=True,
    ),
    Metric(
        "mean_neighbours",
        "Neighbours within r",
        "pairs of a cell of A and another of B at most r apart / cells of A",
        "cells",
        "cells of A",
        f"{_PAIR}; no edge correction",
        _PHENOPTR,
    ),
    Metric(
        "pct_with_neighbour",
        "Share with a neighbour within r",
        "100 · cells of A with another cell of B at most r away / cells of A",
        "%",
        "cells of A",
        f"{_PAIR}; no edge correction",
        _PHENOPTR,
    ),
    Metric(
        "l_minus_r_um",
        "L - r",
        "√(K/π) - r; K corrected by translation in the tissue's mask; 0 under complete "
        "randomness, above: clustered",
        "um",
        _CELLS,
        _PAIR,
        "spatstat.explore edge.Trans; docs/spatial.md",
        mapped=True,
    ),
    Metric(
        "doc_ratio",
        "Degree of clustering",
        "K of A and B / K of all cells; 1 under random labelling of all cells",
        "1",
        _CELLS,
        f"{_PAIR}; no two cells within r: NOT_COMPUTABLE",
        "spatialTIME's exact CSR; docs/spatial.md",
        mapped=True,
    ),
    Metric(
        "mixing_keren",
        "Mixing score (Keren)",
        f"IT / II; {_PAIRS}",
        "1",
        "immune-immune pairs, each once",
        _MIXING,
        "TrigosTeam/SPIAT R/mixing_score_summary.R",
        asks=_IMMUNE,
        of_tumour=True,
        question=NESTS,
        of_immune=True,
    ),
    Metric(
        "mixing_spiat_normalised",
        "Mixing score, normalised (SPIAT)",
        "IT / II · (immune cells - 1) / (2 · tumour cells); 1 under random labelling; "
        f"{_PAIRS}",
        "1",
        "immune-immune pairs, each once",
        f"{_MIXING} (SPIAT gives 0)",
        "TrigosTeam/SPIAT R/mixing_score_summary.R",
        asks=_IMMUNE,
        of_tumour=True,
        question=NESTS,
        of_immune=True,
    ),
    Metric(
        "mixing_ark_percent",
        "Mixing score, percent (ark)",
        f"IT / (IT + 2 TT), 0 to 1; {_PAIRS}",
        "1",
        "pairs as ark counts them, from both cells",
        f"{_MIXING}; fewer than 200 cells: LOW_N; one population over 5 times the "
        "other: NOT_COMPUTABLE",
        "angelolab/ark-analysis analysis/neighborhood_analysis.py",
        asks=_IMMUNE,
        of_tumour=True,
        question=NESTS,
        of_immune=True,
    ),
    Metric(
        "mixing_ark_homogeneous",
        "Mixing score, homogeneous (ark)",
        f"IT / (2 TT + 2 II); {_PAIRS}",
        "1",
        "pairs as ark counts them, from both cells",
        "as mixing_ark_percent",
        "angelolab/ark-analysis analysis/neighborhood_analysis.py",
        asks=_IMMUNE,
        of_tumour=True,
        question=NESTS,
        of_immune=True,
    ),
    Metric(
        "morisita_horn",
        "Morisita-Horn overlap",
        "2 Σ p q / (Σ p² + Σ q²), p and q the shares of A's and B's cells in a tile; "
        "1: alike, 0: apart",
        "1",
        _CELLS,
        _FEW,
        "10.1186/s13058-015-0638-4",
        mapped=True,
    ),
    Metric(
        "moran_i",
        "Moran's I",
        "(n/S0) Σ w z z' / Σ z² of densities in tiles at least half tissue; w = 1 for "
        "the eight around; above -1/(n - 1): clustered",
        "1",
        "none: n_num is cells, n_den tiles",
        "fewer than landscape.min_pair_cells: LOW_N; fewer than 4 tiles, or none that "
        "touch: LOW_AREA; the same density everywhere: NOT_COMPUTABLE",
        "docs/spatial.md",
        mapped=True,
    ),
    Metric(
        "moran_z",
        "Moran's I beside chance",
        "(I + 1/(n - 1)) / SD over all permutations of the tiles",
        "1",
        "none: n_num is cells, n_den tiles",
        "as moran_i; every permutation gives this I: NOT_COMPUTABLE",
        "Cliff and Ord; docs/spatial.md",
        mapped=True,
    ),
    Metric(
        "shannon_bits",
        "Diversity",
        "-Σ p log2 p over the shares of the panel's phenotypes",
        "bits",
        "cells with a phenotype; n_num is phenotypes found",
        "fewer than landscape.min_pair_cells cells: LOW_N",
        "TrigosTeam/SPIAT R/calculate_entropy.R",
        of_all=True,
    ),
    Metric(
        "shannon_local_bits",
        "Local diversity",
        "mean over cells of the diversity of the cells within r, itself included; "
        "below shannon_bits where phenotypes keep apart",
        "bits",
        "cells with a phenotype; n_num is phenotypes found",
        "as shannon_bits",
        "TrigosTeam/SPIAT R/calculate_entropy.R",
        of_all=True,
    ),
    Metric(
        "density_by_distance",
        "Density by distance from the nests' border",
        "cells / area of the tissue at a signed distance, below 0 in nests",
        "cells/mm2",
        "area of the band, less what is nearer to the tissue's edge than to the nest's",
        f"{_NESTS}; band below landscape.min_area_mm2: LOW_AREA",
        "akoyabio/phenoptr R/density_bands.R",
        nests=True,
        mapped=True,
    ),
    Metric(
        "log2_nest_stroma",
        "Nest to stroma",
        "log2 of (cells in nests + ½) / area over (cells in stroma + ½) / area",
        "log2",
        "n_num is cells in nests, n_den in stroma; area_mm2 of the nests",
        f"{_NESTS}; fewer than landscape.min_pair_cells in both: LOW_N; no stroma: "
        "LOW_AREA",
        "Cancer Res 76(12):3496",
        nests=True,
        mapped=True,
    ),
    Metric(
        "median_depth_um",
        "Depth in the nests",
        "median distance of the cells in nests from the nests' border",
        "um",
        "none: n_num of n_den cells in nests are nearer to it than to the tissue's",
        f"{_NESTS}, or half deeper than 300 µm; fewer than landscape.min_pair_cells: "
        "LOW_N",
        "docs/spatial.md",
        nests=True,
        mapped=True,
    ),
    Metric(
        "centre_of_mass_um",
        "Centre of mass by distance",
        "Σ s D / Σ D over the bands of density_by_distance, s their middles",
        "um",
        "none: n_num and n_den are the cells in the bands",
        f"{_NESTS}; fewer than landscape.min_pair_cells: LOW_N",
        "docs/spatial.md",
        nests=True,
        mapped=True,
    ),
)

FOR_PEOPLE = (
    *("name", "title", "formula", "unit"),
    *("denominator", "edge_cases", "source"),
)
METRICS: dict[str, Metric] = {m.name: m for m in (*_LISTED, *_SPATIAL)}
# What is asked of cells beside each other; most rows of a table are of these.
SPATIAL_METRICS = frozenset(metric.name for metric in _SPATIAL)


def dictionary() -> pd.DataFrame:
    """All metrics, a row each, with what people want to know."""
    names = list(FOR_PEOPLE)
    return pd.DataFrame([asdict(metric) for metric in METRICS.values()], columns=names)
