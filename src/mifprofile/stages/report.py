"""The whole result folder → ``report.html`` and ``provenance.json``."""

from __future__ import annotations

import platform
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from dask.base import compute

from mifprofile.core.facts import IngestFacts, PhenotypeFacts, SegmentFacts
from mifprofile.core.landscape import COLUMNS, Row
from mifprofile.core.maps import at_grid, places_on
from mifprofile.core.phenotype import marker_levels
from mifprofile.core.phenotype.conflicts import Combination
from mifprofile.core.quality import EVALUABLE, Figure
from mifprofile.io.atomic import atomic_output
from mifprofile.io.readers import open_slide
from mifprofile.io.results import write_json
from mifprofile.io.store import open_label_store
from mifprofile.io.tables import (
    read_csv,
    read_gates_used,
    read_parquet,
    text_columns,
)
from mifprofile.report import (
    Gallery,
    Overview,
    QualityContent,
    ReportContent,
    ShownChannel,
    Spot,
    Stamp,
    Tile,
    best_split,
    choose_examples,
    choose_tiles,
    find,
    fit,
    render,
    shown_channels,
)
from mifprofile.stages.cell_table import levels_of_table, regions_of_table
from mifprofile.stages.landscape import REGION_LABELS
from mifprofile.stages.planes import coarse_plane
from mifprofile.stages.quality import read_exclusion_masks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import dask.array as da
    import zarr
    from numpy.typing import NDArray

    from mifprofile.io.results import Results
    from mifprofile.model import Panel, Slide
    from mifprofile.stages.job import Job

Records = dict[str, dict[str, Any]]
# A window of the slide, and what of a square is missing around it.
_Place = tuple[tuple[slice, slice], tuple[tuple[int, int], tuple[int, int]]]

# Fine enough to tell which tiles lie in a region.
PIXELS_PER_TILE = 15
PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "scikit-image",
    "scikit-learn",
    "numba",
    "zarr",
    "tifffile",
    "imagecodecs",
    "anndata",
)


def report(job: Job) -> dict[str, Any]:
    """Write the report for people and, in one file, how its numbers came about."""
    content = gather(job)
    findings = [f"{finding.level}: {finding.text}" for finding in find(content)]
    for line in findings:
        if not line.startswith("note"):
            job.say(f"  {line}")
    with atomic_output(job.results.report) as partial:
        partial.write_text(render(content), encoding="utf-8")
    write_json(provenance(content), job.results.provenance)
    return {"findings": findings, "tiles": len(content.tiles)}


def gather(job: Job) -> ReportContent:
    """Collect what the report shows, and of the slide no more than that."""
    gates, records = read_gates_used(job.results.gates), stage_records(job)
    sources = records.get("ingest", {}).get("inputs", {}).values()
    shown = _of_table(job, gates) if job.of_table else _of_slide(job, gates)
    return ReportContent(
        sample_id=job.results.sample_id,
        slide_name=next((str(source["name"]) for source in sources), ""),
        panel=job.panel,
        gates=gates,
        impossible=_impossible(records),
        landscape=read_csv(job.results.landscape, text_columns(Row))[list(COLUMNS)],
        records=records,
        software=software(records),
        **shown,
    )


def _of_table(job: Job, gates: pd.DataFrame) -> dict[str, Any]:
    """Levels and places of cells; there is no picture to lay them over."""
    results = job.results
    cells = read_parquet(results.cells)
    width, height = (float(cells[at].max()) for at in ("x_um", "y_um"))
    um = max(width, height, 1.0) / job.options.report.thumbnail_px
    shape = tuple(max(int(np.ceil(size / um)), 1) for size in (height, width))
    return {
        "pixel_size_um": IngestFacts.of(results.read_record("ingest")).pixel_size_um,
        "size_um": (width, height),
        "levels": levels_of_table(cells, gates, job.panel),
        "overview": _overview(None, regions_of_table(results, shape, um), um, cells),
    }


def _of_slide(job: Job, gates: pd.DataFrame) -> dict[str, Any]:
    """The same, the slide's quality, and pictures of it."""
    slide = open_slide(job.results.slide)
    cells = _read_cells(job.results.cells, job.panel)
    # Gates rest on these alone, so what they do is shown on them.
    judged = cells[cells[EVALUABLE]]
    shown = shown_channels(job.panel)
    plane = _thumbnail(slide, job.panel.nucleus, job.options.report.thumbnail_px)
    height, width = slide.shape_px
    um = width * slide.um / plane.shape[1]
    overview = _overview(plane, _regions(job.results, plane.shape, um), um, cells)
    return {
        "pixel_size_um": slide.um,
        "size_um": (width * slide.um, height * slide.um),
        "levels": marker_levels(judged, job.panel),
        "shown": shown,
        "overview": overview,
        "quality": _quality(job, overview),
        "tiles": _tiles(job, slide, cells, shown),
        "galleries": _galleries(job, slide, judged, gates),
    }


