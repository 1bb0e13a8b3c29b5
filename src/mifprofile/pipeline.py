"""The stages, from a slide or from a table of cells to the report.

Nothing heavy is imported: the command line reads its help from here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mifprofile.options import Stage


@dataclass(frozen=True)
class Step:
    """A stage: what it rests on, what it leaves, and where its code is.

    Attributes
    ----------
    name, help : str
        Also the name of its command, options and rule; one line for the command.
    upstream : tuple of str
        Stages whose results it reads.
    outputs : tuple of str
        What it writes into the result folder.
    inputs : tuple of str
        Files from outside that it may read, by their names in `Job.files`.
    options : tuple of str
        What its command takes beside what all take.
    panel : frozenset of str
        What of the panel it rests on; empty for all of it.
    only : mapping of str to str
        Of a stage upstream, the fact on which alone it rests.
    code : str
        Function in `mifprofile.stages`; by default the one of its name, in the module
        of its name.
    """

    name: Stage
    help: str
    upstream: tuple[Stage, ...]
    outputs: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    panel: frozenset[str] = frozenset()
    only: Mapping[Stage, str] = field(default_factory=dict)
    code: str = ""


_SLIDE = (
    Step(
        "ingest",
        "Bring a slide file into OUT/slide.zarr.",
        upstream=(),
        outputs=("slide.zarr",),
        inputs=("slide",),
        options=("slide", "pixel_size"),
        panel=frozenset({"channels"}),
    ),
    Step(
        "quality",
        "Find the tissue, exclude artefacts and judge the staining.",
        upstream=("ingest",),
        outputs=("quality.zarr", "quality.csv"),
        inputs=("exclusions",),
        options=("exclusions",),
        panel=frozenset({"nucleus", "membrane", "markers", "impossible"}),
    ),
    Step(
        "segment",
        "Find nuclei and cells.",
        upstream=("ingest", "quality"),
        outputs=("labels.zarr",),
        inputs=("nuclei", "cells", "model"),
        options=(
            *("model", "nuclei", "cells", "precision"),
            *("block_px", "workers", "scheduler"),
        ),
        panel=frozenset({"nucleus", "membrane"}),
        # Other exclusions leave the cells as they are.
        only={"quality": "tissue_sha256"},
    ),
    Step(
        "measure",
        "Read every channel in every compartment of every cell.",
        upstream=("segment",),
        outputs=("measurements.parquet", "contacts.parquet"),
        inputs=("unmixing", "flat_field"),
        panel=frozenset({"markers"}),
    ),
    Step(
        "phenotype",
        "Gate the markers and name the cells.",
        upstream=("quality", "measure"),
        outputs=("phenotypes.parquet", "gates.csv"),
        inputs=("gates", "gates_manual", "control", "control_quality"),
        options=("gates", "control"),
    ),
    Step(
        "landscape",
        "Divide the tissue into regions and count in them.",
        upstream=("quality", "phenotype"),
        outputs=(
            *("regions.zarr", "cells.parquet"),
            *("landscape.csv", "landscape_wide.csv", "data_dictionary.csv"),
        ),
        inputs=("regions",),
        options=("regions",),
    ),
    Step(
        "export",
        "Write the cells for AnnData, spreadsheets and QuPath.",
        upstream=("landscape",),
        outputs=("cells.csv", "cells.h5ad", "cells.geojson"),
    ),
    Step(
        "report",
        "Write report.html.",
        upstream=("export",),
        outputs=("report.html", "provenance.json"),
    ),
)
OF_SLIDE: dict[Stage, Step] = {step.name: step for step in _SLIDE}

# Cells made elsewhere bring neither pixels nor masks.
_TABLE = (
    replace(
        OF_SLIDE["ingest"],
        code="cell_table.ingest_table",
        outputs=("measurements.parquet",),
        inputs=("table",),
        options=("table", "pixel_size"),
        panel=frozenset({"markers"}),
    ),
    replace(
        OF_SLIDE["phenotype"],
        code="cell_table.phenotype_table",
        upstream=("ingest",),
        options=("gates",),
    ),
    replace(
        OF_SLIDE["landscape"],
        code="cell_table.landscape_of_table",
        upstream=("phenotype",),
        # All but the region map.
        outputs=OF_SLIDE["landscape"].outputs[1:],
        inputs=("areas",),
        options=("areas",),
    ),
    replace(OF_SLIDE["export"], outputs=("cells.csv",)),
    OF_SLIDE["report"],
)
OF_TABLE: dict[Stage, Step] = {step.name: step for step in _TABLE}


def step_of(stage: Stage, *, of_table: bool) -> Step:
    """A stage on the one road or the other; raises UsageError if it is not there."""
    steps = OF_TABLE if of_table else OF_SLIDE
    if stage not in steps:
        raise UsageError(f"{stage}: a stage of slides; these cells came as a table")
    return steps[stage]
