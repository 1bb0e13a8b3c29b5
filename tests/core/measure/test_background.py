import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mifprofile.core.measure import background, backgrounds

CONSTANTS = st.floats(-6, 6).map(lambda power: 10.0**power)


@pytest.mark.parametrize("stained", [0.0, 0.05, 0.5, 0.8])
def test_background_is_found_beside_any_share_of_stain(stained):
    rng = np.random.default_rng(0)
    unstained = rng.normal(300, 30, 100_000)
    bright = 300 + rng.lognormal(7.5, 0.6, 100_000)
    pixels = np.where(rng.random(100_000) < stained, bright, unstained)
    found = background(pixels.round().clip(0).astype(np.uint16))
    assert found.level == pytest.approx(300, abs=15)
    assert found.noise == pytest.approx(30, rel=0.4)
    assert found.threshold(5) == found.level + 5 * found.noise


def test_hardly_any_unstained_pixel_is_above_the_threshold():
    pixels = np.random.default_rng(1).normal(300, 30, 100_000)
    assert (pixels > background(pixels).threshold(5)).mean() < 1e-3


def test_a_flat_channel_has_the_noise_of_rounding():
    pixels = np.repeat(np.array([0, 0, 0, 0, 0, 3, 9], np.uint8), 100)
    found = background(pixels)
    assert found.level == 0
    assert found.noise == pytest.approx(3 / 12**0.5)
    assert background(np.full(10, 7)).noise == 0


def test_without_pixels_nothing_is_known():
    assert np.isnan(background(np.zeros(0, np.uint16)).threshold(5))


@given(
    arrays(np.uint16, st.integers(1, 60), elements=st.integers(0, 65_535)), CONSTANTS
)
def test_an_image_times_a_constant_has_a_background_times_it(pixels, constant):
    ours = background(pixels)
    theirs = background((pixels * constant).astype(np.float32))
    # An error of the last float32 digit, beside a crowd far from 0.
    slack = 1e-6 * constant * pixels.max()
    for name in ("level", "noise", "step", "floor"):
        expected = constant * getattr(ours, name)
        assert getattr(theirs, name) == pytest.approx(expected, rel=1e-5, abs=4 * slack)


@pytest.mark.parametrize("constant", [1e-6, 1 / 65_535, 1.0, 3.7, 1e6])
def test_a_slide_times_a_constant_has_backgrounds_times_it(constant):
    cells, between = sea()
    ours = backgrounds(cells, between)
    scaled = ((p * constant).astype(np.float32) for p in (cells, between))
    for one, other in zip(ours, backgrounds(*scaled), strict=True):
        assert other.level == pytest.approx(constant * one.level, rel=1e-4)
        assert other.noise == pytest.approx(constant * one.noise, rel=1e-4)


def test_the_floor_is_noise_or_a_count():
    assert background(np.array([0, 0, 0, 2, 4])).floor == 2
    assert background(np.zeros(9)).floor == 0
    many = np.random.default_rng(2).normal(300, 30, 10_000).round()
    assert background(many).floor == background(many).noise > 20


def sea(stain=4000.0, unstained=240.0, between=225.0, glow=(0.0, 0.0, 0.0)):
    """Pixels in cells that all carry the last marker of three, and between them."""
    rng = np.random.default_rng(3)
    levels = np.array([[unstained, unstained, stain]]).T
    spread = np.array([[30.0, 30.0, max(30.0, 0.3 * (stain - 200))]]).T
    cells = levels + np.array([glow]).T + spread * rng.standard_normal((3, 20_000))
    outside = between + 30.0 * rng.standard_normal((3, 20_000))
    return tuple(p.round().clip(0).astype(np.uint16) for p in (cells, outside))


def test_stain_in_every_cell_is_not_their_background():
    cells, between = sea()
    *absent, stained = backgrounds(cells, between)
    # Where the marker is absent, all is as among the cells' pixels alone.
    assert absent == [background(pixels) for pixels in cells[:2]]
    assert stained.level == pytest.approx(240, abs=15)
    assert (cells[2] > stained.threshold(5)).mean() > 0.95
    assert (between[2] > stained.threshold(5)).mean() < 1e-3


def test_cells_a_little_brighter_than_tissue_are_unstained():
    cells, between = sea(stain=360.0)
    assert backgrounds(cells, between)[2] == background(cells[2])


def test_tissue_that_glows_beside_glass_is_unstained():
    # In every channel, in one of them ten times as much.
    cells, between = sea(stain=5100.0, unstained=600.0, between=100.0)
    assert backgrounds(cells, between) == [background(pixels) for pixels in cells]


def test_beside_glass_the_other_channels_tell_where_unstained_tissue_lies():
    cells, between = sea(stain=12_000.0, unstained=600.0, between=100.0)
    stained = backgrounds(cells, between)[2]
    assert stained.level == pytest.approx(600, abs=30)
    assert (cells[2] > stained.threshold(5)).mean() > 0.95


def test_a_lone_channel_has_nothing_to_compare_with():
    cells, between = sea()
    (alone,) = backgrounds(cells[2:], between[2:])
    assert alone == background(cells[2])
    both = backgrounds(cells[1:], between[1:], nuclear=0)
    assert both[1] == background(cells[2])


def test_a_crowd_below_most_pixels_is_unstained():
    # Dim cells far above an image that was cut off at 0, most pixels brighter still.
    rng = np.random.default_rng(4)
    bright = 3000.0 + 400.0 * rng.standard_normal(16_000)
    dim = 100.0 + 10.0 * rng.standard_normal(4000)
    cells = np.stack([np.zeros(20_000), np.zeros(20_000), np.append(dim, bright)])
    found = backgrounds(cells, np.zeros((3, 20_000)))[2]
    assert found == background(cells[2])
    assert found.level == pytest.approx(100, abs=10)


def test_few_pixels_between_cells_decide_nothing():
    cells, between = sea()
    few = between[:, :999]
    assert backgrounds(cells, few) == [background(pixels) for pixels in cells]


def test_an_image_of_zeros_has_backgrounds():
    none = np.zeros((2, 5000), np.uint16)
    assert {b.threshold(5) for b in backgrounds(none, none)} == {0.0}
