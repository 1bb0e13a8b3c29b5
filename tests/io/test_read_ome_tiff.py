from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from mifprofile.errors import FormatError, UsageError
from mifprofile.io.readers import open_slide

NAMES = ("DAPI", "CD8", "PanCK")
SHAPE = (3, 150, 211)

LAYOUTS = {
    "tiled": {"tile": (64, 32), "compression": "zlib"},
    "tiled, predictor": {"tile": (64, 64), "compression": "lzw", "predictor": True},
    "tiled, raw": {"tile": (32, 32)},
    "strips": {"rowsperstrip": 7, "compression": "zstd"},
    "one raw strip": {},
    "big-endian": {"byteorder": ">", "compression": "zlib"},
    "big-endian, raw": {"byteorder": ">"},
    "BigTIFF": {"bigtiff": True, "tile": (64, 64)},
}


def pixels(shape=SHAPE, dtype="uint16", seed=0):
    values = np.random.default_rng(seed).integers(0, 250, shape)
    return values.astype(dtype)


def write(path, data, metadata=None, **options):
    metadata = {"axes": "CYX", "Channel": {"Name": list(NAMES)}, **(metadata or {})}
    tifffile.imwrite(
        path, data, ome=True, photometric="minisblack", metadata=metadata, **options
    )
    return path


def sized(x, y=None, unit="µm"):
    return {
        "PhysicalSizeX": x,
        "PhysicalSizeXUnit": unit,
        "PhysicalSizeY": x if y is None else y,
        "PhysicalSizeYUnit": unit,
    }


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layouts")
    return {
        name: write(folder / f"{number}.ome.tif", pixels(), **options)
        for number, (name, options) in enumerate(LAYOUTS.items())
    }


regions = st.tuples(
    *(
        st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).map(
            lambda ends: slice(min(ends), max(ends) + 1)
        )
        for n in SHAPE
    )
)


@pytest.mark.parametrize("layout", LAYOUTS)
@given(region=regions)
@settings(deadline=None, max_examples=25)
def test_a_region_is_that_region_of_the_whole(layouts, layout, region):
    path = layouts[layout]
    block = open_slide(path).levels[0][region].compute()
    assert block.dtype == np.uint16
    np.testing.assert_array_equal(block, tifffile.imread(path)[region])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float32"])
def test_pixel_types(tmp_path, dtype):
    data = pixels(dtype=dtype)
    slide = open_slide(write(tmp_path / "a.ome.tif", data, compression="zlib"))
    assert slide.levels[0].dtype == dtype
    np.testing.assert_array_equal(slide.levels[0].compute(), data)


def test_facts(tmp_path):
    slide = open_slide(write(tmp_path / "S1.2.ome.tiff", pixels(), sized(0.325)))
    assert slide.name == "S1.2"
    assert slide.file_format == "OME-TIFF"
    assert slide.channel_names == NAMES
    assert slide.um == pytest.approx(0.325)
    assert slide.shape_px == SHAPE[1:]
    assert slide.origin_um == (0.0, 0.0)


@pytest.mark.parametrize(
    ("value", "unit", "um"),
    [(0.5, "µm", 0.5), (325.0, "nm", 0.325), (0.00065, "mm", 0.65), (5e-7, "m", 0.5)],
)
def test_units_of_length(tmp_path, value, unit, um):
    path = write(tmp_path / "a.ome.tif", pixels(), sized(value, unit=unit))
    assert open_slide(path).um == pytest.approx(um)


@pytest.mark.parametrize("metadata", [{}, sized(1.0, unit="pixel")])
def test_an_unknown_pixel_size_is_left_open(tmp_path, metadata):
    path = write(tmp_path / "a.ome.tif", pixels(), metadata)
    slide = open_slide(path)
    assert slide.pixel_size is None
    with pytest.raises(UsageError, match="--pixel-size"):
        _ = slide.um
    assert open_slide(path, pixel_size_um=0.5).um == 0.5


def test_oblong_pixels_are_refused_unless_overridden(tmp_path):
    path = write(tmp_path / "a.ome.tif", pixels(), sized(0.5, 0.51))
    with pytest.raises(UsageError, match=r"a\.ome\.tif.*1 %"):
        open_slide(path)
    assert open_slide(path, pixel_size_um=0.5).um == 0.5


def test_channels_without_names_are_numbered(tmp_path):
    path = write(tmp_path / "a.ome.tif", pixels(), {"Channel": {}})
    assert open_slide(path).channel_names == ("Channel:0", "Channel:1", "Channel:2")
    named = open_slide(path, channel_names=["a", "b", "c"])
    assert named.channel_names == ("a", "b", "c")


