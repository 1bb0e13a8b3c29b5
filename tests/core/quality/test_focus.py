import numpy as np
import pytest
from scipy import ndimage

from mifprofile.core.quality import find_blur, structure

OPTIONS = {
    "um": 8.0,
    "step_um": 0.5,
    "smooth_um": 16.0,
    "limit": 0.7,
    "min_area_um2": 5000.0,
}


def nuclei(seed=0, noise=5.0):
    """Discs of 6.5 µm at 0.5 µm, sharp on the left and blurred on the right."""
    rng = np.random.default_rng(seed)
    points = (rng.random((640, 640)) < 0.004).astype(float)
    discs = ndimage.gaussian_filter(ndimage.maximum_filter(points, 13) * 1000.0, 0.8)
    out = np.where(np.arange(640) < 320, discs, ndimage.gaussian_filter(discs, 5))
    return (out + rng.normal(0, noise, out.shape)).astype(np.float32)


@pytest.mark.parametrize("noise", [0.0, 5.0, 50.0])
def test_blur_is_told_from_focus_whatever_the_noise(noise):
    squares = structure(nuclei(noise=noise), 16, 1)
    tissue = np.ones(squares.shape[1:], bool)
    tissue[:, 32:] = False
    tissue[:, :4] = True
    sharp = find_blur(squares, tissue, **OPTIONS).sharpness
    blurred = find_blur(squares, ~tissue, **OPTIONS).sharpness
    assert blurred < 0.6 * sharp


def test_a_blurred_patch_is_found_and_nothing_else():
    pixels = nuclei()
    pixels[:, 320:480] = pixels[:, 160:320]
    squares = structure(pixels, 16, 1)
    found = find_blur(squares, np.ones(squares.shape[1:], bool), **OPTIONS).blurred
    truth = np.zeros_like(found)
    truth[:, 30:] = True
    assert (found & truth).sum() / (found | truth).sum() > 0.85


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_without_structure_nothing_is_judged(value):
    squares = structure(np.full((64, 64), value, np.float32), 16, 1)
    focus = find_blur(squares, np.ones((4, 4), bool), **OPTIONS)
    assert not focus.blurred.any()
    assert np.isnan(focus.sharpness)


def test_what_is_sharp_is_in_focus_even_on_a_sharper_slide():
    rng = np.random.default_rng(3)
    pixels = rng.normal(0, 50, (640, 640)).astype(np.float32)
    grain = ndimage.gaussian_filter(rng.normal(0, 50, pixels.shape), (0.5, 0.5)) * 3
    spots = ndimage.gaussian_filter((rng.random(pixels.shape) < 0.01) * 1e4, 1.5)
    sharp = (grain + spots + pixels / 50).astype(np.float32)
    sharp[:, 480:] = ndimage.gaussian_filter(sharp[:, 480:], 0.8)
    squares = structure(sharp, 16, 1)
    tissue = np.ones(squares.shape[1:], bool)
    assert not find_blur(squares, tissue, **OPTIONS).blurred.any()
    sharp[:, 480:] = ndimage.gaussian_filter(sharp[:, 480:], 5)
    assert find_blur(structure(sharp, 16, 1), tissue, **OPTIONS).blurred[:, 32:].all()


def test_on_a_tiny_image_sharp_tissue_is_no_gap():
    squares = structure(nuclei()[:150, :150], 16, 1)
    tissue = np.ones(squares.shape[1:], bool)
    assert not find_blur(squares, tissue, **OPTIONS).blurred.any()
