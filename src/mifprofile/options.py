"""One frozen options model per stage; a config file has a section of the same name."""

from __future__ import annotations

from os import PathLike, fspath
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from mifprofile.errors import UsageError


def _as_text(given: Any) -> Any:
    return fspath(given) if isinstance(given, PathLike) else given


PathText = Annotated[str, BeforeValidator(_as_text)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Precision = Literal["auto", "int8", "float32", "bfloat16"]
GateMethod = Literal["evidence", "gmm", "li", "otsu", "triangle", "control", "manual"]
GateScope = Literal["slide", "patient", "batch", "cohort"]


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
    fail_saturated_share: Share = Field(
        0.05, description="With more of the nuclear stain's pixels clipped it fails."
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
    min_nucleus_um2: NonNegative = Field(
        15.0, description="Review a sample whose median nucleus is smaller."
    )
    max_nucleus_um2: Positive = Field(
        120.0, description="Review a sample whose median nucleus is larger."
    )
    max_lymphocyte_um2: Positive = Field(
        50.0, description="Review a sample whose lymphocytes' median nucleus is larger."
    )
    max_unseen_share: Share = Field(
        0.33,
        description="Review a sample in which more of what the nuclear stain marks "
        "lies in no nucleus.",
    )


class SegmentOptions(StageOptions):
    """How nuclei and cells are found."""

    model: PathText = Field(
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
    whole_cell_probability: float = Field(
        1.0,
        description="Logit above which a pixel belongs to a cell that the network "
        "finds; the higher, the tighter the cells.",
    )
    rim_um: NonNegative = Field(
        0.5, description="Grown cells extend this far beyond their nucleus, µm."
    )
    expansion_um: NonNegative = Field(
        1.0,
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


class CorrectOptions(StageOptions):
    """What is taken off the pixels before cells are measured; all off by default."""

    flat_field: Literal["none", "basic", "quartile", "file"] = Field(
        "none",
        description="Evens out the light over the camera's field: by BaSiC, by the "
        "lower quartile of all fields, or by images of a flat field.",
    )
    flat_field_file: PathText | None = Field(
        None,
        description="TIFF of the light over one camera field: one page per channel, "
        "in the slide's order, or one page for all.",
    )
    field_um: tuple[Positive, Positive] | None = Field(
        None,
        description="Width and height of a camera field, µm; fields tile the slide "
        "from its upper left corner.",
    )
    dark_level: NonNegative = Field(
        0.0, description="Camera counts without light; not evened out."
    )
    background: Literal["none", "glass", "tissue", "local"] = Field(
        "none",
        description="Subtracted from each channel: the median of the glass, a "
        "percentile of the tissue, or one that varies slowly over the slide.",
    )
    background_percentile: Annotated[float, Field(ge=0, le=100)] = Field(
        5.0, description="Percentile of the tissue that counts as background."
    )
    background_window_um: Positive = Field(
        250.0, description="Squares of this size have a local background each, µm."
    )
    autofluorescence: str | None = Field(
        None, description="Channel that sees autofluorescence alone."
    )
    autofluorescence_factors: dict[str, NonNegative] = Field(
        {},
        description="How much of it a channel sees, by channel; the panel's other "
        "markers are fitted.",
    )
    unmixing: PathText | None = Field(
        None,
        description="CSV: the share of each fluorophore (column) that each channel "
        "(row) sees, by the channels' names; the diagonal is 1.",
    )
    bleed_through: dict[str, dict[str, Share]] = Field(
        {},
        description="Instead of a CSV: channel that shines, channel that sees it, and "
        "which share.",
    )
    non_negative: bool = Field(
        False,
        description="Unmix by least squares under the condition that no light is "
        "negative; slower.",
    )

    @property
    def active(self) -> bool:
        """Whether anything is corrected."""
        ways = {self.flat_field, self.background} - {"none"}
        return bool(
            ways or self.autofluorescence or self.unmixing or self.bleed_through
        )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.flat_field != "none" and self.field_um is None:
            raise UsageError(
                "flat_field needs field_um, the width and height of a camera field"
            )
        if (self.flat_field == "file") != (self.flat_field_file is not None):
            raise UsageError("flat_field 'file' and flat_field_file go together")
        if self.unmixing is not None and self.bleed_through:
            raise UsageError("give unmixing or bleed_through, not both")
        if self.autofluorescence_factors and self.autofluorescence is None:
            raise UsageError(
                "autofluorescence_factors need autofluorescence, the channel's name"
            )
        return self


class MeasureOptions(StageOptions):
    """Where on the cell the channels are read."""

    membrane_um: Positive = Field(
        1.0, description="Width of the membrane ring inside the cell's outline, µm."
    )
    percentiles: tuple[Annotated[int, Field(ge=0, le=100)], ...] = Field(
        (50, 95), description="Of each marker's pixels where the panel reads it."
    )
    pixel_noises: Positive = Field(
        5.0,
        description="A pixel is stained if it exceeds the channel's background by this "
        "many times the background's noise.",
    )
    pixel_thresholds: dict[str, float] = Field(
        {}, description="Marker to the count above which its pixels are stained."
    )
    sectors: int = Field(
        24, ge=4, le=360, description="Angles of a membrane ring, stained or not."
    )
    spill_over: bool = Field(
        False,
        description="Take from membrane markers what neighbours shed over the border.",
    )
    spill_over_gamma: NonNegative = Field(
        2.0, description="How far a cell's own border signal is counted again."
    )
    spill_over_strip_um: Positive = Field(
        1.0, description="Width of the strip along the outline that sheds light, µm."
    )
    correct: CorrectOptions = CorrectOptions()


class PhenotypeOptions(StageOptions):
    """How gates are found, and when one from a table has drifted."""

    method: GateMethod = Field(
        "evidence", description="How gates are found: see docs/gates.md."
    )
    methods: dict[str, GateMethod] = Field(
        {}, description="Another method for some markers, by marker."
    )
    negatives: dict[str, str] = Field(
        {},
        description="Cells that cannot carry a marker, as a rule by marker "
        "(CD8: PanCK+); its gate is then anchored to them.",
    )
    control: PathText | None = Field(
        None, description="Result folder of a negative-control slide."
    )
    control_percentile: Annotated[float, Field(gt=50, lt=100)] = Field(
        99.0, description="Percentile of the negatives at which a gate is anchored."
    )
    min_cells: int = Field(
        50, ge=10, description="Fewer cells than this carry no automatic gate."
    )
    min_flanks: Positive = Field(
        4.0,
        description="Evidence: cells whose middle lies this many widths of the main "
        "peak above it are a population by their brightness alone.",
    )
    min_flanks_witnessed: Positive = Field(
        2.3,
        description="Evidence: the same where other markers or the place on the cell "
        "vouch for them.",
    )
    min_separation_sd: Positive = Field(
        2.0, description="Gmm: populations closer than this (pooled SD) are one."
    )
    min_share: Share = Field(
        0.005, description="A positive population smaller than this is not believed."
    )
    max_share: Share = Field(
        0.95, description="A positive population larger than this is not believed."
    )
    min_confidence: Annotated[float, Field(ge=0.5, le=1)] = Field(
        0.6, description="Cells less sure than this are 'uncertain'; 0.5: none is."
    )
    min_fold: Annotated[float, Field(ge=1)] = Field(
        1.5, description="Positive cells are at least this many times as bright."
    )
    max_gap: Share = Field(
        0.7,
        description="Cells in the gap between two populations, as a share of those at "
        "the smaller one's middle; more, and they are one.",
    )
    drift_separation_sd: NonNegative = Field(
        3.0, description="A gate from a table that separates by less has drifted."
    )
    drift_share: NonNegative = Field(
        0.5,
        description="Change of the positive share at 0.8 or 1.25 times the gate, "
        "relative to the share; more, and the gate has drifted.",
    )
    drift_factor: Annotated[float, Field(ge=1)] = Field(
        1.5, description="A gate this many times the sample's own has drifted."
    )
    seed: int = 0


class GatesOptions(StageOptions):
    """Which samples share a gate."""

    scope: GateScope = Field("slide", description="Samples that are gated together.")
    sharing: Literal["one", "shrunk"] = Field(
        "one",
        description="Samples share one gate, or each has its own, drawn to the "
        "group's as far as it is uncertain.",
    )
    lock_to: str | None = Field(
        None,
        description="Timepoint whose samples alone are fitted, such as baseline; the "
        "others of the group are given the same gates.",
    )
    min_cells: int = Field(
        500, ge=10, description="Samples with fewer cells are left out of a shared fit."
    )

    @model_validator(mode="after")
    def _something_to_lock_to(self) -> Self:
        if self.lock_to is not None and self.scope == "slide":
            raise UsageError(
                f"lock_to {self.lock_to}: a slide that is gated alone has nothing to "
                "be locked to; choose the scope patient, batch or cohort"
            )
        return self


class NeighbourhoodOptions(StageOptions):
    """Kinds of surroundings that are fitted once for a cohort."""

    k: int = Field(
        10, ge=1, description="Nearest cells that make a window, the cell among them."
    )
    within_um: Positive = Field(
        50.0, description="Cells further than this are in no window, µm."
    )
    clusters: int = Field(10, ge=2, description="Neighbourhoods in the cohort.")
    max_cells: int = Field(
        5000, ge=10, description="Cells that each sample gives to the fit at most."
    )
    seeds: int = Field(
        5, ge=2, description="Fits that are compared; the tightest is kept."
    )
    seed: int = 0


class LandscapeOptions(StageOptions):
    """Regions and the limits under which a value is not reported."""

    mask_um: Positive = Field(2.0, description="Pixel size of the region map, µm.")
    nests: Literal["cells", "marker"] = Field(
        "cells",
        description="Nests are made of tumour cells, or of pixels above the threshold "
        "of the first marker that a tumour cell must carry.",
    )
    nest_close_um: Positive = Field(12.0, description="Gaps closed in tumour nests.")
    nest_min_cells: int = Field(10, ge=1, description="Smaller nests are not nests.")
    nest_hole_um2: NonNegative = Field(200.0, description="Smaller holes are filled.")
    bed_close_um: Positive = Field(
        100.0, description="Stroma is tissue within this closing of the nests."
    )
    interface_um: tuple[Positive, ...] = Field(
        (10.0, 30.0),
        min_length=1,
        description="Outer edges of the bands around nests, ascending, µm.",
    )
    margin_um: Positive = Field(
        500.0, description="The invasive margin reaches this far to either side, µm."
    )
    min_margin_mm: NonNegative = Field(
        2.0, description="With less of it in tissue there is no invasive margin."
    )
    min_area_mm2: NonNegative = Field(
        0.01, description="Densities on less area are not reported."
    )
    min_parent_cells: int = Field(
        50, ge=1, description="Of fewer parents a share is SMALL."
    )
    min_ratio_cells: int = Field(
        20, ge=1, description="A ratio of fewer cells is SMALL."
    )
    block_um: Positive = Field(
        1000.0, description="Intervals come from blocks of tissue of at most this edge."
    )
    min_block_um: Positive = Field(
        500.0, description="On little tissue blocks are smaller, down to this edge."
    )
    min_blocks: int = Field(6, ge=2, description="With fewer blocks: no interval.")
    min_tumour_cells: int = Field(
        100, ge=1, description="TPS, CPS and HER2 scores of fewer are SMALL."
    )
    min_tumour_cells_ic: int = Field(
        50, ge=1, description="The IC score of fewer tumour cells is SMALL."
    )
    adequate_bed_mm2: Positive = Field(
        1.65, description="On a smaller tumour bed a sample is LIMITED."
    )
    limited_bed_mm2: Positive = Field(
        0.5, description="On a smaller tumour bed a sample is INADEQUATE."
    )
    cps_within_um: tuple[Positive, ...] = Field(
        (500.0, 250.0, 100.0),
        description="PD-L1+ immune cells count for CPS this far from a nest, µm.",
    )
    her2_levels: tuple[Positive, Positive, Positive] | None = Field(
        None,
        description="HER2 in the membrane from which a cell is 1+, 2+ and 3+, set on "
        "controls of known score. Without them there is no H-score.",
    )
    her2_complete: Share = Field(
        0.8, description="A membrane stained on this share of its length is complete."
    )
    inflamed_per_mm2: Positive = Field(
        100.0, description="CD8+ cells in nests from which a tumour is inflamed."
    )
    excluded_per_mm2: Positive = Field(
        100.0, description="CD8+ cells in stroma from which it is excluded, not desert."
    )
    bootstrap_samples: int = Field(
        2000, ge=100, description="Draws for probabilities of cuts and classes."
    )
    spatial: bool = Field(True, description="Whether to add the spatial statistics.")
    min_pair_cells: int = Field(
        20, ge=1, description="Fewer cells of either phenotype: no spatial statistic."
    )
    radii_um: tuple[Positive, ...] = Field(
        (10.0, 20.0, 30.0, 50.0),
        min_length=1,
        description="Distances within which cells are neighbours, ascending, µm.",
    )
    g_auc_um: Positive = Field(
        20.0, description="G is compared with randomness from 0 to this distance, µm."
    )
    nn_permutations: int = Field(
        50, ge=2, description="Relabellings that the nearest distances stand beside."
    )
    spatial_tile_um: Positive = Field(
        250.0, description="Edge of the tiles of Morisita-Horn and Moran's I, µm."
    )
    diversity_um: Positive = Field(
        30.0, description="Local diversity is of the cells within this distance, µm."
    )
    infiltration_band_um: Positive = Field(
        25.0, description="Width of the bands on both sides of the nests' border, µm."
    )
    infiltration_reach_um: Positive = Field(
        200.0, description="The bands reach this far from the nests' border, µm."
    )
    seed: int = 0


class ExportOptions(StageOptions):
    """What is written for people and other programs; nothing to choose so far."""


class ReportOptions(StageOptions):
    """What the report shows."""

    sample_tiles: int = Field(6, ge=1, le=24, description="Overlays of sample tiles.")
    tile_um: Positive = Field(150.0, description="Edge of a sample tile, µm.")
    gallery_cells: int = Field(
        20, ge=0, le=100, description="Cells of each kind in a marker's gallery."
    )
    gallery_um: Positive = Field(24.0, description="Edge of a gallery's picture, µm.")
    thumbnail_px: int = Field(900, ge=200, description="Longer side of the thumbnail.")
    seed: int = 0


class CohortOptions(StageOptions):
    """What is asked of a cohort, beside what ``endpoints.yaml`` says."""

    endpoints: PathText | None = Field(
        None, description="endpoints.yaml; else the one that comes with the package."
    )
    features: PathText | None = Field(
        None, description="Long table of features from elsewhere, tested beside."
    )
    regimen: str = Field(
        "core", description="Set of predeclared endpoints, by its name in the file."
    )
    level: float = Field(0.95, gt=0.5, lt=1, description="Coverage of intervals.")
    pseudo_cells: Positive = Field(
        0.5, description="Added to every count, so that none has a logarithm."
    )
    control_arm: str | None = Field(
        None,
        description="Arm that the others are compared with; else one called control, "
        "vehicle, placebo, standard or untreated, else the sheet's first.",
    )
    adjust: tuple[str, ...] = Field(
        (), description="Columns of the sheet that are covariates of survival."
    )
    landmark_day: NonNegative | None = Field(
        None,
        description="Day from which survival is counted for on-treatment values; else "
        "the last day of those biopsies.",
    )
    baseline: str = Field("baseline", description="Timepoint before treatment.")
    on_treatment: str = Field("on_tx", description="Timepoint on treatment.")
    bootstrap_samples: int = Field(
        2000, ge=100, description="Draws for the intervals of patients' values."
    )
    exploratory: bool = Field(
        True, description="Whether what is not predeclared is tested, in families."
    )
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
    gates: GatesOptions = GatesOptions()
    neighbourhoods: NeighbourhoodOptions = NeighbourhoodOptions()
    phenotype: PhenotypeOptions = PhenotypeOptions()
    landscape: LandscapeOptions = LandscapeOptions()
    export: ExportOptions = ExportOptions()
    report: ReportOptions = ReportOptions()
    cohort: CohortOptions = CohortOptions()
