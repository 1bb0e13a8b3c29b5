from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from mifprofile.errors import FormatError, MissingError, UsageError
from mifprofile.io.readers import open_slide, read_label_image

DATA = np.random.default_rng(1).integers(0, 60_000, (4, 90, 130)).astype("uint16")


def write(path, data=DATA, **options):
    tifffile.imwrite(path, data, photometric="minisblack", **options)
    return path


def write_pages(path, data=DATA):
    with tifffile.TiffWriter(path) as tif:
        for plane in data:
            tif.write(plane, photometric="minisblack", metadata=None)
    return path


WRITERS = {
    "pages": write_pages,
    "stack": write,
    "ImageJ": lambda path: write(path, imagej=True),
    "ImageJ channels": lambda path: write(path, imagej=True, metadata={"axes": "CYX"}),
    "compressed": lambda path: write(path, compression="zlib", rowsperstrip=11),
    "separate samples": lambda path: write(path, planarconfig="separate"),
    "interleaved samples": lambda path: write(
        path, np.moveaxis(DATA, 0, -1), planarconfig="contig", tile=(32, 32)
    ),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    return {
        n: w(folder / f"{n.split()[0]}{i}.tif")
        for i, (n, w) in enumerate(WRITERS.items())
    }


@pytest.mark.parametrize("kind", WRITERS)
@given(y=st.integers(0, 89), x=st.integers(0, 129), c=st.integers(0, 3))
@settings(deadline=None, max_examples=15)
def test_a_region_is_that_region_of_the_whole(files, kind, c, y, x):
    level = open_slide(files[kind]).levels[0]
    assert level.shape == DATA.shape
    np.testing.assert_array_equal(level[c:, y:, x:].compute(), DATA[c:, y:, x:])


def test_channels_are_numbered_or_named_by_the_caller(tmp_path):
    path = write(tmp_path / "a.tif")
    numbered = ("Channel:0", "Channel:1", "Channel:2", "Channel:3")
    assert open_slide(path).channel_names == numbered
    named = open_slide(path, channel_names=["a", "b", "c", "d"])
    assert named.channel_names == ("a", "b", "c", "d")


def test_names_must_match_the_channels(tmp_path):
    with pytest.raises(UsageError, match=r"a\.tif: 2 channel names .* 4 channels"):
        open_slide(write(tmp_path / "a.tif"), channel_names=["a", "b"])


def test_pixel_size_of_the_tags(tmp_path):
    per_cm = write(
        tmp_path / "a.tif", resolution=(20_000, 20_000), resolutionunit="CENTIMETER"
    )
    assert open_slide(per_cm).um == pytest.approx(0.5)
    imagej = write(
        tmp_path / "b.tif", imagej=True, resolution=(4, 4), metadata={"unit": "micron"}
    )
    assert open_slide(imagej).um == pytest.approx(0.25)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"resolution": (300, 300), "resolutionunit": "INCH"},
        {"resolution": (118, 118), "resolutionunit": "CENTIMETER"},
    ],
)
def test_a_printers_resolution_is_no_pixel_size(tmp_path, options):
    assert open_slide(write(tmp_path / "a.tif", **options)).pixel_size is None


@pytest.mark.parametrize("dtype", ["int64", "float64", "complex64", "int8", "bool"])
def test_other_pixel_types_are_refused(tmp_path, dtype):
    path = write(tmp_path / "a.tif", (DATA > 3).astype(dtype))
    with pytest.raises(FormatError, match=rf"a\.tif: .*{dtype}.*save"):
        open_slide(path)


def test_a_stack_that_tifffile_marked_as_rgb(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, DATA[:3], photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(open_slide(path).levels[0].compute(), DATA[:3])


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
def test_a_colour_picture_is_refused(tmp_path, planarconfig):
    path = tmp_path / "a.tif"
    shape = (40, 50, 3) if planarconfig == "contig" else (3, 40, 50)
    data = np.full(shape, 200, "uint8")
    tifffile.imwrite(path, data, photometric="rgb", planarconfig=planarconfig)
    with pytest.raises(FormatError, match=r"a\.tif: a colour"):
        open_slide(path)


def test_two_axes_of_planes_are_refused(tmp_path):
    path = write(tmp_path / "a.tif", DATA.reshape(2, 2, 90, 130), imagej=True)
    with pytest.raises(FormatError, match="project"):
        open_slide(path)


def test_label_images(tmp_path):
    labels = np.arange(600, dtype="int64").reshape(20, 30)
    path = write(tmp_path / "labels.tif", labels, compression="zlib")
    read = read_label_image(path)
    assert read.dtype == np.int64
    np.testing.assert_array_equal(read, labels)


def test_what_is_no_label_image(tmp_path):
    with pytest.raises(FormatError, match=r"4 plane\(s\) of uint16"):
        read_label_image(write(tmp_path / "a.tif"))
    with pytest.raises(FormatError, match=r"1 plane\(s\) of float32"):
        read_label_image(write(tmp_path / "b.tif", DATA[0].astype("float32")))
    with pytest.raises(MissingError, match="no such file"):
        read_label_image(tmp_path / "none.tif")