def provenance(content: ReportContent) -> dict[str, Any]:
    """Everything that was done to a sample, as plain values."""
    packages = dict(content.software)
    return {
        "sample_id": content.sample_id,
        "mifprofile": packages.pop("mifprofile"),
        "python": packages.pop("python"),
        "packages": packages,
        "panel": content.panel.model_dump(mode="json"),
        "stages": content.records,
    }


def stage_records(job: Job) -> Records:
    """Records of the stages so far, and of this one what is known before it ends."""
    found: Records = {str(k): v for k, v in job.results.records().items()}
    found["report"] = {
        "stage": "report",
        "version": version("mifprofile"),
        "options": job.options.report.model_dump(mode="json"),
    }
    return found


def software(records: Records) -> dict[str, str]:
    """Versions of what took part, without importing it."""
    model = SegmentFacts.of(records.get("segment")).model or "masks"
    names = ["mifprofile", *PACKAGES, *(["torch"] if model != "masks" else [])]
    if model.startswith("cellpose"):
        names.append("cellpose")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _impossible(records: Records) -> pd.DataFrame:
    rows = PhenotypeFacts.of(records.get("phenotype")).impossible
    columns = [field.name for field in fields(Combination)]
    numbers = [name for name in columns if name.endswith(("percent", "p_value"))]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(numbers, float))


def _read_cells(path: Path, panel: Panel) -> pd.DataFrame:
    """Read only the columns that the report shows: the table may be wide and long."""
    levels = panel.level_columns.values()
    columns = ["cell_id", "x_um", "y_um", "phenotype", EVALUABLE, *levels]
    return read_parquet(path, columns)


def _overview(
    nucleus: NDArray[np.float32] | None,
    regions: NDArray[np.uint8],
    um: float,
    cells: pd.DataFrame,
) -> Overview:
    return Overview(
        nucleus=nucleus,
        regions=regions,
        um=um,
        x_um=cells["x_um"].to_numpy(float),
        y_um=cells["y_um"].to_numpy(float),
        phenotypes=cells["phenotype"].astype(str).to_numpy(object),
    )


def _quality(job: Job, overview: Overview) -> QualityContent:
    """Quality figures, and what is excluded on the overview's grid."""
    masks, um = read_exclusion_masks(job.results)
    shape = overview.regions.shape
    return QualityContent(
        read_csv(job.results.quality_figures, text_columns(Figure)),
        {cause: at_grid(m, um, shape, overview.um) for cause, m in masks.items()},
    )


def _thumbnail(slide: Slide, channel: str, longer_px: int) -> NDArray[np.float32]:
    """Read a channel from the coarsest level that is fine enough for a size."""
    # Just below the level at which it would be coarser.
    wanted_um = slide.um * max(slide.shape_px) / longer_px / np.sqrt(2)
    return fit(coarse_plane(slide, channel, wanted_um)[0], longer_px)


def _regions(results: Results, shape: tuple[int, ...], um: float) -> NDArray[np.uint8]:
    """Region map looked up at the centres of another grid's pixels."""
    labels = open_label_store(results.regions)[REGION_LABELS]
    fine = labels.levels[0]
    rows, cols = places_on(fine.shape, labels.um, shape, um)
    out = np.zeros(shape, np.uint8)
    # By bands of chunks: of a large slide, the whole map takes too much memory.
    step = fine.chunks[0]
    for start in range(0, fine.shape[0], step):
        mine = (rows >= start) & (rows < start + step)
        if mine.any():
            band = np.asarray(fine[start : start + step])
            out[mine] = band[np.ix_(rows[mine] - start, cols)]
    return out


