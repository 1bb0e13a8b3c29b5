import numpy as np
import pytest

from mifprofile.report import Gallery, Stamp
from mifprofile.report.gallery import (
    GAP_PX,
    KINDS,
    STAMP_PX,
    choose_examples,
    gallery_pictures,
)


def test_examples_on_both_sides_of_a_gate() -> None:
    levels = np.array([1, 9, 100, 2, 11, 120, 3, 90.0])
    chosen = choose_examples(levels, 10.0, count=2, seed=0)
    assert list(levels[chosen["borderline"]]) == [11, 9]
    assert set(levels[chosen["clear positive"]]) <= {90, 100, 120}
    assert set(levels[chosen["clear negative"]]) <= {1, 2, 3}
    rows = np.concatenate(list(chosen.values()))
    assert len(set(rows)) == len(rows) == 6


def test_clear_cells_lie_in_the_further_half() -> None:
    levels = np.arange(1.0, 201.0)
    chosen = choose_examples(levels, 100.0, count=10, seed=1)
    assert levels[chosen["clear positive"]].min() > 140
    assert levels[chosen["clear negative"]].max() < 60
    assert (np.diff(levels[chosen["clear positive"]]) < 0).all()


@pytest.mark.parametrize("constant", [1e-6, 1 / 256, 1e6])
def test_the_unit_chooses_no_other_cells(constant) -> None:
    levels = np.random.default_rng(0).lognormal(3.0, 1.5, 400).round()
    before = choose_examples(levels, 30.5, count=9, seed=2)
    after = choose_examples(levels * constant, 30.5 * constant, count=9, seed=2)
    for kind, rows in before.items():
        assert after[kind].tolist() == rows.tolist()


def test_a_gate_at_0_has_examples() -> None:
    chosen = choose_examples(np.array([0.0, 0.0, 5.0, 9.0]), 0.0, count=1, seed=0)
    assert [len(rows) for rows in chosen.values()] == [1, 1, 1]


def test_no_gate_no_examples() -> None:
    assert choose_examples(np.ones(5), np.nan, count=3, seed=0) == {}


def test_cells_without_a_level_are_never_shown() -> None:
    chosen = choose_examples(np.array([np.nan, 5.0]), 3.0, count=3, seed=0)
    assert np.concatenate(list(chosen.values())).tolist() == [1]


def test_one_strip_per_kind_with_the_same_contrast() -> None:
    cell = np.zeros((8, 8), bool)
    cell[2:6, 2:6] = True
    bright = np.stack([np.zeros((8, 8)), 100.0 * cell]).astype(np.float32)
    stamps = {
        "clear positive": (Stamp(bright, cell), Stamp(bright, cell)),
        "borderline": (),
        "clear negative": (Stamp(0.1 * bright, cell),),
    }
    pictures = gallery_pictures(Gallery("CD8", 20.0, stamps))
    assert list(pictures) == [KINDS[0], KINDS[2]]
    for picture in pictures.values():
        assert picture.shape == (STAMP_PX, 2 * STAMP_PX + GAP_PX, 3)
    assert (pictures[KINDS[2]][:, STAMP_PX:] == 255).all()
    middle = STAMP_PX // 2
    positive, negative = (pictures[k][middle, middle] for k in (KINDS[0], KINDS[2]))
    assert positive[0] > 200
    assert negative.max() < 60


def test_no_cell_no_picture() -> None:
    assert gallery_pictures(Gallery("CD8", 20.0, dict.fromkeys(KINDS, ()))) == {}
