"""Calls and landscapes of the MIBI images, each of which is analysed once."""

import pandas as pd
import pytest

from benchmarks import calls
from mifprofile.core.landscape.scores import HAS_VALUE
from mifprofile.io.config import override_options
from mifprofile.io.results import Results
from mifprofile.options import STAGES, Options
from mifprofile.stages import Job, run_stage

# A little below what was reached.
FLOORS = {
    "slide": {
        "CD8": 0.87,
        "immune": 0.91,
        "tumour": 0.90,
        "HER2+": 0.80,
        "HER2 intense": 0.86,
        "Ki67": 0.93,
        "ER": 0.97,
        "PD-L1": 0.80,
    },
    "cohort": {
        "CD8": 0.78,
        "immune": 0.93,
        "tumour": 0.90,
        "HER2+": 0.80,
        "HER2 intense": 0.86,
        "Ki67": 0.94,
        "ER": 0.97,
        "PD-L1": 0.80,
    },
}
SCORES = ("pdl1_tps", "pdl1_cps", "her2_pct_pos", "her2_h_score")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where all images are analysed, with defaults."""
    return tmp_path_factory.mktemp("mibi")


@pytest.fixture(scope="module")
def images(data_dir, folder):
    return calls.mibi_images(data_dir, folder)


@pytest.mark.parametrize("scope", FLOORS)
def test_images_rank_as_published(data_dir, images, scope):
    panel = calls.panel_of("mibi")
    cuts = (
        calls.cohort_gates(images, panel)
        if scope == "cohort"
        else {n: calls.thresholds(calls.own_gates(s, panel)) for n, s in images.items()}
    )
    ranks = calls.mibi_ranks(images, cuts, calls.published(data_dir))
    low = {name: rank for name, rank in ranks.items() if rank < FLOORS[scope][name]}
    assert not low


def test_few_markers_are_left_undecided(data_dir, images, tmp_path):
    grades = calls.real_grades(data_dir, tmp_path, images)
    assert (grades == "undecided").mean() <= 0.06
    # Nothing is absent where people see it.
    seen = {"lung": {"CK", "CD8", "FOXP3", "CD68"}, "tonsil": {"CD4", "CD8"}}
    wrong = [
        (sample, marker)
        for (sample, marker), grade in grades.items()
        if grade == "absent" and marker in seen.get(sample, ())
    ]
    assert not wrong


@pytest.fixture(scope="module")
def landscapes(data_dir, folder):
    """Gates and landscape of every MIBI image and of the tonsil."""
    slides = dict.fromkeys(sorted((data_dir / "mibi_dcis").glob("point_*.tif")), "mibi")
    slides[data_dir / "tonsil_5ch" / "input.tiff"] = "tonsil"
    return {
        slide.name: _landscape(slide, name, folder) for slide, name in slides.items()
    }


def _landscape(slide, panel_name, out):
    um = {"pixel_size_um": calls.UM} if panel_name == "tonsil" else {}
    given = {"ingest": um, "landscape": {"spatial": False}}
    options = override_options(Options(), given, "test")
    panel = calls.panel_of(panel_name)
    job = Job(Results(out / slide.name), panel, options, slide=slide, quiet=True)
    for stage in STAGES[: STAGES.index("landscape") + 1]:
        run_stage(job, stage)
    tables = (job.results.gates, job.results.landscape)
    return (*(pd.read_csv(t, keep_default_na=False) for t in tables), panel)


def test_no_number_rests_on_an_undecided_marker(landscapes):
    for name, (gates, table, panel) in landscapes.items():
        undecided = set(gates.loc[gates["grade"] == "undecided", "marker"])
        asking = {
            phenotype
            for phenotype, rule in panel.rules.items()
            if any(sign and marker in undecided for marker, sign in rule.signs)
        } | undecided
        rows = table[
            table["phenotype"].isin(asking) | table["phenotype_b"].isin(asking)
        ]
        assert (rows["value"] == "").all(), name
        assert (rows["n_num"] == "").all(), name
        assert (rows["status"] == "NOT_COMPUTABLE").all(), name


def test_no_tumour_is_said_only_where_tumour_cells_could_be_seen(landscapes):
    for name, (gates, table, panel) in landscapes.items():
        asked = (
            [m for m, sign in panel.rules.get(panel.tumour, ()).signs if sign]
            if (panel.tumour)
            else []
        )
        grades = gates.set_index("marker").loc[asked, "grade"]
        if (table["status"] == "NO_TUMOUR").any():
            assert "undecided" not in set(grades), name


def test_scores_are_given_where_there_are_tumour_cells(landscapes):
    seen = 0
    for name, (_, table, panel) in landscapes.items():
        count = table[(table["metric"] == "count") & (table["region"] == "tissue")]
        tumour = count.set_index("phenotype")["value"].get(panel.tumour, "")
        if tumour in ("", "0.0"):
            continue
        seen += 1
        for score in SCORES:
            row = table[table["metric"] == score].iloc[0]
            assert row["value"] != "", (name, score, row["status"], row["reason"])
            assert row["status"] in HAS_VALUE
    assert seen >= 18


def test_a_status_says_whether_there_is_a_value(landscapes):
    for name, (_, table, _) in landscapes.items():
        # A region that is not there has an area of 0, and none of its cells.
        asked = table[~table["metric"].isin(["area", "count"])]
        given = asked["status"].isin(HAS_VALUE)
        assert ((asked["value"] != "") == given).all(), name


def test_what_rests_on_a_graded_gate_says_so_and_what_population_it_may_be(landscapes):
    seen = 0
    for name, (gates, table, panel) in landscapes.items():
        graded = set(gates.loc[gates["grade"] == "graded", "marker"])
        rows = table[(table["metric"] == "density") & (table["value"] != "")]
        for phenotype, rule in panel.rules.items():
            asked = {marker for marker, sign in rule.signs if sign}
            mine = rows[rows["phenotype"] == phenotype]
            if mine.empty or not asked & graded:
                continue
            seen += 1
            assert set(mine["grade"]) == {"graded"}, (name, phenotype)
            least, most = (
                mine[f"n_corrected_{end}"].astype(float) for end in ("low", "high")
            )
            assert mine["n_num"].astype(float).between(least, most).all()
            assert (mine["value_at_low_gates"] != "").all()
    assert seen >= 40
