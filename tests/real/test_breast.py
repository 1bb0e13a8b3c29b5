import pytest

from benchmarks.breast import analyse, compare, references


@pytest.fixture(scope="module")
def agreement(data_dir, tmp_path_factory):
    folder = data_dir / "breast_b09"
    cells = analyse(folder, tmp_path_factory.mktemp("b09") / "b09")
    return {name: compare(cells, t) for name, t in references(folder).items()}


def test_cells_of_the_better_reference_are_found(agreement):
    best = max(agreement.values(), key=lambda a: a["found"] - a["extra"])
    assert best["found"] >= 0.85
    assert best["extra"] <= 0.25


def test_cd8_and_tumour_agree_with_the_better_reference(agreement):
    for name in ("CD8", "tumour"):
        assert max(a[f"kappa_{name}"] for a in agreement.values()) >= 0.6
        assert max(a[f"auc_{name}"] for a in agreement.values()) >= 0.9
