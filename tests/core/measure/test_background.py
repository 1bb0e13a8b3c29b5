import numpy as np
import pytest

from mifprofile.core.measure import background


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
