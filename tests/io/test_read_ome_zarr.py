from __future__ import annotations

import json

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from mifprofile.errors import FormatError
from mifprofile.io.readers import open_slide

DATA = np.random.default_rng(3).integers(0, 60_000, (3, 130, 170)).astype("uint16")
NAMES = ("DAPI", "CD8", "PanCK")
TYPES = {"t": "time", "c": "channel"}


def image_metadata(axes, scale, unit="micrometer", levels=1, **extra):
    described = [{"name": axis, "type": TYPES.get(axis, "space")} for axis in axes]
    for axis in described:
        if axis["type"] == "space" and unit:
            axis["unit"] = unit
    datasets = []
    for level in range(levels):
        edge = [scale * 2**level if axis in "yx" else 1.0 for axis in axes]
        step = {"type": "scale", "scale": edge}
        datasets.append({"path": str(level), "coordinateTransformations": [step]})
    return [{"axes": described, "datasets": datasets, "name": "slide", **extra}]


def write(path, version, axes="cyx", *, data=DATA, names=NAMES, levels=1, **metadata):
    """Write an OME-Zarr as others do: 0.4 on zarr v2, 0.5 on zarr v3."""
    root = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    channels = {"channels": [{"label": name} for name in names]}
    scales = image_metadata(axes, metadata.pop("scale", 0.5), levels=levels, **metadata)
    if version == "0.4":
        scales[0]["version"] = "0.4"
        root.update_attributes({"multiscales": scales, "omero": channels})
    else:
        ome = {"version": version, "multiscales": scales, "omero": channels}
        root.update_attributes({"ome": ome})
    for level in range(levels):
        image = arranged(data[:, :: 2**level, :: 2**level], axes)
        chunks = [64 if axis in "yx" else 1 for axis in axes]
        root.create_array(str(level), data=image, chunks=chunks)
    return path


def arranged(data, axes):
    """(c, y, x) with other axes; without a channel axis, the first channel alone."""
    kept = [axis for axis in "cyx" if axis in axes]
    image = data if "c" in kept else data[0]
    image = image.transpose([kept.index(axis) for axis in axes if axis in kept])
    sizes = iter(image.shape)
    return image.reshape([next(sizes) if axis in kept else 1 for axis in axes])


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zarr")
    return {v: write(folder / f"{v}.ome.zarr", v, levels=2) for v in ("0.4", "0.5")}


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@given(c=st.integers(0, 2), y=st.integers(0, 129), x=st.integers(0, 169))
@settings(deadline=None, max_examples=25)
def test_a_region_is_that_region_of_the_whole(stores, version, c, y, x):
    level = open_slide(stores[version]).levels[0]
    np.testing.assert_array_equal(level[c:, y:, :x].compute(), DATA[c:, y:, :x])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_facts(stores, version):
    slide = open_slide(stores[version])
    assert slide.name == version
    assert slide.file_format == f"OME-Zarr {version}"
    assert slide.channel_names == NAMES
    assert slide.um == 0.5
    assert [level.shape for level in slide.levels] == [(3, 130, 170), (3, 65, 85)]
    np.testing.assert_array_equal(slide.levels[1].compute(), DATA[:, ::2, ::2])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["tczyx", "czyx", "tcyx", "yxc", "zyxc"])
def test_axes_of_one_step_and_their_order_do_not_matter(tmp_path, version, axes):
    slide = open_slide(write(tmp_path / "a.zarr", version, axes))
    np.testing.assert_array_equal(slide.levels[0].compute(), DATA)
    assert slide.channel_names == NAMES
    assert slide.um == 0.5


def test_no_channel_axis_is_one_channel(tmp_path):
    slide = open_slide(write(tmp_path / "a.zarr", "0.5", "yx", names=["DAPI"]))
    np.testing.assert_array_equal(slide.levels[0].compute(), DATA[:1])
    assert slide.channel_names == ("DAPI",)


@pytest.mark.parametrize(
    ("scale", "unit", "um"),
    [(500.0, "nanometer", 0.5), (0.0005, "millimeter", 0.5), (0.5, "micrometer", 0.5)],
)
def test_units_of_length(tmp_path, scale, unit, um):
    path = write(tmp_path / "a.zarr", "0.5", scale=scale, unit=unit)
    assert open_slide(path).um == pytest.approx(um)


