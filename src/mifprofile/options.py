"""One frozen options model per stage; a config file has a section of the same name."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Precision = Literal["auto", "int8", "float32", "bfloat16"]


class StageOptions(BaseModel):
    """Base of all options: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class IngestOptions(StageOptions):
    """How a slide file becomes ``slide.zarr``."""

    pixel_size_um: Positive | None = Field(
        None, description="Overrides the pixel size that the file states, µm."
    )


class QualityOptions(StageOptions):
    """How tissue is told from glass, which of it is excluded, and what is too bad."""

    mask_um: Positive = Field(4.0, description="Pixel size of the tissue mask, µm.")
    smooth_um: Positive = Field(12.0, description="Gaussian sigma of the mask, µm.")
    close_um: NonNegative = Field(30.0, description="Gaps up to this width are tissue.")
    min_area_um2: Positive = Field(
        10_000.0, description="Smaller pieces are debris, smaller holes are tissue."
    )
    focus_limit: Share = Field(
        0.7,
        description="Tissue is out of focus where its sharpness is below this share of "
        "the slide's median; 0 excludes none.",
    )
    focus_smooth_um: Positive = Field(
        16.0, description="Gaussian sigma over which sharpness is averaged, µm."
    )
    focus_min_area_um2: NonNegative = Field(
        5_000.0, description="Smaller blurred areas are chance."
    )
    saturated_limit: Share = Field(
        0.3,
        description="Areas where more than this share of the pixels clips in one "
        "channel are excluded; 1 excludes none.",
    )
    saturated_min_area_um2: NonNegative = Field(
        2_000.0, description="Smaller clipped areas are bright cells."
    )
    fold_limit: Positive = Field(
        2.5,
        description="Background in every channel from which on a fold is looked for, "
        "in distances of the tissue's 25th percentile from the 2nd above the 25th.",
    )
    fold_min_area_um2: NonNegative = Field(
        5_000.0, description="Smaller folds are none."
    )
    aggregate_factor: Positive = Field(
        3.0,
        description="Antibody clumps are this many times brighter than the marker's "
        "99.9th percentile (both above its median).",
    )
    aggregate_max_um2: NonNegative = Field(
        100.0, description="Larger bright spots are no clumps; 0 excludes none."
    )
    edge_um: NonNegative = Field(
        0.0, description="Tissue this close to glass is excluded for edge staining, µm."
    )
    min_evaluable_mm2: NonNegative = Field(
        0.01, description="With less tissue to evaluate a sample fails."
    )
    fail_excluded_share: Share = Field(
        0.5, description="With more of its tissue excluded a sample fails."
    )
    review_excluded_share: Share = Field(
        0.1, description="With more of its tissue excluded a sample is to be reviewed."
    )
    min_sharpness: NonNegative = Field(
        0.08, description="Review a slide whose median sharpness is lower."
    )
    max_saturated_share: Share = Field(
        0.001, description="Review channels of which more pixels clip."
    )
    max_illumination: NonNegative = Field(
        0.2, description="Review channels whose light differs more within a field."
    )
    min_contrast_to_noise: NonNegative = Field(
        3.0, description="Review channels that stand out less from their noise."
    )
    max_leak: NonNegative = Field(
        0.1, description="Review pairs of which one channel shows more in the other."
    )


