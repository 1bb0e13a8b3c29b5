import numpy as np
import pytest

from mifprofile.core.statistics import Review, corrected_share
from mifprofile.errors import UsageError


def test_rogan_and_gladen_by_hand():
    """Called 30 %, sensitivity .9, specificity .8: (.3 + .8 − 1) / .7 = 1/7."""
    found = corrected_share(300, 1000, Review(90, 100, 80, 100))
    assert found.estimate == pytest.approx(1 / 7)
    assert found.low < found.estimate < found.high
    assert "sensitivity 0.900" in found.note


def test_a_perfect_review_of_many_changes_nothing():
    review = Review(10**7, 10**7, 10**7, 10**7)
    found = corrected_share(40, 100, review)
    assert found.estimate == pytest.approx(0.4)
    # Wilson's limits with p and n as Agresti and Coull have them.
    n = 100 + 1.959964**2
    p = (40 + 1.959964**2 / 2) / n
    reach = 1.959964 * np.sqrt(p * (1 - p) / n)
    np.testing.assert_allclose(
        [found.low, found.high], [p - reach, p + reach], rtol=1e-5
    )


def test_limits_hold_the_true_share():
    rng = np.random.default_rng(0)
    held = []
    for share in rng.uniform(0.03, 0.5, 600):
        called = rng.binomial(500, share * 0.85 + (1 - share) * 0.07)
        review = Review(rng.binomial(80, 0.85), 80, rng.binomial(120, 0.93), 120)
        found = corrected_share(called, 500, review)
        held.append(found.low <= share <= found.high)
    assert 0.93 < np.mean(held) < 0.985


def test_cells_that_cluster_count_for_less():
    review = Review(900, 1000, 950, 1000)
    plain = corrected_share(300, 1000, review)
    clustered = corrected_share(300, 1000, review, design_effect=5)
    assert clustered.estimate == plain.estimate
    assert clustered.high - clustered.low > 1.5 * (plain.high - plain.low)


@pytest.mark.parametrize(
    ("called", "cells", "review", "says"),
    [
        (0, 0, Review(9, 10, 9, 10), "no cell"),
        (1, 9, Review(0, 0, 9, 10), "no positive cell"),
        (1, 9, Review(5, 10, 5, 10), "a guess"),
    ],
)
def test_no_correction_says_why(called, cells, review, says):
    found = corrected_share(called, cells, review)
    assert says in found.reason
    assert np.isnan([found.estimate, found.low]).all()


def test_a_share_below_0_is_cut_and_said():
    found = corrected_share(5, 100, Review(9, 10, 8, 10))
    assert (found.estimate, found.low) == (0, 0)
    assert "was cut" in found.note


def test_what_cannot_be():
    with pytest.raises(UsageError, match="cannot be"):
        corrected_share(2, 1, Review(1, 1, 1, 1))
    with pytest.raises(UsageError, match="looked at"):
        Review(2, 1, 0, 0)