def _tiles(
    job: Job, slide: Slide, cells: pd.DataFrame, shown: Sequence[ShownChannel]
) -> tuple[Tile, ...]:
    options = job.options.report
    um = max(options.tile_um / PIXELS_PER_TILE, slide.um)
    shape = tuple(max(round(size * slide.um / um), 1) for size in slide.shape_px)
    spots = choose_tiles(
        _regions(job.results, shape, um),
        um,
        cells["x_um"].to_numpy(float),
        cells["y_um"].to_numpy(float),
        tile_um=options.tile_um,
        count=options.sample_tiles,
        seed=options.seed,
    )
    return tuple(_tile(job, slide, spot, shown, cells) for spot in spots)


def _tile(
    job: Job,
    slide: Slide,
    spot: Spot,
    shown: Sequence[ShownChannel],
    cells: pd.DataFrame,
) -> Tile:
    """Read one tile at full resolution."""
    y, x = (round(at / slide.um) for at in (spot.y_um, spot.x_um))
    size = max(round(spot.size_um / slide.um), 1)
    window = slice(y, y + size), slice(x, x + size)
    channels = [slide.channel_index(channel.channel) for channel in shown]
    labels = open_label_store(job.results.labels)
    nuclei, found = (
        np.asarray(labels[n].levels[0][window]) for n in ("nuclei", "cells")
    )
    here = cells[cells["cell_id"].isin(np.unique(found))]
    return Tile(
        title=spot.title,
        x_um=x * slide.um,
        y_um=y * slide.um,
        um=slide.um,
        planes=np.stack(
            [np.asarray(slide.levels[0][c, *window], np.float32) for c in channels]
        ),
        nuclei=nuclei,
        cells=found,
        phenotypes=dict(
            zip(here["cell_id"], here["phenotype"].astype(str), strict=True)
        ),
    )


def _galleries(
    job: Job, slide: Slide, cells: pd.DataFrame, gates: pd.DataFrame
) -> tuple[Gallery, ...]:
    """Cells on both sides of each gate, or of the best split where there is none."""
    options = job.options.report
    levels = marker_levels(cells, job.panel)
    found = []
    for marker, gate, grade in gates[["marker", "threshold", "grade"]].to_numpy():
        mine = levels[marker].to_numpy(float)
        threshold = best_split(mine) if grade == "undecided" else float(gate)
        rows = choose_examples(
            mine,
            threshold,
            count=options.gallery_cells,
            seed=options.seed,
        )
        read = _StampReader.of(job, slide, str(marker))
        stamps = {kind: read.stamps(cells.iloc[few]) for kind, few in rows.items()}
        if any(stamps.values()):
            found.append(Gallery(str(marker), threshold, stamps))
    return tuple(found)


@dataclass(frozen=True)
class _StampReader:
    """Reads cells in their surroundings."""

    planes: tuple[da.Array, da.Array]
    labels: zarr.Array[Any]
    um: float
    half_px: int

    @classmethod
    def of(cls, job: Job, slide: Slide, marker: str) -> _StampReader:
        """Reader of the nuclear channel and of a marker's."""
        names = job.panel.nucleus, job.panel.markers[marker].channel
        nucleus, level = (slide.levels[0][slide.channel_index(n)] for n in names)
        labels = open_label_store(job.results.labels)["cells"].levels[0]
        half = max(round(job.options.report.gallery_um / slide.um / 2), 1)
        return cls((nucleus, level), labels, slide.um, half)

    def stamps(self, cells: pd.DataFrame) -> tuple[Stamp, ...]:
        """Read the squares around cells' middles, each chunk of the slide once."""
        places = [self._place(cell) for _, cell in cells.iterrows()]
        lazy = [[plane[inside] for plane in self.planes] for inside, _ in places]
        return tuple(
            Stamp(
                np.stack([np.pad(p.astype(np.float32), pads, "edge") for p in planes]),
                np.pad(np.asarray(self.labels[inside]), pads) == cell_id,
            )
            for planes, (inside, pads), cell_id in zip(
                compute(lazy)[0], places, cells["cell_id"], strict=True
            )
        )

    def _place(self, cell: pd.Series) -> _Place:
        """The square around a cell's middle, as far as it lies on the slide."""
        (rows, above), (cols, beside) = (
            _within(round(cell[at] / self.um), self.half_px, size)
            for at, size in zip(("y_um", "x_um"), self.labels.shape, strict=True)
        )
        return (rows, cols), (above, beside)


def _within(middle: int, half: int, size: int) -> tuple[slice, tuple[int, int]]:
    """Part of a range that lies on the slide, and what is missing on both sides."""
    start, stop = middle - half, middle + half
    inside = slice(max(start, 0), min(stop, size))
    return inside, (inside.start - start, stop - inside.stop)
