import numpy as np
import pytest

from mifprofile.report import choose_tiles


@pytest.fixture
def regions():
    """Tumour left, stroma right, and glass below, 100 µm each way per 10 px."""
    regions = np.zeros((30, 40), np.uint8)
    regions[:20, :20], regions[:20, 20:] = 1, 2
    return regions


def _choose(regions, x_um=(), y_um=(), **given):
    options = {"tile_um": 100.0, "count": 4, "seed": 0} | given
    return choose_tiles(
        regions, 10.0, np.array(x_um, float), np.array(y_um, float), **options
    )


def test_the_densest_tile_comes_first(regions):
    first, *_ = _choose(regions, [310, 320, 330, 50], [110, 120, 130, 50])
    assert (first.title, first.x_um, first.y_um) == ("densest tile", 300.0, 100.0)


def test_tumour_and_stroma_take_turns(regions):
    spots = _choose(regions)
    assert [spot.title for spot in spots] == ["tumour", "stroma"] * 2
    assert all((spot.x_um < 200) == (spot.title == "tumour") for spot in spots)


def test_no_tile_comes_twice_and_none_is_glass(regions):
    spots = _choose(regions, [50], [50], count=24)
    assert len({(spot.x_um, spot.y_um) for spot in spots}) == len(spots) == 8
    assert all(spot.y_um < 200 for spot in spots)


def test_the_seed_decides(regions):
    assert _choose(regions, seed=1) == _choose(regions, seed=1)
    assert len({_choose(regions, seed=seed) for seed in range(9)}) > 1


def test_a_slide_smaller_than_a_tile_is_one_tile():
    (spot,) = _choose(np.ones((3, 4), np.uint8))
    assert (spot.x_um, spot.y_um) == (0.0, 0.0)


def test_glass_has_no_tiles():
    assert _choose(np.zeros((30, 30), np.uint8)) == ()
