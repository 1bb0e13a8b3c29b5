import shutil

import pandas as pd
import pytest

import mifprofile as mp
from mifprofile.errors import MissingError, UsageError
from mifprofile.io.tables import read_csv


@pytest.fixture(scope="module")
def two(tmp_path_factory, finished):
    """Two samples with the same cells."""
    root = tmp_path_factory.mktemp("two")
    for name in ("a", "b"):
        shutil.copytree(finished.results.folder, root / name, symlinks=True)
    return [root / "a", mp.open(root / "b")]


def test_a_run_that_is_up_to_date_gives_its_sample(copy, synthetic, capsys):
    sample = mp.run(str(synthetic.slide), copy.panel, str(copy.results.folder))
    assert sample.sample_id == "sample"
    assert capsys.readouterr().err.count("up to date") == 8


def test_a_run_takes_options_as_the_command_line_does(copy, synthetic, panel_path):
    sample = mp.run(
        synthetic.slide,
        panel_path,
        copy.results.folder,
        phenotype={"min_confidence": 1.0},
        quiet=True,
    )
    assert (sample.cells()["phenotype"] == "uncertain").any()


@pytest.mark.parametrize("slide", [None, 3, ["a.tif"], ""])
def test_a_slide_is_a_path(slide, demo_panel, tmp_path):
    with pytest.raises(UsageError, match=r"^slide: give a path"):
        mp.run(slide, demo_panel, tmp_path)


def test_a_slide_that_is_not_there_is_named(demo_panel, tmp_path):
    with pytest.raises(MissingError, match=r"none\.tif: no such file"):
        mp.run(tmp_path / "none.tif", demo_panel, tmp_path / "out", quiet=True)


def test_a_wrong_name_is_noticed_before_anything_is_done(demo_panel, tmp_path):
    with pytest.raises(UsageError, match="did you mean 'pixel_size'"):
        mp.run("a.tif", demo_panel, tmp_path / "out", pixelsize=0.5)
    with pytest.raises(UsageError, match="landscape: no option 'workers'"):
        mp.landscape("cells.csv", demo_panel, tmp_path / "out", workers=2)
    with pytest.raises(UsageError, match=r"gates: no option 'skope'.*'scope'"):
        mp.gates(["a"], "gates.csv", skope="slide")
    with pytest.raises(UsageError, match="neighbourhoods: no option 'n'"):
        mp.neighbourhoods(["a"], "panel.yaml", "out", n=3)
    assert not any(tmp_path.iterdir())


def test_a_table_in_memory_is_as_good_as_one_on_disk(demo_panel, tmp_path):
    table = pd.DataFrame({"x_um": [1.0, 9.0], "y_um": 2.0, "phenotype": ["CTL", "-"]})
    path = tmp_path / "cells.csv"
    table.to_csv(path, index=False)
    samples = [
        mp.landscape(cells, demo_panel, tmp_path / folder / "same", quiet=True)
        for cells, folder in ((table, "memory"), (str(path), "disk"))
    ]
    pd.testing.assert_frame_equal(*(s.cells() for s in samples))
    pd.testing.assert_frame_equal(*(s.landscape() for s in samples))


def test_areas_give_densities(demo_panel, tmp_path):
    areas = tmp_path / "areas.csv"
    areas.write_text("region,area_mm2\ntumour,0.5\n")
    table = pd.DataFrame(
        {"x_um": [1.0], "y_um": [2.0], "phenotype": ["CTL"], "region": ["tumour"]}
    )
    sample = mp.landscape(
        table, demo_panel, tmp_path / "out", areas=str(areas), quiet=True
    )
    rows = sample.landscape().query("metric == 'density' and phenotype == 'CTL'")
    assert rows.set_index("region").loc["tumour", "value"] == 2


@pytest.mark.parametrize("table", [None, 3, [1, 2]])
def test_what_is_no_table_is_refused(table, demo_panel, tmp_path):
    with pytest.raises(UsageError, match=r"^table: give a path"):
        mp.landscape(table, demo_panel, tmp_path / "out")


def test_columns_of_several_types_are_refused(demo_panel, tmp_path):
    table = pd.DataFrame({"x_um": [1.0, "far"], "y_um": 2.0})
    with pytest.raises(UsageError, match=r"^table: its columns .*x_um"):
        mp.landscape(table, demo_panel, tmp_path / "out", quiet=True)


def test_gates_of_samples_and_folders(two, panel_path, tmp_path):
    out = tmp_path / "gates.csv"
    table = mp.gates(two, str(out), panel=str(panel_path), scope="cohort")
    assert set(table["sample"]) == {"a", "b"}
    assert (table.groupby("marker")["threshold"].nunique(dropna=False) == 1).all()
    assert read_csv(out)["sample"].tolist() == table["sample"].tolist()


def test_neighbourhoods_of_samples_and_folders(two, panel_path, tmp_path):
    found = mp.neighbourhoods(two, str(panel_path), str(tmp_path), clusters=3, k=8)
    assert set(found.makeup["neighbourhood"]) == {1, 2, 3}
    assert set(found.shares["sample_id"]) == {"a", "b"}
    assert (found.makeup["reason"] == "").any()
    assert (found.folder / "a.parquet").is_file()
