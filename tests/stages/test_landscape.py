import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mifprofile.errors import UsageError
from mifprofile.io.config import override_options
from mifprofile.options import STAGES
from mifprofile.stages import open_results, run_all, run_stage
from mifprofile.stages.landscape import check_landscape, read_regions

TILES = ["tumour", "stroma", "outside"]


def feature(name, left, top, right, bottom):
    """A rectangle as QuPath writes it, in px of the slide."""
    corners = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [corners]},
        "properties": {"objectType": "annotation", "classification": {"name": name}},
    }


def drawing(path, *features):
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def by_marker(job, **measure):
    sections = {"landscape": {"nests": "marker"}, "measure": measure}
    return replace(job, options=override_options(job.options, sections, "test"))


def run(job, *stages):
    for stage in stages:
        run_stage(job, stage)


def facts(job):
    return job.results.read_record("landscape")["facts"]


def rows(job, metric, phenotype):
    table = pd.read_csv(job.results.landscape)
    chosen = (table["metric"] == metric) & (table["phenotype"] == phenotype)
    return table[chosen].set_index("region")


def test_drawn_regions_hold_for_areas_and_cells(copy, tmp_path):
    before = {s: copy.results.record_path(s).stat().st_mtime_ns for s in STAGES}
    found, um = read_regions(copy.results)
    path = drawing(
        tmp_path / "pathologist.geojson",
        feature("Tumor", 0, 0, 240, 9999),
        feature("Stroma", 160, 0, 320, 9999),
        feature("Other", 320, 0, 400, 9999),
    )
    drawn = replace(copy, regions=path)
    run_all(drawn)
    changed = {
        s for s in STAGES if copy.results.record_path(s).stat().st_mtime_ns != before[s]
    }
    assert changed == {"landscape", "export", "report"}
    assert um == 2.0
    regions, _ = read_regions(copy.results)
    tissue = np.isin(found, (1, 2, 3))
    expected = found.copy()
    # Of areas that overlap the later holds.
    drawn_at = {
        "tumour": slice(0, 40),
        "stroma": slice(40, 80),
        "outside": slice(80, 100),
    }
    for code, columns in enumerate(drawn_at.values(), start=1):
        expected[:, columns][tissue[:, columns]] = code
    np.testing.assert_array_equal(regions, expected)
    assert facts(copy)["drawn_mm2"] == pytest.approx(
        {name: tissue[:, c].sum() * 4e-6 for name, c in drawn_at.items()}
    )
    counts = rows(copy, "count", "all")
    assert counts.loc[TILES, "value"].sum() == counts.at["tissue", "value"]
    assert counts.loc[TILES, "area_mm2"].sum() == pytest.approx(
        counts.at["tissue", "area_mm2"]
    )
    cells = pd.read_parquet(copy.results.cells)
    inside = cells["x_um"] < 80
    assert set(cells.loc[inside, "region"]) <= {"tumour", "glass"}
    assert (cells["region"] == "stroma").sum() == counts.at["stroma", "value"]


def test_a_folder_keeps_the_regions_it_was_given(copy, tmp_path):
    path = drawing(tmp_path / "drawn.geojson", feature("Stroma", 0, 0, 9999, 9999))
    run_all(replace(copy, regions=path))
    path.unlink()
    again = open_results(copy.results.folder)
    before = copy.results.record_path("landscape").stat().st_mtime_ns
    run_stage(again, "landscape")
    assert copy.results.record_path("landscape").stat().st_mtime_ns == before
    run_stage(again, "landscape", force=True)
    assert facts(copy)["area_mm2"]["tumour"] == facts(copy)["area_mm2"]["outside"] == 0


def test_tumour_may_be_drawn_where_the_panel_names_none(copy, tmp_path):
    panel = copy.panel.model_copy(update={"tumour": None})
    job = replace(copy, panel=panel)
    run(job, "phenotype", "landscape")
    assert rows(job, "density", "CTL").at["tumour", "status"] == "NOT_COMPUTABLE"
    path = drawing(tmp_path / "drawn.geojson", feature("Tumor", 0, 0, 300, 9999))
    run(replace(job, regions=path), "landscape")
    density = rows(job, "density", "CTL").loc["tumour"]
    assert density["status"] != "NOT_COMPUTABLE"
    assert density["value"] == pytest.approx(density["n_num"] / density["area_mm2"])
    assert density["area_mm2"] == pytest.approx(facts(job)["drawn_mm2"]["tumour"])


def test_a_drawing_off_the_tissue_is_pointed_out(copy, tmp_path, capsys):
    path = drawing(tmp_path / "far.geojson", feature("Tumor", 5000, 0, 6000, 99))
    run_stage(replace(copy, regions=path, quiet=False), "landscape")
    assert "no drawn area lies on evaluable tissue" in capsys.readouterr().err
    assert facts(copy)["drawn_mm2"] == {"tumour": 0, "stroma": 0, "outside": 0}


def test_a_class_without_a_meaning_stops_a_run_before_it_starts(copy, tmp_path):
    path = drawing(tmp_path / "odd.geojson", feature("Immune cells", 0, 0, 9, 9))
    with pytest.raises(UsageError, match=r"odd\.geojson: class 'Immune cells' names"):
        run_all(replace(copy, regions=path), force=True)
    assert copy.results.landscape.exists()


def test_nests_of_the_marker_are_about_those_of_its_cells(copy):
    of_cells, um = read_regions(copy.results)
    job = by_marker(copy)
    run(job, "landscape")
    of_marker, same_um = read_regions(copy.results)
    assert um == same_um
    np.testing.assert_array_equal(of_marker == 0, of_cells == 0)
    both = ((of_cells == 1) & (of_marker == 1)).sum()
    assert 2 * both / ((of_cells == 1).sum() + (of_marker == 1).sum()) > 0.8
    assert (of_cells != of_marker).any()
    counts = rows(job, "count", "all")["value"]
    assert counts[TILES].sum() == counts["tissue"]


def test_a_threshold_above_all_stain_leaves_no_nest(copy):
    job = by_marker(copy, pixel_thresholds={"CK": 1e9})
    run(job, "measure", "phenotype", "landscape")
    assert facts(job)["area_mm2"]["tumour"] == 0
    assert rows(job, "density", "CTL").at["tumour", "status"] == "NO_TUMOUR"


@pytest.mark.parametrize(
    ("panel", "measure", "message"),
    [
        ({"tumour": None}, {}, "the panel names none"),
        ({"tumour": "Treg"}, {}, "FOXP3, which lies in the nucleus"),
        ({}, {"correct": {"background": "tissue"}}, "the slide's own pixels"),
    ],
)
def test_what_cannot_be_nests_is_refused(copy, panel, measure, message):
    job = by_marker(copy, **measure)
    panel = copy.panel.model_copy(update=panel)
    with pytest.raises(UsageError, match=message):
        check_landscape(job.options, panel, None)


def test_nests_of_corrected_pixels_are_refused_by_the_record(copy):
    path = copy.results.record_path("measure")
    record = json.loads(path.read_text())
    record["facts"]["corrected"] = {}
    path.write_text(json.dumps(record))
    with pytest.raises(UsageError, match="the slide's own pixels"):
        run_stage(by_marker(copy), "landscape")


def test_nests_of_a_marker_without_a_threshold_are_refused(copy):
    path = copy.results.record_path("measure")
    record = json.loads(path.read_text())
    record["facts"]["pixel_thresholds"]["CK"] = None
    path.write_text(json.dumps(record))
    with pytest.raises(UsageError, match="no pixel threshold of CK"):
        run_stage(by_marker(copy), "landscape")
