import dask.array as da
import numpy as np
import pytest

from mifprofile.model import Channel, PixelSize, Slide
from mifprofile.stages.planes import coarse_plane


def slide(*levels):
    return Slide(
        *("s", "s.tif", "TIFF"),
        (Channel("DAPI", 0),),
        PixelSize(0.5, 0.5),
        tuple(da.from_array(level[None].astype(np.uint16)) for level in levels),
    )


PLANE = np.arange(64).reshape(8, 8)


def halved(plane):
    return plane.reshape(len(plane) // 2, 2, -1, 2).mean(axis=(1, 3))


def test_a_level_of_the_right_size_is_read_as_it_is():
    plane, um = coarse_plane(slide(PLANE, PLANE[::2, ::2]), "DAPI", 1.0)
    assert um == 1.0
    assert (plane == PLANE[::2, ::2]).all()


def test_what_no_level_has_is_averaged():
    plane, um = coarse_plane(slide(PLANE), "DAPI", 1.0)
    assert (um, plane.dtype) == (1.0, np.float32)
    assert (plane == halved(PLANE)).all()


def test_a_pyramid_in_steps_of_four_is_read_from_the_finer_side():
    quarter = halved(halved(PLANE))
    plane, um = coarse_plane(slide(PLANE, quarter), "DAPI", 1.0)
    assert (um, plane.shape) == (1.0, (4, 4))
    plane, um = coarse_plane(slide(PLANE, quarter), "DAPI", 2.0)
    assert (um, plane.shape) == (2.0, (2, 2))


def test_odd_sizes_keep_the_pixel_size_of_a_power_of_two():
    small = PLANE[:5, :5]
    plane, um = coarse_plane(slide(small, small[:3, :3], small[:2, :2]), "DAPI", 2.0)
    assert (um, plane.shape) == (2.0, (2, 2))


@pytest.mark.parametrize("wanted_um", [0.1, 0.5])
def test_never_finer_than_the_slide(wanted_um):
    plane, um = coarse_plane(slide(PLANE), "DAPI", wanted_um)
    assert (um, plane.shape) == (0.5, (8, 8))
