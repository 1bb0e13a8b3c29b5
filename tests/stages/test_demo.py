from io import StringIO

import pandas as pd
import pytest

from mifprofile.stages import demo as demo_stage
from mifprofile.stages.demo import MIN_TRUE, make_slide, run_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return folder, run_demo(folder, quiet=True)


def test_every_frequent_phenotype_is_within_ten_percent_of_the_truth(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(demo_stage, "SIZE_MM", (0.5, 0.5))
    run_demo(tmp_path, quiet=True, look="easy")
    table = pd.read_csv(tmp_path / "accuracy.csv")
    counted = table[table["true"] >= MIN_TRUE]
    names = ["tumour", "CTL", "Treg", "other"]
    assert counted["phenotype"].tolist() == names
    uncertain = table.set_index("phenotype").loc["uncertain", "found"]
    assert uncertain <= 0.01 * table["found"].sum()
    assert counted[["count_error_pct", "density_error_pct"]].abs().max(axis=None) <= 10


def test_it_says_where_the_report_is(demo):
    folder, text = demo
    assert text.endswith(f"report: {folder / 'results' / 'report.html'}")
    assert (folder / "results" / "report.html").stat().st_size > 100_000


def test_the_slide_has_the_markers_that_were_asked_for(tmp_path):
    files = make_slide(tmp_path / "s.ome.tiff", (0.1, 0.1), 0, ("CD8", "CK"))
    assert {"CD8_positive", "CK_positive"} < set(pd.read_csv(files[2]).columns)


def test_it_says_how_each_marker_was_called(demo):
    _, text = demo
    lines = text.splitlines()
    head = next(i for i, line in enumerate(lines) if "best_kappa" in line)
    table = pd.read_csv(StringIO("\n".join(lines[head : head + 6])), sep=r"\s+")
    assert table["marker"].tolist() == ["CD8", "FOXP3", "PD-L1", "HER2", "CK"]
    assert set(table["grade"]) <= {"clear", "graded"}
    assert (table["kappa"] >= 0.8 * table["best_kappa"]).all()
    inside = table["true_pct"].between(table["low"], table["high"])
    assert inside.sum() >= 4


def test_a_slide_that_was_drawn_otherwise_is_drawn_anew(demo, tmp_path, monkeypatch):
    class Stopped(Exception):
        pass

    def stop(*_):
        raise Stopped

    make_slide(tmp_path / "slide.ome.tiff", (0.1, 0.1), 1, None, "easy")
    monkeypatch.setattr(demo_stage, "write_synthetic_slide", stop)
    monkeypatch.setattr(demo_stage, "run_all", lambda _: None)
    assert "best_kappa" in run_demo(demo[0], quiet=True)
    with pytest.raises(Stopped):
        run_demo(tmp_path, quiet=True)
