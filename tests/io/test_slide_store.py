from __future__ import annotations

import errno
import json
import os

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from zarr.storage import LocalStore

from mifprofile.errors import FormatError, StorageError, UsageError
from mifprofile.io._slide_store import halve
from mifprofile.io.readers import open_slide
from mifprofile.io.store import is_current_store, write_slide_store
from mifprofile.model import Channel, PixelSize, Slide

NAMES = ("DAPI", "CD8", "PanCK")


SIZE = PixelSize(0.5, 0.5)


def slide(data, chunks=(1, 512, 512), pixel_size=SIZE, origin=(0.0, 0.0)):
    return Slide(
        name="slide",
        source="slide.tif",
        file_format="TIFF",
        channels=tuple(Channel(n, i) for i, n in enumerate(NAMES[: len(data)])),
        pixel_size=pixel_size,
        levels=(da.from_array(data, chunks=chunks),),
        origin_um=origin,
    )


def pixels(shape, dtype="uint16"):
    return np.random.default_rng(6).integers(0, 60_000, shape).astype(dtype)


def tree(path):
    """Every file of a store with its content."""
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file()
    }


def test_it_reads_back(tmp_path):
    data = pixels((3, 1500, 1100))
    write_slide_store(slide(data, origin=(100.0, 200.0)), tmp_path / "slide.zarr")
    read = open_slide(tmp_path / "slide.zarr")
    assert read.file_format == "OME-Zarr 0.5"
    assert read.channel_names == NAMES
    assert read.pixel_size == PixelSize(0.5, 0.5)
    assert read.origin_um == (100.0, 200.0)
    shapes = [(3, 1500, 1100), (3, 750, 550), (3, 375, 275)]
    assert [level.shape for level in read.levels] == shapes
    np.testing.assert_array_equal(read.levels[0].compute(), data)


def mean_of_four(plane):
    """Mean of 2 x 2 pixels in exact numbers, half up for integers."""
    padded = np.pad(plane, [(0, n % 2) for n in plane.shape], mode="edge")
    height, width = padded.shape
    blocks = padded.reshape(height // 2, 2, width // 2, 2)
    if plane.dtype.kind == "f":
        return blocks.astype("float64").mean(axis=(1, 3))
    return (blocks.astype(object).sum(axis=(1, 3)) + 2) // 4


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.uint32]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=7),
    )
)
@settings(deadline=None)
def test_halving_is_the_mean_of_four_rounded_half_up(plane):
    half = halve(plane)
    assert half.dtype == plane.dtype
    np.testing.assert_array_equal(half, mean_of_four(plane))


def test_halving_by_hand():
    plane = np.array([[0, 1, 9], [1, 0, 10], [7, 8, 255]], np.uint8)
    np.testing.assert_array_equal(halve(plane), [[1, 10], [8, 255]])


def test_float_stays_float(tmp_path):
    data = np.random.default_rng(0).normal(size=(1, 700, 600)).astype("float32")
    write_slide_store(slide(data), tmp_path / "slide.zarr")
    levels = open_slide(tmp_path / "slide.zarr").levels
    assert {level.dtype.name for level in levels} == {"float32"}
    np.testing.assert_array_equal(levels[0].compute(), data)
    np.testing.assert_allclose(
        levels[1][0].compute(), mean_of_four(data[0]), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    "chunks", [(1, 256, 1024), (1, 77, 2100), (3, 2500, 333), (1, 1024, 1024)]
)
def test_the_store_does_not_depend_on_the_sources_chunks(tmp_path, chunks):
    data = pixels((2, 2500, 2100))
    write_slide_store(slide(data), tmp_path / "a.zarr", workers=1)
    write_slide_store(slide(data, chunks), tmp_path / "b.zarr", workers=2)
    assert tree(tmp_path / "a.zarr") == tree(tmp_path / "b.zarr")
    coarse = open_slide(tmp_path / "a.zarr").levels[1]
    np.testing.assert_array_equal(coarse[1].compute(), mean_of_four(data[1]))


def test_only_the_wanted_channels_in_their_order(tmp_path):
    data = pixels((3, 60, 70))
    path = tmp_path / "slide.zarr"
    write_slide_store(slide(data), path, channels=["PanCK", "DAPI"])
    read = open_slide(path)
    assert read.channel_names == ("PanCK", "DAPI")
    np.testing.assert_array_equal(read.levels[0].compute(), data[[2, 0]])
    with pytest.raises(UsageError, match="no channel 'CD9'"):
        write_slide_store(slide(data), path, channels=["CD9"])


def test_the_number_of_levels_can_be_given(tmp_path):
    write_slide_store(slide(pixels((1, 50, 60))), tmp_path / "slide.zarr", levels=3)
    shapes = [level.shape for level in open_slide(tmp_path / "slide.zarr").levels]
    assert shapes == [(1, 50, 60), (1, 25, 30), (1, 13, 15)]


def test_chunks_and_codec(tmp_path):
    write_slide_store(slide(pixels((2, 1100, 1100))), tmp_path / "slide.zarr")
    level = zarr.open_group(tmp_path / "slide.zarr", mode="r")["0"]
    assert level.chunks == (1, 1024, 1024)
    (codec,) = level.compressors
    assert (codec.cname.value, codec.clevel, codec.shuffle.value) == (
        "zstd",
        1,
        "shuffle",
    )


