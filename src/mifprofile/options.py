"""One frozen options model per stage; a config file has a section of the same name."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mifprofile.errors import UsageError

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
    """How tissue is told from glass."""

    mask_um: Positive = Field(4.0, description="Pixel size of the tissue mask, µm.")
    smooth_um: Positive = Field(12.0, description="Gaussian sigma of the mask, µm.")
    close_um: NonNegative = Field(30.0, description="Gaps up to this width are tissue.")
    min_area_um2: Positive = Field(
        10_000.0, description="Smaller pieces are debris, smaller holes are tissue."
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


class CorrectOptions(StageOptions):
    """What is taken off the pixels before cells are measured; all off by default."""

    flat_field: Literal["none", "basic", "quartile", "file"] = Field(
        "none",
        description="Evens out the light over the camera's field: by BaSiC, by the "
        "lower quartile of all fields, or by images of a flat field.",
    )
    flat_field_file: str | None = Field(
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
    unmixing: str | None = Field(
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
    correct: CorrectOptions = CorrectOptions()


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