class SegmentOptions(StageOptions):
    """How nuclei and cells are found."""

    model: str = Field(
        "embedded", description="'embedded', a Cellpose model's name, or a path."
    )
    diameter_um: Positive = Field(
        8.0, description="Typical object; sets the scale for Cellpose's own models, µm."
    )
    precision: Precision = Field(
        "auto",
        description="What the network computes in: 'int8' (OpenVINO), 'float32', "
        "'bfloat16' (GPU), or the fastest of them that is there.",
    )
    cell_probability: float = Field(
        0.0, description="Logit above which a pixel belongs to a nucleus."
    )
    flow_error: Positive = Field(
        0.4, description="Objects whose flows fit their shape worse are dropped."
    )
    min_contrast: float = Field(
        0.03,
        description="Nuclei must be brighter than the background around them by this "
        "share of the stain's range (percentiles 1 to 99.8 of the tissue).",
    )
    min_nucleus_um2: NonNegative = Field(8.0, description="Smaller nuclei are dropped.")
    max_nucleus_um2: Positive = Field(700.0, description="Larger nuclei are dropped.")
    whole_cells: bool = Field(
        False,
        description="With membrane channels, show them to the network and take cells "
        "from it; else nuclei are grown.",
    )
    rim_um: NonNegative = Field(
        1.0, description="Grown cells extend this far beyond their nucleus, µm."
    )
    expansion_um: NonNegative = Field(
        1.5,
        description="With membrane signal on the way a cell may extend this far, µm.",
    )
    membrane_stop: Share = Field(
        0.5,
        description="Growth stops where the membrane signal falls below this share of "
        "its peak on the way out of the nucleus.",
    )
    block_px: int | None = Field(
        None,
        ge=256,
        le=8192,
        description="Edge of the work unit; it does not change the result. By default "
        "2048, or less on a small slide.",
    )


class MeasureOptions(StageOptions):
    """Where on the cell the channels are read."""

    membrane_um: Positive = Field(
        1.0, description="Width of the membrane ring inside the cell's outline, µm."
    )


class PhenotypeOptions(StageOptions):
    """How gates are set where no table gives them."""

    min_cells: int = Field(
        50, ge=10, description="Fewer cells than this carry no automatic gate."
    )
    min_separation_sd: Positive = Field(
        2.0, description="Populations closer than this (pooled SD) are one."
    )
    min_share: Share = Field(
        0.005, description="A positive population smaller than this is not believed."
    )
    max_share: Share = Field(
        0.95, description="A positive population larger than this is not believed."
    )
    seed: int = 0


class LandscapeOptions(StageOptions):
    """Regions and the limits under which a value is not reported."""

    mask_um: Positive = Field(2.0, description="Pixel size of the region map, µm.")
    nest_close_um: Positive = Field(12.0, description="Gaps closed in tumour nests.")
    nest_min_cells: int = Field(10, ge=1, description="Smaller nests are not nests.")
    nest_hole_um2: NonNegative = Field(200.0, description="Smaller holes are filled.")
    bed_close_um: Positive = Field(
        100.0, description="Stroma is tissue within this closing of the nests."
    )
    min_area_mm2: NonNegative = Field(
        0.01, description="Densities on less area are not reported."
    )
    min_parent_cells: int = Field(50, ge=1, description="Fewer parents are LOW_N.")
    min_ratio_cells: int = Field(20, ge=1, description="Fewer CD8 + FOXP3 are LOW_N.")


class ExportOptions(StageOptions):
    """What is written for people and other programs; nothing to choose so far."""


class ReportOptions(StageOptions):
    """What the report shows."""

    sample_tiles: int = Field(6, ge=1, le=24, description="Overlays of sample tiles.")
    tile_um: Positive = Field(150.0, description="Edge of a sample tile, µm.")
    thumbnail_px: int = Field(900, ge=200, description="Longer side of the thumbnail.")
    seed: int = 0


Stage = Literal[
    "ingest",
    "quality",
    "segment",
    "measure",
    "phenotype",
    "landscape",
    "export",
    "report",
]
STAGES: tuple[Stage, ...] = get_args(Stage)


class Options(StageOptions):
    """All sections of a config file."""

    ingest: IngestOptions = IngestOptions()
    quality: QualityOptions = QualityOptions()
    segment: SegmentOptions = SegmentOptions()
    measure: MeasureOptions = MeasureOptions()
    phenotype: PhenotypeOptions = PhenotypeOptions()
    landscape: LandscapeOptions = LandscapeOptions()
    export: ExportOptions = ExportOptions()
    report: ReportOptions = ReportOptions()
