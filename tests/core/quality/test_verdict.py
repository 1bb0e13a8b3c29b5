import numpy as np
import pandas as pd
import pytest

from mifprofile.core.quality import (
    CAUSES,
    Figure,
    NucleiFigures,
    QualityVerdict,
    figure_table,
    judge_results,
    judge_sample,
    lymphocyte_nucleus,
    unseen_share,
)
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
    return judge_sample(areas, table, APART, "DAPI", QualityOptions())


def join(word="pass", *reasons, undecided=None, conflicts=(), **nuclei):
    figures = {"count": 900, "median_um2": 40.0, "unseen_share": 0.1} | nuclei
    return judge_results(
        QualityVerdict(word, reasons),
        undecided or {},
        NucleiFigures("DAPI", 0.377, **figures),
        conflicts,
        QualityOptions(),
        decide="look",
    )


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
    assert judge(tissue=0.0).reasons == (
        "no tissue was found: DAPI shows no nuclei anywhere",
    )


def test_a_figure_that_is_missing_is_no_reason():
    assert judge(Figure("CK", "illumination", float("nan"), "%")).word == "pass"


def test_a_nuclear_stain_that_clips_fails_and_a_marker_is_reviewed():
    clipped = Figure("DAPI", "saturated_pixels", 8.0, "%")
    assert judge(clipped).word == "fail"
    assert judge(clipped).reasons == (
        "DAPI clips in 8 % of the tissue, more than 5 %: its nuclei cannot be told",
    )
    assert judge(Figure("CK", "saturated_pixels", 8.0, "%")).word == "review"


def test_saturated_tissue_fails_and_says_so():
    (reason,) = judge(saturated=1.5).reasons
    assert reason.endswith("mostly saturated")


def test_what_is_known_of_a_good_sample_leaves_a_pass():
    assert join() == QualityVerdict("pass")
    assert join(unseen_share=np.nan).word == "pass"


def test_an_undecided_marker_of_a_phenotype_comes_first_with_the_next_step():
    undecided = {"CD8": ["CTL", "tumour"], "FOXP3": ["Treg", "CTL"]}
    found = join("review", "12 % is excluded", undecided=undecided)
    assert found.word == "review"
    first, second = found.reasons
    assert first == (
        "CD8, FOXP3 are undecided, and CTL, tumour, Treg cannot be told without: look"
    )
    assert second == "12 % is excluded"


def test_a_failed_slide_stays_failed_and_says_that_first():
    found = join("fail", "no tissue was found", undecided={"CD8": ["CTL"]})
    assert found.word == "fail"
    assert found.reasons[0] == "no tissue was found"
    assert len(found.reasons) == 2


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ({"median_um2": 9.0}, "a nucleus of 9 µm² (median) is small, below 15 µm²"),
        ({"median_um2": 180.0}, "a nucleus of 180 µm² (median) is large, above 120"),
        (
            {"lymphocyte_um2": 62.0},
            "a lymphocyte's nucleus of 62 µm² (median) is large",
        ),
        ({"unseen_share": 0.78}, "78 % of what DAPI stains lies in no nucleus"),
    ],
)
def test_nuclei_that_can_be_none_ask_for_the_pixel_size(figures, text):
    found = join(**figures)
    assert found.word == "review"
    (reason,) = found.reasons
    assert reason.startswith(text)
    assert reason.endswith("check the pixel size of 0.377 µm")


def test_tissue_without_a_nucleus_fails_and_asks_for_nothing_else():
    found = join(
        undecided={"CD8": ["CTL"]}, count=0, median_um2=np.nan, unseen_share=1.0
    )
    assert found.word == "fail"
    assert len(found.reasons) == 1
    assert "no nucleus was found" in found.reasons[0]
    assert join("fail", "no tissue was found", count=0).reasons == (
        "no tissue was found",
    )


def test_unseen_stain():
    stain = np.float32([0, 0, 2, 0, 99, 100, 101, 100])
    nuclei = np.array([0, 0, 0, 1, 1, 0, 0, 0], bool)
    assert unseen_share(stain, nuclei) == 0.75
    assert np.isnan(unseen_share(np.zeros(4, np.float32), np.zeros(4, bool)))
    assert np.isnan(unseen_share(np.empty(0, np.float32), np.empty(0, bool)))


def test_combinations_that_are_too_frequent_ask_for_a_review():
    found = join(conflicts=("CD8+/CK+ is impossible",))
    assert found == QualityVerdict("review", ("CD8+/CK+ is impossible",))


def test_lymphocytes_are_known_by_their_markers():
    cells = pd.DataFrame({"nucleus_area_um2": [30.0] * 25 + [90.0] * 75})
    calls = pd.DataFrame(
        {"CD8_positive": [True] * 25 + [False] * 75, "CK_positive": [False, True] * 50}
    )
    assert lymphocyte_nucleus(cells, calls) == 30
    assert np.isnan(lymphocyte_nucleus(cells, calls[["CK_positive"]]))
    assert np.isnan(lymphocyte_nucleus(cells[:10], calls[:10]))
    unknown = calls.assign(CD8_positive=pd.array([None] * 100, "boolean"))
    assert np.isnan(lymphocyte_nucleus(cells, unknown))
