import json

import dask.array as da
import numpy as np
import pandas as pd
import pytest

from mifprofile.core.landscape import landscape
from mifprofile.core.quality import CAUSES, Figure, figure_table
from mifprofile.errors import FormatError
from mifprofile.io.results import Results
from mifprofile.io.store import write_label_store, write_slide_store
from mifprofile.io.tables import write_table
from mifprofile.model import Channel, PixelSize, Slide
from mifprofile.options import LandscapeOptions, Options, ReportOptions
from mifprofile.stages.job import Job
from mifprofile.stages.report import gather, report
from tests.panels import make_panel

UM = 0.5


def _panel(measure="membrane"):
    return make_panel(
        {"CD8": f"T/{measure}"},
        name="one marker",
        species="mouse",
        nucleus="DNA",
        phenotypes={"CTL": "CD8+"},
    )


def _write(results, regions, labels, cells, panel):
    """Lay out a result folder as the stages before would."""
    size = PixelSize(UM, UM)
    planes = np.stack([labels * 100, labels * 50]).astype(np.uint16)
    channels = Channel("DNA", 0), Channel("T", 1)
    slide = Slide("s", "s.tif", "OME-TIFF", channels, size, (da.from_array(planes),))
    write_slide_store(slide, results.slide)
    both = {"nuclei": labels, "cells": labels}
    write_label_store(results.labels, both, size)
    write_label_store(results.regions, {"regions": regions}, PixelSize(2.0, 2.0))
    masks = dict.fromkeys(CAUSES, np.zeros_like(regions))
    masks["tissue"] = (regions > 0).astype(np.uint8)
    write_label_store(results.quality, masks, PixelSize(2.0, 2.0))
    write_table(
        figure_table([Figure("DNA", "p50", 1.0, "counts")]), results.quality_figures
    )
    gates = pd.DataFrame(
        {
            "sample": results.sample_id,
            "marker": ["CD8"],
            "threshold": [np.nan],
            "method": "gmm",
            "scope": "slide",
            "note": "",
        }
    )
    table = landscape("nan", cells, regions, 2.0, panel, LandscapeOptions())
    write_table(gates, results.gates)
    write_table(table, results.landscape)
    write_table(cells, results.cells)
    results.write_record("phenotype", {"facts": {"impossible": []}})


def _cells(rows):
    columns = ["cell_id", "x_um", "y_um", "CD8_membrane_mean", "phenotype", "region"]
    cells = pd.DataFrame(rows, columns=columns)
    return cells.assign(qc_evaluable=cells["region"] != "excluded")


@pytest.fixture
def job(tmp_path):
    """A slide of 200 x 300 px with one cell, on tissue in its right half."""
    regions = np.zeros((50, 75), np.uint8)
    regions[:, 38:] = 3
    labels = np.zeros((200, 300), np.uint32)
    labels[40:60, 240:260] = 1
    cells = _cells([(1, 125.0, 25.0, 50.0, "other", "outside")])
    options = Options(report=ReportOptions(tile_um=50, thumbnail_px=200))
    results = Results(tmp_path / "sample")
    _write(results, regions, labels, cells, _panel())
    return Job(results, _panel(), options, quiet=True)


def test_the_page_and_the_provenance_are_written(job):
    facts = report(job)
    assert "sample" in job.results.report.read_text(encoding="utf-8")
    provenance = json.loads(job.results.provenance.read_text(encoding="utf-8"))
    assert provenance["sample_id"] == "sample"
    assert list(provenance["stages"]) == ["phenotype", "report"]
    assert provenance["packages"]["numpy"] == np.__version__
    assert any(line.startswith("warn: CD8 is undecided") for line in facts["findings"])


def test_the_densest_tile_is_read_where_the_cell_is(job):
    tile = gather(job).tiles[0]
    assert tile.title == "densest tile"
    assert (tile.x_um, tile.y_um) == (100.0, 0.0)
    assert tile.phenotypes == {1: "other"}
    assert tile.planes.shape == (2, 100, 100)
    assert (tile.planes[0] == 100.0 * (tile.cells == 1)).all()


def test_the_overview_shows_slide_and_regions_on_one_grid(job):
    overview = gather(job).overview
    assert overview.nucleus.shape == overview.regions.shape == (133, 200)
    assert overview.um == pytest.approx(150 / 200)
    assert (overview.regions[:, :99] == 0).all()
    assert (overview.regions[:, 103:] == 3).all()
    rows, cols = np.nonzero(overview.nucleus > 50)
    assert rows.mean() * overview.um == pytest.approx(25, abs=1)
    assert cols.mean() * overview.um == pytest.approx(125, abs=1)


def test_a_gallery_shows_a_cell_in_its_surroundings(job):
    gates = pd.read_csv(job.results.gates).assign(threshold=40.0)
    write_table(gates, job.results.gates)
    (gallery,) = gather(job).galleries
    (stamp,) = gallery.stamps["borderline"]
    assert gallery.stamps["clear positive"] == ()
    assert stamp.planes.shape == (2, 48, 48)
    rows, cols = np.nonzero(stamp.cell)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (14, 33, 14, 33)
    assert (stamp.planes[1] == 50.0 * stamp.cell).all()


def test_a_gallery_at_the_edge_of_the_slide(job):
    cells = _cells([(1, 149.0, 1.0, 50.0, "other", "outside")])
    write_table(cells, job.results.cells)
    gates = pd.read_csv(job.results.gates).assign(threshold=40.0)
    write_table(gates, job.results.gates)
    (stamp,) = gather(job).galleries[0].stamps["borderline"]
    assert stamp.planes.shape == (2, 48, 48)
    assert stamp.cell.shape == (48, 48)


def test_excluded_cells_are_not_shown_as_what_a_gate_does(job):
    cells = _cells([(1, 125.0, 25.0, 50.0, "other", "excluded")])
    write_table(cells, job.results.cells)
    gates = pd.read_csv(job.results.gates).assign(threshold=40.0)
    write_table(gates, job.results.gates)
    content = gather(job)
    assert content.levels.empty
    assert content.galleries == ()
    assert len(content.overview.phenotypes) == 1


def test_text_that_looks_like_a_missing_number_stays_text(job):
    assert set(gather(job).landscape["sample_id"]) == {"nan"}


def test_cells_measured_for_another_panel_are_refused(job):
    other = Job(job.results, _panel("nucleus"), job.options, quiet=True)
    with pytest.raises(FormatError, match="another panel"):
        gather(other)


def test_a_slide_of_glass_is_reported(job):
    glass, no_label = np.zeros((50, 75), np.uint8), np.zeros((200, 300), np.uint32)
    none = _cells([]).astype({"phenotype": object})
    _write(job.results, glass, no_label, none, _panel())
    assert report(job)["tiles"] == 0
    assert "No tissue was found" in job.results.report.read_text(encoding="utf-8")
