"""What a viewer of result folders needs beside the public names; may change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mifprofile._lazy import lazily

if TYPE_CHECKING:
    from mifprofile.core.landscape import REGION_NAMES
    from mifprofile.core.levels import from_scale, to_scale, unit_of
    from mifprofile.core.palette import phenotype_colours
    from mifprofile.core.phenotype import marker_levels
    from mifprofile.io.store import LabelPyramid, open_label_store
    from mifprofile.io.tables import (
        read_gates,
        read_gates_used,
        read_manual_gates,
        read_parquet,
        write_table,
    )
    from mifprofile.report.channels import shown_channels

_HOMES = {
    "LabelPyramid": "mifprofile.io.store",
    "REGION_NAMES": "mifprofile.core.landscape",
    "from_scale": "mifprofile.core.levels",
    "marker_levels": "mifprofile.core.phenotype",
    "open_label_store": "mifprofile.io.store",
    "phenotype_colours": "mifprofile.core.palette",
    "read_gates": "mifprofile.io.tables",
    "read_gates_used": "mifprofile.io.tables",
    "read_manual_gates": "mifprofile.io.tables",
    "read_parquet": "mifprofile.io.tables",
    "shown_channels": "mifprofile.report.channels",
    "to_scale": "mifprofile.core.levels",
    "unit_of": "mifprofile.core.levels",
    "write_table": "mifprofile.io.tables",
}

__all__ = [
    "REGION_NAMES",
    "LabelPyramid",
    "from_scale",
    "marker_levels",
    "open_label_store",
    "phenotype_colours",
    "read_gates",
    "read_gates_used",
    "read_manual_gates",
    "read_parquet",
    "shown_channels",
    "to_scale",
    "unit_of",
    "write_table",
]

__getattr__, __dir__ = lazily(__name__, _HOMES)
