import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.transform import resize

from mifprofile.core.segment import resample, source_window

RNG = np.random.default_rng(0)


def test_ratio_one_changes_nothing():
    image = RNG.random((2, 7, 9), np.float32)
    assert (resample(image, (0, 0), (0, 7, 0, 9), 1.0) == image).all()


def test_beyond_the_edge_the_edge_is_repeated():
    image = np.arange(6, dtype=np.float32).reshape(2, 3)
    wide = resample(image, (0, 0), (-1, 3, -2, 4), 1.0)
    assert (wide == np.pad(image, ((1, 1), (2, 1)), mode="edge")).all()


@pytest.mark.parametrize("ratio", [0.25, 0.5, 2.0])
def test_a_ramp_stays_a_ramp(ratio):
    image = np.tile(np.arange(40, dtype=np.float32), (12, 1))
    out = resample(image, (0, 0), (3, 6, 5, 15), ratio)
    expected = (np.arange(5, 15) + 0.5) * ratio - 0.5
    np.testing.assert_allclose(out[0], expected, atol=1e-5)


def test_enlarging_equals_skimages_bilinear():
    image = RNG.random((10, 12), np.float32)
    ours = resample(image, (0, 0), (0, 20, 0, 24), 0.5)
    np.testing.assert_allclose(
        ours, resize(image, (20, 24), order=1, mode="edge"), atol=1e-5
    )


@given(st.floats(0.3, 3.0), st.integers(0, 20), st.integers(0, 20), st.integers(1, 9))
def test_windows_agree_with_the_whole_to_the_last_bit(ratio, y, x, size):
    image = np.random.default_rng(1).random((64, 70), np.float32)
    out_shape = (int(64 / ratio), int(70 / ratio))
    whole = resample(image, (0, 0), (0, out_shape[0], 0, out_shape[1]), ratio)
    window = (y, min(y + size, out_shape[0]), x, min(x + size, out_shape[1]))
    if window[0] >= window[1] or window[2] >= window[3]:
        return
    y0, y1, x0, x1 = source_window(window, ratio, image.shape)
    part = resample(image[y0:y1, x0:x1], (y0, x0), window, ratio)
    assert (part == whole[window[0] : window[1], window[2] : window[3]]).all()
