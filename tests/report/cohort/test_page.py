import numpy as np
import pytest

from mifprofile.report.cohort.checklists import remark
from mifprofile.report.cohort.courses import classes
from mifprofile.report.cohort.methods import methods
from mifprofile.report.cohort.page import (
    CohortContent,
    drawings_of,
    p_text,
    render_cohort,
)
from tests.core.cohort.conftest import Cohort
from tests.core.cohort.test_analyse import AFTER, BEFORE


@pytest.fixture(scope="module")
def analysis():
    cohort = Cohort()
    cohort.pairs(BEFORE, AFTER)
    return cohort.analyse()


@pytest.mark.parametrize(
    ("value", "text"), [(0.0004, "< 0.001"), (0.04567, "0.046"), (np.nan, "–")]
)
def test_p_values_as_journals_write_them(value, text):
    assert p_text(value) == text


def test_methods_name_what_was_run_and_nothing_else(analysis):
    text = " ".join(methods(analysis, {"scipy": "1"}))
    assert "8 at baseline, 8 at on_tx" in text
    assert "Wilcoxon signed-rank, exact; Hodges–Lehmann" in text
    assert "CD8+ cells as log2" in text
    for absent in ("Cox", "covariance", "Firth"):
        assert absent not in text


def test_remark_has_its_twenty_items(analysis):
    assert [item.number for item in remark(analysis)] == [str(i) for i in range(1, 21)]


def test_where_nothing_can_be_drawn_there_is_a_sentence():
    cohort = Cohort()
    cohort.add("P0", "baseline", 5)
    drawing = classes(cohort.analyse().parts[0])
    assert drawing.svg == ""
    assert drawing.caption == "There are results of fewer than two times."


def test_an_arm_without_a_value_is_drawn_empty():
    cohort = Cohort()
    cohort.add("P0", "baseline", 5, pfs_days="9", pfs_event="1")
    cohort.add("P1", "baseline", None, arm="B", missing_reason="refused")
    drawings = drawings_of(cohort.analyse())
    numbers = drawings["human_cd8"].table.set_index("patient_id")
    assert list(numbers["value_baseline"].notna()) == [True, False]
    assert "human_pfs_by_arm" in drawings


def test_a_cohort_in_which_nothing_has_a_value_has_its_page():
    cohort = Cohort()
    lost = {"value": np.nan, "status": "NOT_COMPUTABLE", "reason": "undecided: CD8"}
    for i in range(4):
        more = {"pfs_days": "9", "pfs_event": "1", "best_response_recist": "PR"}
        cohort.add(f"P{i}", "baseline", 5, more=lost, **more)
    analysis = cohort.analyse()
    page = render_cohort(CohortContent("lost", analysis, drawings_of(analysis)))
    assert "undecided: CD8" in page
    assert analysis.parts[0].findings["p_value"].isna().all()
