import os
import resource

import numpy as np
import pytest

from mifprofile.errors import StorageError
from mifprofile.io.store import Scratch


@pytest.fixture
def scratch(tmp_path):
    scratch = Scratch(tmp_path / "segment.unfinished")
    assert not scratch.begin("a")
    scratch.ready("a")
    return scratch


def test_parts_of_an_array_can_be_read(scratch):
    assert not scratch.holds("tile")
    scratch.put("tile", np.arange(12, dtype=np.int8).reshape(3, 4))
    assert scratch.holds("tile")
    assert scratch.view("tile")[1:, ::2].tolist() == [[4, 6], [8, 10]]


@pytest.mark.parametrize("room", [100, 1000, 3990])
def test_an_array_that_does_not_fit_is_none(scratch, room):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(StorageError, match="takes no file this large"):
            scratch.put("tile", np.zeros(4000, np.int8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not scratch.holds("tile")


def test_parts_in_any_order_of_memory_come_back(scratch):
    wide = np.arange(24, dtype=np.uint16).reshape(4, 6)
    for name, array in (("a", wide[1:3, ::2]), ("b", wide.T), ("c", wide[:0])):
        scratch.put(name, array)
        np.testing.assert_array_equal(scratch.view(name), array)


def test_the_same_run_goes_on(scratch):
    scratch.save("block-0-0", names=np.array([4, 9]))
    again = Scratch(scratch.folder)
    assert again.begin("a")
    assert again.has("block-0-0")
    assert again.load("block-0-0")["names"].tolist() == [4, 9]


def test_another_run_starts_with_nothing(scratch):
    scratch.save("block-0-0")
    assert not scratch.begin("b")
    assert not scratch.has("block-0-0")
    assert list(scratch.folder.iterdir()) == []


def test_what_was_killed_before_it_was_ready_starts_again(tmp_path):
    scratch = Scratch(tmp_path / "unfinished")
    scratch.begin("a")
    scratch.put("tile", np.zeros(3))
    assert not scratch.begin("a")
    assert list(scratch.folder.iterdir()) == []


def test_a_mark_that_was_not_finished_is_none(scratch, monkeypatch):
    def full(*_, **__):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(StorageError, match="the disk is full"):
        scratch.save("block-0-0", names=np.array([1]))
    assert not scratch.has("block-0-0")


def test_what_is_published_moves_out(scratch, tmp_path):
    (scratch.folder / "labels").mkdir()
    (tmp_path / "labels.zarr").mkdir()
    (tmp_path / "labels.zarr" / "old").touch()
    scratch.publish("labels", tmp_path / "labels.zarr")
    assert list((tmp_path / "labels.zarr").iterdir()) == []
    scratch.publish("labels", tmp_path / "labels.zarr")
    scratch.remove()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["labels.zarr"]
