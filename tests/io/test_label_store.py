from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

from mifprofile.errors import FormatError, MissingError, StorageError
from mifprofile.io.readers import open_slide, read_label_image
from mifprofile.io.store import (
    create_label_store,
    label_store,
    open_label_store,
    write_label_store,
    write_labels,
)
from mifprofile.model import PixelSize

SIZE = PixelSize(0.5, 0.5)
LABELS = np.random.default_rng(7).integers(0, 4000, (1300, 1100)).astype("uint32")


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "labels.zarr"
    with label_store(path, ("nuclei", "cells"), LABELS.shape, SIZE) as arrays:
        arrays["nuclei"][:] = LABELS
        arrays["cells"][:1024, :1024] = LABELS[:1024, :1024]
    return path


def test_it_reads_back(store):
    labels = open_label_store(store)
    assert list(labels) == ["nuclei", "cells"]
    levels, size = labels["nuclei"]
    assert size == SIZE
    assert [level.shape for level in levels] == [(1300, 1100), (650, 550), (325, 275)]
    assert {level.dtype for level in levels} == {np.dtype("uint32")}
    np.testing.assert_array_equal(levels[0][:], LABELS)
    assert not labels["cells"].levels[0][1024:].any()


def test_coarse_levels_are_every_second_pixel(store):
    for step, level in zip(
        (1, 2, 4), open_label_store(store)["nuclei"].levels, strict=True
    ):
        np.testing.assert_array_equal(level[:], LABELS[::step, ::step])


def test_plain_zstd_in_chunks(store):
    array = open_label_store(store)["cells"].levels[0]
    assert array.chunks == (1024, 1024)
    assert [type(codec).__name__ for codec in array.compressors] == ["ZstdCodec"]
    assert not (store / "cells/0/c/1/1").exists()


def test_any_ngff_reader_opens_it(store):
    nodes = list(Reader(parse_url(store))())
    assert [node.data[0].shape for node in nodes if node.data] == [LABELS.shape] * 2
    (node,) = Reader(parse_url(store / "nuclei"))()
    np.testing.assert_array_equal(node.data[0].compute(), LABELS)


def test_a_label_image_can_be_read_as_a_mask(store):
    np.testing.assert_array_equal(read_label_image(store / "nuclei"), LABELS)


def test_place_on_the_stage(tmp_path):
    path = tmp_path / "labels.zarr"
    write_label_store(path, {"tissue": LABELS}, SIZE, origin_um=(10.0, 20.0))
    slide = open_slide(path / "tissue")
    assert slide.origin_um == (10.0, 20.0)
    assert slide.pixel_size == SIZE


def test_whole_images_of_other_types(tmp_path):
    path = tmp_path / "tissue.zarr"
    mask = (LABELS[:50, :60] > 9).astype("uint8")
    write_label_store(path, {"tissue": mask}, None)
    levels, size = open_label_store(path)["tissue"]
    assert size is None
    assert len(levels) == 1
    assert levels[0].dtype == np.uint8
    np.testing.assert_array_equal(levels[0][:], mask)


def test_whole_chunks_of_any_level_can_be_written_at_once(tmp_path):
    path = tmp_path / "labels.zarr"
    create_label_store(path, ["cells"], LABELS.shape, SIZE)
    corners = [(y, x) for y in (0, 1024) for x in (0, 1024)]

    def write(corner):
        window = tuple(slice(start, start + 1024) for start in corner)
        write_labels(path, "cells", 0, corner, LABELS[window])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, corners))
    write_labels(path, "cells", 2, (0, 0), LABELS[::4, ::4])
    levels = open_label_store(path)["cells"].levels
    np.testing.assert_array_equal(levels[0][:], LABELS)
    np.testing.assert_array_equal(levels[2][:], LABELS[::4, ::4])


def test_a_chunk_without_labels_makes_no_file(tmp_path):
    path = tmp_path / "labels.zarr"
    create_label_store(path, ["cells"], (1024, 2048), SIZE)
    labels = np.zeros((1024, 2048), np.uint32)
    labels[5, 2000] = 7
    write_labels(path, "cells", 0, (0, 0), labels)
    chunks = [p for p in (path / "cells" / "0" / "c").rglob("*") if p.is_file()]
    assert [p.relative_to(path / "cells").as_posix() for p in chunks] == ["0/c/0/1"]
    np.testing.assert_array_equal(open_label_store(path)["cells"].levels[0], labels)


def test_one_of_several_label_images_can_be_opened(tmp_path):
    path = tmp_path / "labels.zarr"
    create_label_store(path, ["nuclei", "cells"], (9, 9), SIZE)
    assert list(open_label_store(path)) == ["nuclei", "cells"]
    assert list(open_label_store(path, {"cells"})) == ["cells"]
    with pytest.raises(FormatError, match="not an OME-Zarr label store"):
        open_label_store(path, {"tissue"})


def test_nothing_is_left_of_a_failure(tmp_path):
    def fail():
        with label_store(tmp_path / "labels.zarr", ["cells"], (9, 9), SIZE) as arrays:
            arrays["cells"][:] = 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StorageError, match="the disk is full"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_label_store(tmp_path):
    with pytest.raises(MissingError, match=r"labels\.zarr: no such label store"):
        open_label_store(tmp_path / "labels.zarr")
    zarr.create_group(tmp_path / "slide.zarr", zarr_format=3)
    for path in (tmp_path, tmp_path / "slide.zarr"):
        with pytest.raises(FormatError, match="not an OME-Zarr label store"):
            open_label_store(path)