def test_a_scale_without_unit_is_no_pixel_size(tmp_path):
    assert open_slide(write(tmp_path / "a.zarr", "0.4", unit=None)).pixel_size is None


def test_the_image_may_scale_and_move_all_its_levels(tmp_path):
    steps = [
        {"type": "scale", "scale": [1.0, 0.5, 0.5]},
        {"type": "translation", "translation": [0.0, 30.0, 20.0]},
    ]
    path = write(tmp_path / "a.zarr", "0.5", scale=1.0, coordinateTransformations=steps)
    slide = open_slide(path)
    assert slide.um == 0.5
    assert slide.origin_um == (20.0, 30.0)


def test_channels_without_names_are_numbered(tmp_path):
    path = write(tmp_path / "a.zarr", "0.5", names=())
    assert open_slide(path).channel_names == ("Channel:0", "Channel:1", "Channel:2")


def test_several_z_planes_are_refused(tmp_path):
    root = zarr.create_group(tmp_path / "a.zarr", zarr_format=3)
    ome = {"version": "0.5", "multiscales": image_metadata("zyx", 0.5)}
    root.update_attributes({"ome": ome})
    root.create_array("0", shape=(5, 20, 20), dtype="uint16")
    with pytest.raises(FormatError, match=r"z=5.*project"):
        open_slide(tmp_path / "a.zarr")


def test_the_largest_image_of_bioformats2raw(tmp_path):
    root = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    root.update_attributes({"bioformats2raw.layout": 3})
    write(tmp_path / "a.zarr" / "0", "0.4")
    write(tmp_path / "a.zarr" / "1", "0.4", data=DATA[:, :40, :40])
    np.testing.assert_array_equal(
        open_slide(tmp_path / "a.zarr").levels[0].compute(), DATA
    )


def test_folders_that_are_no_image(tmp_path):
    with pytest.raises(FormatError, match="no zarr metadata"):
        open_slide(tmp_path)
    zarr.create_group(tmp_path / "table.zarr", zarr_format=3)
    with pytest.raises(FormatError, match=r"table\.zarr: .*no multiscales"):
        open_slide(tmp_path / "table.zarr")
    zarr.create_array(tmp_path / "array.zarr", shape=(3, 3), dtype="uint8")
    with pytest.raises(FormatError, match=r"array\.zarr: "):
        open_slide(tmp_path / "array.zarr")


@pytest.mark.parametrize(
    "damage",
    [
        {"datasets": []},
        {"datasets": [{"path": "7"}]},
        {"datasets": [{}]},
        {"axes": ["c", "y"]},
        {"axes": [{"type": "space"}]},
        {"axes": [{"name": "q"}, {"name": "y"}, {"name": "x"}]},
    ],
)
def test_damaged_metadata_are_refused(tmp_path, damage):
    path = write(tmp_path / "a.zarr", "0.5")
    file = path / "zarr.json"
    metadata = json.loads(file.read_text())
    metadata["attributes"]["ome"]["multiscales"][0].update(damage)
    file.write_text(json.dumps(metadata))
    with pytest.raises(FormatError, match=r"a\.zarr: "):
        open_slide(path)


def test_broken_json_is_refused(tmp_path):
    path = write(tmp_path / "a.zarr", "0.5")
    (path / "zarr.json").write_text('{"zarr_format": 3,')
    with pytest.raises(FormatError, match=r"a\.zarr: "):
        open_slide(path)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_damaged_chunks_are_refused_when_read(tmp_path, version):
    path = write(tmp_path / "a.zarr", version)
    chunk = path / "0" / ("0.0.0" if version == "0.4" else "c/0/0/0")
    chunk.write_bytes(chunk.read_bytes()[:20])
    level = open_slide(path).levels[0]
    with pytest.raises(FormatError, match=r"a\.zarr: the image data are damaged"):
        level[0, :10, :10].compute()
    np.testing.assert_array_equal(level[1].compute(), DATA[1])


def test_no_channels(tmp_path):
    root = zarr.create_group(tmp_path / "a.zarr", zarr_format=3)
    ome = {"version": "0.5", "multiscales": image_metadata("cyx", 0.5)}
    root.update_attributes({"ome": ome})
    root.create_array("0", shape=(0, 20, 20), chunks=(1, 20, 20), dtype="uint16")
    with pytest.raises(FormatError, match=r"a\.zarr: the image is empty"):
        open_slide(tmp_path / "a.zarr")
