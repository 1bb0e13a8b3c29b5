import numpy as np
import pytest

from mifprofile.core.landscape.scores import (
    adequacy,
    area_share,
    class_probabilities,
    cps,
    h_score,
    her2_bins,
    her2_class,
    immune_class,
    probability_at_least,
    tps,
)

LEVELS = (10.0, 20.0, 30.0)


def test_cps_is_capped_and_tps_is_not_moved_by_immune_cells():
    assert cps(60, 80, 100) == (100.0, 140, 100)
    assert tps(60, 100) == (60.0, 60, 100)
    assert cps(10, 5, 200).value == pytest.approx(7.5)
    assert tps(0, 100).value == 0.0


def test_no_tumour_cell_is_neither_zero_nor_infinite():
    for score in (tps(0, 0), cps(0, 5, 0), h_score(np.zeros(0, int))):
        assert np.isnan(score.value)


def test_ic_and_stil_are_shares_of_area():
    assert area_share(0.05, 1.0, 600)[:2] == (pytest.approx(5.0), 600)
    assert np.isnan(area_share(0.0, 0.0, 0).value)


def test_h_score_of_equal_quarters_and_of_all_3():
    bins = her2_bins(np.repeat([5.0, 15.0, 25.0, 35.0], 25), LEVELS)
    assert h_score(bins) == (150, 75, 100)
    assert h_score(np.full(100, 3)).value == 300


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
