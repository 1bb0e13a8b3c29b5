import pytest

from mifprofile.core.quality import CAUSES, Figure, figure_table, judge_sample
from mifprofile.options import QualityOptions

GOOD = (
    Figure("DAPI", "sharpness", 0.13, "1"),
    Figure("CD8", "saturated_pixels", 0.01, "%"),
    Figure("CD8", "illumination", 3.0, "%"),
    Figure("CD8", "contrast_to_noise", 50.0, "1"),
    Figure("CD8", "leak", 40.0, "%", channel_b="CD3"),
)
APART = {frozenset({"CD8", "CK"})}


def judge(*figures, tissue=2.0, **excluded):
    areas = {"tissue": tissue, **dict.fromkeys(CAUSES, 0.0)} | excluded
    areas["evaluable"] = tissue - sum(excluded.values())
    table = figure_table([*GOOD, *figures])
    return judge_sample(areas, table, APART, QualityOptions())


def test_a_slide_within_all_limits_passes():
    assert judge() == judge(fold=0.1)
    assert judge().word == "pass"
    assert judge().reasons == ()


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Figure("DAPI", "sharpness", 0.06, "1"), "out of focus all over"),
        (Figure("CK", "saturated_pixels", 0.5, "%"), "CK: 0.5 % of it clips"),
        (Figure("CK", "illumination", 30.0, "%"), "CK: its light varies by 30 %"),
        (Figure("CK", "contrast_to_noise", 1.5, "1"), "CK: contrast 1.5 x noise"),
        (Figure("CD8", "leak", 25.0, "%", channel_b="CK"), "CK may show CD8"),
    ],
)
def test_each_limit_asks_for_a_review_and_says_why(figure, text):
    verdict = judge(figure)
    assert verdict.word == "review"
    (reason,) = verdict.reasons
    assert text in reason


def test_much_excluded_tissue_is_reviewed_and_most_of_it_fails():
    assert judge(fold=0.1, out_of_focus=0.3).reasons == (
        "20 % of the tissue is excluded, mostly out of focus",
    )
    assert judge(fold=1.5).word == "fail"
    assert judge(tissue=0.005).word == "fail"
    assert judge(tissue=0.0).reasons == ("no tissue was found",)


def test_a_figure_that_is_missing_is_no_reason():
    assert judge(Figure("CK", "illumination", float("nan"), "%")).word == "pass"
