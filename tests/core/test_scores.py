import numpy as np
import pytest

from mifprofile.core.scores import (
    adequacy,
    class_probabilities,
    cps,
    h_score,
    her2_bins,
    her2_class,
    ic_score,
    immune_class,
    probability_at_least,
    stil_area_pct,
    tps,
)

LEVELS = (10.0, 20.0, 30.0)


def test_cps_is_capped_and_tps_is_not_moved_by_immune_cells():
    found = cps(60, 80, 100)
    assert (found.value, found.n_num, found.n_den) == (100.0, 140, 100)
    assert found.status == "OK"
    assert tps(60, 100).value == pytest.approx(60.0)
    assert cps(10, 5, 200).value == pytest.approx(7.5)


def test_scores_of_fewer_than_100_tumour_cells_are_small():
    for score, value in ((cps(60, 80, 99), 100.0), (tps(60, 99), 100 * 60 / 99)):
        assert score.value == pytest.approx(value)
        assert (score.status, score.reason) == ("SMALL", "fewer than 100 tumour cells")
    assert (tps(0, 100).value, tps(0, 100).status) == (0.0, "OK")


def test_no_tumour_cell_is_neither_zero_nor_infinite():
    scores = tps(0, 0), cps(0, 5, 0), ic_score(0.1, 1.0, positive=5, tumour=0)
    for score in scores:
        assert np.isnan(score.value)
        assert score.status == "NO_TUMOUR"


def test_ic_is_a_share_of_area():
    found = ic_score(0.05, 1.0, positive=600, tumour=50)
    assert (found.value, found.unit, found.status) == (pytest.approx(5.0), "%", "OK")
    assert ic_score(0.05, 1.0, positive=600, tumour=49).status == "SMALL"


def test_h_score_of_equal_quarters_and_of_all_3():
    bins = her2_bins(np.repeat([5.0, 15.0, 25.0, 35.0], 25), LEVELS)
    assert h_score(bins).value == 150
    assert h_score(np.full(100, 3)).value == 300
    assert h_score(bins[:99]).status == "SMALL"


def test_a_level_on_a_threshold_is_below_it():
    assert her2_bins(np.array([0, 10, 10.1, 30, 31]), LEVELS).tolist() == [
        0,
        0,
        1,
        2,
        3,
    ]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({(3, 1.0): 11}, 3),
        ({(3, 1.0): 10}, 2),
        ({(3, 0.5): 50}, 1),
        ({(1, 0.9): 11}, 2),
        ({(1, 0.9): 10}, 0),
        ({(1, 0.2): 11}, 1),
        ({(1, 0.2): 10}, 0),
        ({}, 0),
    ],
)
def test_class_by_completeness_and_intensity(cells, expected):
    rest = 100 - sum(cells.values())
    bins = np.repeat([b for b, _ in cells] + [0], [*cells.values(), rest])
    complete = np.repeat([c for _, c in cells] + [0.0], [*cells.values(), rest])
    assert her2_class(bins, complete).value == expected


def test_stil_needs_stroma():
    assert stil_area_pct(0.02, 0.4, count=200).value == pytest.approx(5.0)
    assert stil_area_pct(0.0, 0.0, count=0).status == "LOW_AREA"


@pytest.mark.parametrize(
    ("nest", "stroma", "expected"),
    [
        (100, 0, "inflamed"),
        (99, 100, "excluded"),
        (99, 99, "desert"),
        (500, 500, "inflamed"),
    ],
)
def test_immune_class(nest, stroma, expected):
    assert immune_class(nest, stroma, nest_cut=100, stroma_cut=100) == expected


def test_class_probabilities_add_up_and_follow_the_blocks():
    sure = np.tile([500.0, 1.0, 10.0, 1.0], (8, 1))
    options = {"nest_cut": 100, "stroma_cut": 100, "samples": 500, "seed": 1}
    assert class_probabilities(sure, **options)["inflamed"] == 1
    half = sure * np.where(np.arange(8) % 2, 0.4, 1.6)[:, None] ** [1, 0, 1, 0]
    half[:, 0] /= 5
    found = class_probabilities(half, **options)
    assert sum(found.values()) == pytest.approx(1)
    assert 0.2 < found["inflamed"] < 0.8


def test_probability_of_reaching_a_cut():
    exact = np.tile([1.0, 100.0], (6, 1))
    assert probability_at_least(exact, (0.01, 0.0101), samples=100, seed=0) == (1, 0)


def test_adequacy_follows_area_and_cells():
    assert adequacy(2.0, 100) == ("ADEQUATE", "")
    assert adequacy(1.0, 100)[0] == "LIMITED"
    assert adequacy(0.4, 5000) == ("INADEQUATE", "tumour bed smaller than 0.5 mm2")
    assert adequacy(2.0, 99) == ("INADEQUATE", "fewer than 100 tumour cells")
