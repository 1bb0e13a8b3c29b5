"""Which tissue and which channels can be trusted."""

from mifprofile.core.quality.artefacts import (
    background_excess,
    clip_level,
    clump_level,
    find_aggregates,
    find_folds,
    find_saturation,
)
from mifprofile.core.quality.exclusions import (
    CAUSES,
    EVALUABLE,
    areas_by_cause,
    edge_mask,
    evaluable_mask,
    flag_cells,
)
from mifprofile.core.quality.focus import Focus, find_blur
from mifprofile.core.quality.illumination import Illumination, find_illumination
from mifprofile.core.quality.nuclei import (
    NucleiFigures,
    lymphocyte_nucleus,
    unseen_share,
)
from mifprofile.core.quality.pixels import (
    LAGS,
    CellScan,
    scan_cells,
    structure,
)
from mifprofile.core.quality.staining import (
    Figure,
    area_figures,
    figure_table,
    illumination_figures,
    pair_figures,
    sharpness_figure,
    staining_figures,
)
from mifprofile.core.quality.tissue import (
    border_share,
    flat_light,
    local_texture,
    tissue_mask,
)
from mifprofile.core.quality.verdict import (
    NO_TISSUE,
    QualityVerdict,
    judge_results,
    judge_sample,
)

__all__ = [
    "CAUSES",
    "EVALUABLE",
    "LAGS",
    "NO_TISSUE",
    "CellScan",
    "Figure",
    "Focus",
    "Illumination",
    "NucleiFigures",
    "QualityVerdict",
    "area_figures",
    "areas_by_cause",
    "background_excess",
    "border_share",
    "clip_level",
    "clump_level",
    "edge_mask",
    "evaluable_mask",
    "figure_table",
    "find_aggregates",
    "find_blur",
    "find_folds",
    "find_illumination",
    "find_saturation",
    "flag_cells",
    "flat_light",
    "illumination_figures",
    "judge_results",
    "judge_sample",
    "local_texture",
    "lymphocyte_nucleus",
    "pair_figures",
    "scan_cells",
    "sharpness_figure",
    "staining_figures",
    "structure",
    "tissue_mask",
    "unseen_share",
]
