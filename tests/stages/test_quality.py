from dataclasses import replace

import dask.array as da
import numpy as np
import pandas as pd
import pytest

from benchmarks.quality import FAULTS, PLANTED, excluded_share, overlaps
from mifprofile.core.quality import CAUSES, figure_table
from mifprofile.model import Channel, PixelSize, Slide
from mifprofile.options import STAGES, QualityOptions
from mifprofile.stages import run_all
from mifprofile.stages.planes import coarse_plane
from mifprofile.stages.quality import find_tissue
from mifprofile.stages.quality.scan import ScanGrid
from mifprofile.stages.quality.survey import survey_slide
from mifprofile.stages.workers import open_workers
from mifprofile.synthetic import SynthOptions, synthetic_block
from tests.panels import make_panel

PANEL = make_panel({"CD8": "CD8/membrane"})


def survey(pixels, block_px=1024):
    """Masks and figures of a slide of two channels at 0.5 µm."""
    channels = tuple(Channel(name, i) for i, name in enumerate(PANEL.channel_names))
    levels = (da.from_array(pixels, chunks=(1, 1024, 1024)),)
    slide = Slide("s", "s", "", channels, PixelSize(0.5, 0.5), levels)
    options = QualityOptions()
    plane, um = coarse_plane(slide, "DAPI", options.mask_um)
    tissue = find_tissue(plane, um, options)
    grid = ScanGrid(slide, tissue, um, block_px)
    with open_workers(1, None) as workers:
        return tissue, *survey_slide(grid, plane, PANEL, options, (), workers)


def test_planted_faults_are_found_where_they_are(tmp_path):
    options = SynthOptions(size_mm=(1.2, 1.2), seed=7, **FAULTS)
    found = overlaps(options, tmp_path)
    assert set(found) == {"glass", *PLANTED}
    assert min(found.values()) >= 0.8, found


def test_of_a_clean_slide_hardly_anything_is_excluded(tmp_path):
    assert excluded_share(SynthOptions(size_mm=(0.8, 0.8), seed=8), tmp_path) < 0.01


def test_the_block_size_changes_nothing():
    options = SynthOptions(
        size_mm=(0.6, 0.45), seed=3, markers=("CD8",), out_of_focus_count=1
    )
    pixels = synthetic_block(options, 0, 0, *options.shape_px).channels
    _, masks, figures = survey(pixels)
    for block_px in (128, 256, 500):
        _, others, again = survey(pixels, block_px)
        pd.testing.assert_frame_equal(figure_table(figures), figure_table(again))
        assert all((masks[c] == others[c]).all() for c in CAUSES)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 300, 200), np.uint16),
        np.full((2, 300, 200), 9, np.uint8),
        np.arange(2 * 400, dtype=np.uint16).reshape(2, 1, 400),
        np.full((2, 64, 64), np.nan, np.float32),
        np.random.default_rng(0).normal(0, 5, (2, 300, 300)).astype(np.float32),
    ],
    ids=["blank", "flat", "one pixel high", "not a number", "float noise"],
)
def test_odd_slides_give_figures_or_reasons(pixels):
    tissue, masks, figures = survey(pixels)
    assert all(not (masks[cause] & ~tissue).any() for cause in CAUSES)
    assert figures
    assert all(bool(f.reason) == bool(np.isnan(f.value)) for f in figures)


def test_drawn_areas_leave_cells_and_labels_but_not_the_counts(
    copy, tmp_path, draw_square
):
    before = {s: copy.results.record_path(s).stat().st_mtime_ns for s in STAGES}
    drawn = replace(copy, exclusions=draw_square(tmp_path / "drawn.geojson", 0, 400))
    cells = len(pd.read_parquet(copy.results.cells))
    run_all(drawn)
    changed = {
        s for s in STAGES if copy.results.record_path(s).stat().st_mtime_ns != before[s]
    }
    assert changed == {"quality", "phenotype", "landscape", "export", "report"}
    table = pd.read_parquet(copy.results.cells)
    inside = (table["x_um"] < 198) & (table["y_um"] < 198)
    assert len(table) == cells
    assert table.loc[inside, "qc_excluded"].all()
    assert not table.loc[table["qc_excluded"], "qc_evaluable"].any()
    landscape = pd.read_csv(copy.results.landscape)
    all_cells = landscape[
        (landscape["metric"] == "count") & (landscape["phenotype"] == "all")
    ].set_index("region")
    counted = table["region"].isin(["tumour", "stroma", "outside"])
    assert all_cells.at["tissue", "value"] == counted.sum()
    assert not (counted & table["qc_excluded"]).any()
    facts = copy.results.read_record("quality")["facts"]
    areas = facts["areas_mm2"]
    parts = [areas[name] for name in (*CAUSES, "evaluable")]
    assert sum(parts) == pytest.approx(areas["tissue"])
    assert facts["drawn"] == ["dust"]


def test_a_slide_that_is_all_excluded_has_rows_with_a_status(
    copy, tmp_path, draw_square
):
    run_all(replace(copy, exclusions=draw_square(tmp_path / "all.geojson", -9, 99_999)))
    verdict = copy.results.read_record("quality")["facts"]["verdict"]
    assert verdict["word"] == "fail"
    landscape = pd.read_csv(copy.results.landscape)
    assert len(landscape)
    assert (landscape["status"] == "QC_FAIL").all()
    assert landscape["value"].isna().all()
    assert "fail" in copy.results.report.read_text(encoding="utf-8")
