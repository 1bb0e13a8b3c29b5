"""Regions, and every number with its numerator, denominator, interval and status."""

from mifprofile.core.landscape.estimates import (
    ALL,
    COLUMNS,
    LINEAGE,
    Row,
    lineage_labels,
)
from mifprofile.core.landscape.neighbourhood_tables import (
    Makeup,
    makeup_table,
    neighbourhood_shares,
)
from mifprofile.core.landscape.regated import Recall
from mifprofile.core.landscape.regions import (
    EXCLUDED,
    GLASS,
    OUTSIDE,
    REGION_NAMES,
    REGIONS,
    STROMA,
    TISSUE_NAMES,
    TUMOUR,
    areas_mm2,
    evaluable,
    overlay_drawn,
    region_map,
    region_map_of_marker,
    region_of_cells,
)
from mifprofile.core.landscape.scores import Status
from mifprofile.core.landscape.table import landscape, widen
from mifprofile.core.landscape.tabled import landscape_of_areas

__all__ = [
    "ALL",
    "COLUMNS",
    "EXCLUDED",
    "GLASS",
    "LINEAGE",
    "OUTSIDE",
    "REGIONS",
    "REGION_NAMES",
    "STROMA",
    "TISSUE_NAMES",
    "TUMOUR",
    "Makeup",
    "Recall",
    "Row",
    "Status",
    "areas_mm2",
    "evaluable",
    "landscape",
    "landscape_of_areas",
    "lineage_labels",
    "makeup_table",
    "neighbourhood_shares",
    "overlay_drawn",
    "region_map",
    "region_map_of_marker",
    "region_of_cells",
    "widen",
]
