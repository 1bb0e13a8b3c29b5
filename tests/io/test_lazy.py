from __future__ import annotations

import os

import numpy as np
import pytest
import tifffile
import zarr
from zarr.storage import LocalStore

from mifprofile.io.readers import open_slide
from mifprofile.io.store import write_slide_store

DATA = np.random.default_rng(5).integers(1, 900, (3, 2500, 2300)).astype("uint16")


@pytest.fixture(scope="module")
def tiled(tmp_path_factory):
    path = tmp_path_factory.mktemp("lazy") / "slide.ome.tif"
    options = {"tile": (256, 256), "compression": "zlib", "metadata": {"axes": "CYX"}}
    tifffile.imwrite(path, DATA, ome=True, photometric="minisblack", **options)
    return path


@pytest.fixture
def reads(monkeypatch):
    """Sizes of all reads of image segments."""
    sizes, pread = [], os.pread

    def spy(file, count, offset):
        sizes.append(count)
        return pread(file, count, offset)

    monkeypatch.setattr("os.pread", spy)
    return sizes


@pytest.fixture
def gets(monkeypatch):
    """Keys of all chunks that zarr reads."""
    keys, get = [], LocalStore.get

    async def spy(self, key, *args, **kwargs):
        if "/c/" in key:
            keys.append(key)
        return await get(self, key, *args, **kwargs)

    monkeypatch.setattr(LocalStore, "get", spy)
    return keys


def test_opening_reads_no_pixels(tiled, reads):
    open_slide(tiled)
    assert reads == []


def test_a_small_region_reads_the_tiles_of_its_block(tiled, reads):
    open_slide(tiled).levels[0][1, 1100:1200, 1100:1200].compute()
    assert len(reads) == (1024 // 256) ** 2


def test_rows_of_a_raw_plane_are_read_without_the_rest(tmp_path, reads):
    path = tmp_path / "raw.tif"
    tifffile.imwrite(path, DATA, photometric="minisblack")
    block = open_slide(path).levels[0][2, 1000:1010, 500:600].compute()
    np.testing.assert_array_equal(block, DATA[2, 1000:1010, 500:600])
    assert sum(reads) <= 4 * 2**20


def test_a_store_is_written_with_one_read_of_each_tile(tiled, tmp_path, reads):
    write_slide_store(open_slide(tiled), tmp_path / "slide.zarr")
    assert len(reads) == 3 * 10 * 9
    assert sum(reads) < tiled.stat().st_size


def test_strips_that_fit_no_chunk_are_read_once(tmp_path, reads):
    path = tmp_path / "strips.tif"
    options = {"rowsperstrip": 77, "compression": "zlib", "photometric": "minisblack"}
    tifffile.imwrite(path, DATA, **options)
    write_slide_store(open_slide(path), tmp_path / "slide.zarr")
    assert len(reads) == 3 * 33


def test_a_small_region_of_a_store_reads_one_chunk(tiled, tmp_path, gets):
    write_slide_store(open_slide(tiled), tmp_path / "slide.zarr")
    gets.clear()
    slide = open_slide(tmp_path / "slide.zarr")
    assert gets == []
    slide.levels[0][1, 1100:1200, 1100:1200].compute()
    assert gets == ["0/c/1/1/1"]


def test_a_sharded_or_small_chunked_store_is_read_in_blocks(tmp_path, gets):
    scales = {
        "axes": [{"name": a} for a in "cyx"],
        "datasets": [{"path": "0"}],
    }
    root = zarr.create_group(tmp_path / "a.zarr", zarr_format=3)
    root.update_attributes({"ome": {"version": "0.5", "multiscales": [scales]}})
    array = root.create_array("0", data=DATA, chunks=(1, 256, 256))
    assert array.shape == DATA.shape
    gets.clear()
    block = open_slide(tmp_path / "a.zarr").levels[0][0, :20, :20].compute()
    np.testing.assert_array_equal(block, DATA[0, :20, :20])
    assert len(gets) == 16
