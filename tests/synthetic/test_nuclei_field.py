import numpy as np
import pytest

from mifprofile.synthetic import nuclei_field


def test_same_generator_gives_the_same_field():
    one = nuclei_field(np.random.default_rng(5), (96, 128))
    two = nuclei_field(np.random.default_rng(5), (96, 128))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])


def test_types_and_shapes():
    image, labels = nuclei_field(np.random.default_rng(1), (70, 90))
    assert (image.shape, labels.shape) == ((70, 90), (70, 90))
    assert (image.dtype, labels.dtype) == (np.float32, np.int32)
    assert image.min() > 0
    assert np.isfinite(image).all()


def test_labels_have_no_gaps_and_no_crumbs():
    _, labels = nuclei_field(np.random.default_rng(2), (256, 256))
    area = np.bincount(labels.ravel())[1:]
    assert area.size > 40
    assert area.min() >= 4  # 1 µm², cut by the border


def test_nuclei_are_brighter_than_what_lies_between():
    image, labels = nuclei_field(np.random.default_rng(3), (256, 256))
    assert np.median(image[labels > 0]) > 2 * np.median(image[labels == 0])


def test_crowding_adds_nuclei():
    counts = [
        nuclei_field(np.random.default_rng(4), (256, 256), crowding=c)[1].max()
        for c in (0.2, 0.9)
    ]
    assert counts[0] < counts[1]


@pytest.mark.parametrize("pixel_size_um", [0.25, 1.0])
def test_sizes_follow_the_pixel_size(pixel_size_um):
    side = int(150 / pixel_size_um)
    rng = np.random.default_rng(6)
    _, labels = nuclei_field(rng, (side, side), pixel_size_um)
    area_um2 = np.bincount(labels.ravel())[1:] * pixel_size_um**2
    assert 25 < np.median(area_um2) < 80