def test_names_in_the_file_win(tmp_path):
    slide = open_slide(write(tmp_path / "a.ome.tif", pixels()), channel_names=["x"])
    assert slide.channel_names == NAMES


def test_repeated_names_are_told_apart(tmp_path):
    cycles = {"Channel": {"Name": ["DAPI", "CD3", "DAPI"]}}
    slide = open_slide(write(tmp_path / "a.ome.tif", pixels(), cycles))
    assert slide.channel_names == ("DAPI", "CD3", "DAPI#2")


def test_pyramid_in_subifds(tmp_path):
    path = tmp_path / "a.ome.tif"
    data = pixels((3, 256, 320))
    with tifffile.TiffWriter(path) as tif:
        options = {"photometric": "minisblack", "tile": (64, 64), "compression": "zlib"}
        tif.write(data, subifds=2, metadata={"axes": "CYX"}, **options)
        tif.write(data[:, ::2, ::2], subfiletype=1, **options)
        tif.write(data[:, ::4, ::4], subfiletype=1, **options)
    levels = open_slide(path).levels
    assert len(levels) == 3
    for level, step in zip(levels, (1, 2, 4), strict=True):
        np.testing.assert_array_equal(level.compute(), data[:, ::step, ::step])


def test_the_largest_image_is_the_slide(tmp_path):
    path = tmp_path / "a.ome.tif"
    names = [["label"], ["DAPI", "CD8"], ["macro"]]
    images = [pixels((n, size, size)) for n, size in ((1, 40), (2, 90), (1, 60))]
    with tifffile.TiffWriter(path, ome=True) as tif:
        for data, channels in zip(images, names, strict=True):
            metadata = {"axes": "CYX", "Channel": {"Name": channels}}
            tif.write(data, photometric="minisblack", metadata=metadata)
    slide = open_slide(path)
    assert slide.channel_names == ("DAPI", "CD8")
    np.testing.assert_array_equal(slide.levels[0].compute(), images[1])


def test_time_and_depth_of_one_step_do_not_matter(tmp_path):
    data = pixels()
    metadata = {"axes": "TCZYX"}
    path = write(tmp_path / "a.ome.tif", data[None, :, None], metadata)
    np.testing.assert_array_equal(open_slide(path).levels[0].compute(), data)


def test_one_plane_is_one_channel(tmp_path):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, pixels()[0], ome=True, metadata={"axes": "YX"})
    slide = open_slide(path)
    assert slide.levels[0].shape == (1, *SHAPE[1:])
    np.testing.assert_array_equal(slide.levels[0][0].compute(), pixels()[0])


def test_several_z_planes_are_refused(tmp_path):
    metadata = {"axes": "ZCYX", "Channel": {}}
    path = write(tmp_path / "a.ome.tif", pixels((4, 3, 50, 60)), metadata)
    with pytest.raises(FormatError, match=r"a\.ome\.tif.*Z=4.*project"):
        open_slide(path)


def test_brightfield_is_refused(tmp_path):
    path = tmp_path / "he.ome.tif"
    data = pixels((60, 80, 3), "uint8")
    tifffile.imwrite(path, data, photometric="rgb", ome=True)
    with pytest.raises(FormatError, match=r"he\.ome\.tif: a colour \(RGB brightfield"):
        open_slide(path)


def test_damaged_xml_is_refused(tmp_path):
    path = write(tmp_path / "a.ome.tif", pixels())
    path.write_bytes(path.read_bytes().replace(b"<Pixels ", b"<Pixels<"))
    with pytest.raises(FormatError, match="OME-XML"):
        open_slide(path)


def test_a_part_of_a_set_of_files_is_refused(tmp_path):
    path = tmp_path / "part.ome.tif"
    xml = '<OME><BinaryOnly MetadataFile="all.companion.ome" UUID="urn:1"/></OME>'
    tifffile.imwrite(path, pixels()[0], description=xml, metadata=None)
    with pytest.raises(FormatError, match="spread over several files"):
        open_slide(path)


def test_planes_that_are_announced_but_absent_are_refused(tmp_path):
    path = write(tmp_path / "a.ome.tif", pixels())
    path.write_bytes(path.read_bytes().replace(b'SizeC="3"', b'SizeC="5"'))
    with pytest.raises(FormatError, match="5 channels are announced, but 3"):
        open_slide(path)
