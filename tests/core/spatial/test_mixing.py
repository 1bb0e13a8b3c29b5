import numpy as np
import pytest

from mifprofile.core.spatial import Pattern, Window, mixing_scores, pair_sums
from mifprofile.errors import UsageError


def in_a_row(types, n_types=2, spacing=1.0):
    x = 5 + np.arange(len(types)) * spacing
    window = Window(np.ones((1200, 1200), bool), 1.0)
    return pair_sums(
        Pattern.of(x, np.full(x.size, 600), types, n_types, window), [1, 3]
    )


def scores(table):
    return table.set_index("metric")["value"]


def test_scores_of_five_cells():
    """Immune 0, tumour 1; neighbours touch: 0-0, 0-1, 1-1, 1-1."""
    table = mixing_scores(in_a_row([0, 0, 1, 1, 1]), [0], [1], 1.0, min_cells=1)
    assert scores(table)["mixing_keren"] == 1 / 1
    assert scores(table)["mixing_spiat_normalised"] == pytest.approx(1 * 1 / (2 * 3))
    assert table["n_num"].tolist() == [1, 1, 1, 1]
    assert table["n_den"].tolist() == [1, 1, 1 + 2 * 2, 2 * 2 + 2 * 1]
    ark = table[table["metric"].str.contains("ark")]
    assert ark["value"].isna().all()
    assert set(ark["reason"]) == {"5 cells in all, fewer than 200"}


def test_ark_counts_pairs_of_one_population_from_both_cells():
    sums = in_a_row(([0] * 3 + [1] * 2) * 50)
    found = scores(mixing_scores(sums, [0], [1], 1.0))
    between, reference, target = 99, 100, 50
    assert found["mixing_ark_percent"] == between / (between + 2 * target)
    assert found["mixing_ark_homogeneous"] == between / (2 * target + 2 * reference)


def test_the_reference_matters():
    sums = in_a_row([0, 0, 0, 1, 1] * 10)
    one = scores(mixing_scores(sums, [0], [1], 1.0))
    other = scores(mixing_scores(sums, [1], [0], 1.0))
    assert one["mixing_keren"] == 19 / 20
    assert other["mixing_keren"] == 19 / 10


def test_populations_of_several_types():
    split = in_a_row([0, 2, 1, 1, 2, 0] * 20, n_types=3)
    whole = in_a_row([0, 0, 1, 1, 0, 0] * 20)
    one = mixing_scores(split, [0, 2], [1], 3.0)
    other = mixing_scores(whole, [0], [1], 3.0)
    assert one.equals(other)


def test_normalised_score_of_random_labels_is_one(clustered):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(40):
        x, y = clustered.points.T
        types = rng.permutation(clustered.types)
        pattern = Pattern.of(x, y, types, 3, clustered.window)
        table = mixing_scores(pair_sums(pattern, [30]), [0], [1], 30)
        found.append(scores(table)["mixing_spiat_normalised"])
    assert abs(np.mean(found) - 1) < 4 * np.std(found) / np.sqrt(40)


def test_no_pair_to_divide_by_is_no_zero_and_no_infinity():
    table = mixing_scores(in_a_row([0, 1] * 20), [0], [1], 1.0)
    assert table["n_den"].iloc[0] == 0
    assert np.isnan(table["value"].iloc[0])
    assert table["reason"].iloc[0] == "no pair within r in the denominator"


@pytest.mark.parametrize(
    ("types", "reason"),
    [
        ([0] * 30, "0 target cells, fewer than 20"),
        ([1] * 30, "0 reference cells, fewer than 20"),
        ([], "0 reference cells, fewer than 20"),
    ],
)
def test_a_population_without_cells(types, reason):
    table = mixing_scores(in_a_row(types), [0], [1], 1.0)
    assert table["value"].isna().all()
    assert set(table["reason"]) == {reason}


def test_ark_gives_no_score_to_unlike_numbers():
    table = mixing_scores(in_a_row(([0] * 6 + [1]) * 40), [0], [1], 1.0)
    assert table["status"].tolist() == ["OK", "OK"] + ["NOT_COMPUTABLE"] * 2


def test_what_cannot_be_asked():
    sums = in_a_row([0, 1])
    with pytest.raises(UsageError, match="none of the radii"):
        mixing_scores(sums, [0], [1], 2.0)
    with pytest.raises(UsageError, match="both reference and target"):
        mixing_scores(sums, [0, 1], [1], 1.0)
