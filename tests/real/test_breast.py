import pytest

from benchmarks.breast import analyse, compare, references


@pytest.fixture(scope="module")
def agreement(data_dir, tmp_path_factory):
    folder = data_dir / "breast_b09"
    cells, labels = analyse(folder, tmp_path_factory.mktemp("b09") / "b09")
    return {n: compare(cells, labels, t) for n, t in references(folder).items()}


def test_the_cells_of_the_references_lie_in_ours(agreement):
    best = max(agreement.values(), key=lambda a: a["inside"] - a["empty"])
    assert best["inside"] >= 0.85
    assert best["empty"] <= 0.25


def test_cd8_and_tumour_agree_with_the_better_reference(agreement):
    for name in ("CD8", "tumour"):
        assert max(a[f"kappa_{name}"] for a in agreement.values()) >= 0.6
        assert max(a[f"auc_{name}"] for a in agreement.values()) >= 0.9


@pytest.mark.parametrize(
    ("reference", "floors"),
    [
        ("mini-crop", {"CD8": 0.70, "tumour": 0.70}),
        ("publication", {"CD8": 0.68, "tumour": 0.85, "Treg": 0.60}),
    ],
)
def test_calls_agree_with_both_references(agreement, reference, floors):
    for name, floor in floors.items():
        assert agreement[reference][f"kappa_{name}"] >= floor
