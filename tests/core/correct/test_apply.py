import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import map_coordinates
from scipy.optimize import nnls

from mifprofile.core.correct import (
    Autofluorescence,
    Background,
    Correction,
    FlatField,
    Unmixing,
)

UM = 0.5
MIXING = np.array([[1.0, 0.2, 0.0], [0.1, 1.0, 0.3], [0.0, 0.1, 1.0]])
LIGHT = arrays(np.float32, (3, 5, 4), elements=st.floats(0, 1000, width=32))


def flat_field(seed=0):
    rng = np.random.default_rng(seed)
    profiles = rng.uniform(0.5, 1.5, (3, 4, 6)).astype(np.float32)
    return FlatField(profiles, (15.0, 21.3), 10.0)


def background(seed=1):
    rng = np.random.default_rng(seed)
    return Background(rng.uniform(0, 50, (3, 3, 4)).astype(np.float32), 13.0)


EVERYTHING = Correction(
    flat_field(),
    background(),
    Autofluorescence(2, 5.0, np.array([0.5, 0.1, 0], np.float32)),
    Unmixing(MIXING),
)


def test_a_flat_background_is_subtracted_and_nothing_falls_below_zero():
    image = np.array([[[5, 12], [10, 40]]], np.uint16)
    correction = Correction(background=Background(np.full((1, 1, 1), 10.0), 100.0))
    found = correction.apply(image, (7, 9), UM)
    assert found.dtype == np.float32
    assert found.tolist() == [[[0, 2], [0, 30]]]


def test_a_background_is_interpolated_between_its_nodes():
    # Nodes every 2 µm, at 1 and 3 µm; pixels of 1 µm have their centres at 0.5, 1.5...
    ramp = Background(np.array([[[10.0, 30.0]]]), 2.0)
    found = ramp.apply(np.full((1, 4), 100), 0, (0, 0), 1.0)
    assert found.tolist() == [[90, 85, 75, 70]]


def test_a_flat_field_divides_the_light_above_the_dark_level():
    field = FlatField(np.array([[[0.5, 1.5]]], np.float32), (4.0, 4.0), 10.0)
    # Pixels of 2 µm: two per field, at the centres of the profile's two nodes.
    found = field.apply(np.array([[20, 40, 20, 40]]), 0, (0, 0), 2.0)
    assert found.tolist() == [[30, 30, 30, 30]]


def test_autofluorescence_takes_its_share_off_each_channel():
    image = np.array([[[100.0, 100.0]], [[50.0, 50.0]], [[20.0, 60.0]]], np.float32)
    glow = Autofluorescence(2, 30.0, np.array([0.5, 2.0, 0.0], np.float32))
    assert glow.apply(image)[:2].tolist() == [[[100, 85]], [[50, -10]]]


@pytest.mark.parametrize("non_negative", [False, True])
@settings(deadline=None)  # the first call compiles
@given(light=LIGHT)
def test_unmixing_undoes_mixing(light, non_negative):
    seen = np.einsum("ij,jyx->iyx", MIXING, light).astype(np.float32)
    found = Unmixing(MIXING, non_negative).apply(seen)
    np.testing.assert_allclose(found, light, atol=1e-2)


@settings(deadline=None)
@given(image=LIGHT)
def test_non_negative_unmixing_is_scipys(image):
    found = Unmixing(MIXING, non_negative=True).apply(image)
    wanted = [nnls(MIXING, pixel)[0] for pixel in image.reshape(3, -1).T.astype(float)]
    np.testing.assert_allclose(found.reshape(3, -1).T, wanted, atol=1e-1)
    assert found.min() >= -1e-2


@settings(deadline=None)
@given(
    y=st.integers(0, 30),
    x=st.integers(0, 40),
    h=st.integers(1, 30),
    w=st.integers(1, 30),
)
@pytest.mark.parametrize("non_negative", [False, True])
def test_a_pixel_does_not_depend_on_its_block(y, x, h, w, non_negative):
    image = np.random.default_rng(3).integers(0, 500, (3, 60, 70)).astype(np.uint16)
    parts = vars(EVERYTHING) | {"unmixing": Unmixing(MIXING, non_negative)}
    correction = Correction(**parts)
    whole = correction.apply(image, (11, 23), UM)
    window = np.s_[:, y : y + h, x : x + w]
    part = correction.apply(image[window], (11 + y, 23 + x), UM)
    np.testing.assert_array_equal(part, whole[window])


@given(image=LIGHT, scale=st.floats(0, 8, width=32))
def test_flat_field_and_inverse_unmixing_are_linear(image, scale):
    even = FlatField(flat_field().profiles, (15.0, 21.3), 0.0)
    for part in (
        lambda i: even.apply(i[0], 0, (3, 5), UM),
        Unmixing(MIXING).apply,
    ):
        np.testing.assert_allclose(
            part(image * np.float32(scale)), part(image) * scale, rtol=1e-4, atol=1e-2
        )


@given(image=LIGHT)
def test_what_corrects_nothing_changes_nothing(image):
    nothing = Correction(
        FlatField(np.ones((3, 2, 2), np.float32), (10.0, 10.0), 0.0),
        Background(np.zeros((3, 2, 2), np.float32), 10.0),
        Autofluorescence(0, 0.0, np.zeros(3, np.float32)),
        Unmixing(np.eye(3)),
    )
    np.testing.assert_array_equal(nothing.apply(image, (3, 4), UM), image)
    np.testing.assert_array_equal(Correction().apply(image, (3, 4), UM), image)


@given(image=LIGHT)
def test_nothing_falls_below_zero(image):
    assert EVERYTHING.apply(image, (0, 0), UM).min() >= 0


def test_grids_are_read_as_scipy_reads_them():
    grid = background()
    image = np.zeros((60, 90), np.float32)
    y, x = np.mgrid[8:68, 2:92]
    at = (np.stack([y, x]) + 0.5) * UM / 13.0 - 0.5
    wanted = map_coordinates(grid.levels[1], at, order=1, mode="nearest")
    np.testing.assert_allclose(-grid.apply(image, 1, (8, 2), UM), wanted, rtol=1e-5)