def test_empty_glass_takes_no_room(tmp_path):
    data = pixels((1, 1024, 3072))
    data[:, :, 1024:2048] = 0
    write_slide_store(slide(data), tmp_path / "slide.zarr")
    chunks = sorted(p.name for p in (tmp_path / "slide.zarr/0/c/0/0").iterdir())
    assert chunks == ["0", "2"]
    read = open_slide(tmp_path / "slide.zarr")
    np.testing.assert_array_equal(read.levels[0].compute(), data)


def test_any_ngff_reader_opens_it(tmp_path):
    data = pixels((3, 1100, 900))
    write_slide_store(slide(data, origin=(10.0, 20.0)), tmp_path / "slide.zarr")
    (node,) = Reader(parse_url(tmp_path / "slide.zarr"))()
    assert [level.shape for level in node.data] == [(3, 1100, 900), (3, 550, 450)]
    np.testing.assert_array_equal(node.data[0].compute(), data)
    assert node.metadata["channel_names"] == list(NAMES)
    assert [axis.get("unit") for axis in node.metadata["axes"]] == [
        None,
        "micrometer",
        "micrometer",
    ]
    assert node.metadata["coordinateTransformations"][1] == [
        {"type": "scale", "scale": [1.0, 1.0, 1.0]},
        {"type": "translation", "translation": [0.0, 20.25, 10.25]},
    ]


def test_an_unknown_pixel_size_stays_unknown(tmp_path):
    path = tmp_path / "slide.zarr"
    write_slide_store(slide(pixels((1, 40, 40)), pixel_size=None), path)
    assert open_slide(path).pixel_size is None
    assert not is_current_store(path)


def test_progress(tmp_path):
    seen = []
    write_slide_store(
        slide(pixels((2, 1500, 1100))),
        tmp_path / "slide.zarr",
        on_progress=lambda done, total: seen.append((done, total)),
    )
    total = 2 * (4 + 1 + 1)
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    written, write = [], LocalStore.set

    async def full(self, key, value, *args, **kwargs):
        written.append(key)
        if len(written) > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        await write(self, key, value, *args, **kwargs)

    monkeypatch.setattr(LocalStore, "set", full)
    with pytest.raises(StorageError, match=r"slide\.zarr: the disk is full") as caught:
        write_slide_store(slide(pixels((3, 2100, 1100))), tmp_path / "slide.zarr")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert len(written) < 12


def test_damaged_pixels_leave_the_old_store(tmp_path):
    data = pixels((2, 600, 600))
    write_slide_store(slide(data), tmp_path / "slide.zarr")

    def damaged(block):
        if block.size:
            raise FormatError("slide.tif: damaged")
        return block

    source = slide(data)
    level = source.levels[0].map_blocks(damaged, dtype="uint16")
    bad = Slide("b", "b", "TIFF", source.channels, source.pixel_size, (level,))
    with pytest.raises(FormatError, match="damaged"):
        write_slide_store(bad, tmp_path / "slide.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["slide.zarr"]
    kept = open_slide(tmp_path / "slide.zarr").levels[0]
    np.testing.assert_array_equal(kept.compute(), data)


@pytest.fixture(scope="module")
def current(tmp_path_factory):
    path = tmp_path_factory.mktemp("current") / "slide.zarr"
    write_slide_store(slide(pixels((2, 1100, 1300))), path)
    return path


def test_our_own_store_is_current(current):
    assert is_current_store(current)


def edited(path, folder, edit):
    copy = folder / "slide.zarr"
    for name, content in tree(path).items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(content)
    metadata = json.loads((copy / "zarr.json").read_text())
    metadata.pop("consolidated_metadata", None)
    edit(metadata["attributes"]["ome"])
    (copy / "zarr.json").write_text(json.dumps(metadata))
    return copy


@pytest.mark.parametrize(
    "edit",
    [
        lambda ome: ome.pop("omero"),
        lambda ome: ome.update(version="0.4"),
        lambda ome: [axis.pop("unit", 0) for axis in ome["multiscales"][0]["axes"]],
        lambda ome: ome["multiscales"][0]["datasets"].pop(1),
        lambda ome: ome.pop("multiscales"),
    ],
)
def test_what_is_not_current(current, tmp_path, edit):
    assert is_current_store(edited(current, tmp_path, lambda ome: None))
    assert not is_current_store(edited(current, tmp_path, edit))


def test_files_and_other_folders_are_not_current(tmp_path):
    assert not is_current_store(tmp_path)
    (tmp_path / "slide.tif").touch()
    assert not is_current_store(tmp_path / "slide.tif")
    assert not is_current_store(tmp_path / "none.zarr")


@pytest.mark.parametrize("chunks", [(2, 512, 512), (1, 4096, 4096)])
def test_unhandy_chunks_are_not_current(current, tmp_path, chunks):
    def keep_one_level(ome):
        del ome["multiscales"][0]["datasets"][1:]

    copy = edited(current, tmp_path, keep_one_level)
    root = zarr.open_group(copy, mode="r+")
    options = {"shape": (2, 900, 900), "dtype": "uint16", "overwrite": True}
    root.create_array("0", chunks=(1, 512, 512), **options)
    assert is_current_store(copy)
    root.create_array("0", chunks=chunks, **options)
    assert not is_current_store(copy)
