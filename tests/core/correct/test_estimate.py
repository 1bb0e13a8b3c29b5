import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mifprofile.core.correct import (
    autofluorescence_factor,
    background_grid,
    camera_fields,
    dark_end,
    flat_profile,
    quartile_profile,
)


def test_the_dark_end_is_where_nothing_is():
    plane = np.arange(101, dtype=np.float32)
    assert dark_end(plane) == 1


def test_background_is_a_percentile_of_each_squares_tissue():
    plane = np.full((10, 20), 7, np.float32)
    plane[:, 10:] = 40
    plane[5:, :] += 1000
    tissue = np.zeros(plane.shape, bool)
    tissue[:5] = True
    found = background_grid(plane, tissue, 10, 50)
    assert found.shape == (1, 2)
    assert 7 <= found[0, 0] < found[0, 1] <= 40


def test_squares_without_tissue_take_the_nearest_one():
    plane = np.full((30, 10), 7, np.float32)
    tissue = np.zeros(plane.shape, bool)
    tissue[:10] = True
    np.testing.assert_allclose(background_grid(plane, tissue, 10, 5), 7)


def test_without_tissue_there_is_no_background_to_subtract():
    plane = np.full((30, 10), 7, np.float32)
    assert not background_grid(plane, np.zeros(plane.shape, bool), 10, 5).any()


@given(
    share=st.floats(0.1, 3),
    stained=st.floats(0, 0.6),
    offset=st.floats(-50, 200),
    seed=st.integers(0, 9),
)
def test_the_share_of_autofluorescence_is_found_beside_stain(
    share, stained, offset, seed
):
    rng = np.random.default_rng(seed)
    glow = rng.lognormal(6, 0.5, 20_000)
    channel = offset + share * glow + rng.normal(0, 5, glow.size)
    bright = rng.random(glow.size) < stained
    channel[bright] += rng.uniform(500, 5000, int(bright.sum()))
    assert autofluorescence_factor(channel, glow) == pytest.approx(share, rel=0.05)


def test_the_share_of_autofluorescence_is_never_negative():
    glow = np.linspace(0, 100, 1000)
    assert autofluorescence_factor(500 - glow, glow) == 0
    assert autofluorescence_factor(glow, np.full(1000, 3.0)) == 0


def shading(size=64, loss=0.5):
    v = (np.arange(size) + 0.5) / size * 2 - 1
    return flat_profile(1 - 0.5 * loss * (v[:, None] ** 2 + v**2))


def test_fields_are_cut_where_the_tissue_is():
    plane = np.zeros((100, 150), np.float32)
    tissue = np.zeros(plane.shape, bool)
    tissue[:, :50], plane[:, :50] = True, 3
    plane[:5, :5], tissue[:5, :5] = 99, False
    fields = camera_fields(plane, tissue, (40.0, 45.0))
    assert fields.shape == (2, 64, 64)
    assert (fields == 3).all()
    assert camera_fields(plane, tissue, (400.0, 45.0)).shape == (0, 64, 64)


@pytest.mark.parametrize("count", [8, 60])
def test_the_lower_quartile_of_fields_finds_the_shading(count):
    rng = np.random.default_rng(count)
    tissue = rng.gamma(9.0, 20, (count, 64, 64))
    tissue[rng.random(tissue.shape) < 0.3] += 4000  # stain
    found = quartile_profile((tissue * shading()).astype(np.float32))
    assert found.mean() == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(found, shading(), atol=0.06)


def test_a_profile_lets_some_light_through_everywhere():
    found = flat_profile(np.array([[0.0, 2.0]]))
    assert found.tolist() == [[pytest.approx(0.05), 2]]
