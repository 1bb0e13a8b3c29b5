from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from mifprofile.errors import StorageError
from mifprofile.io.atomic import atomic_output, storage_errors


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_at_the_end(tmp_path):
    final = tmp_path / "new" / "table.csv"
    with atomic_output(final) as partial:
        assert partial == final.with_name(f"table.csv.partial-{os.getpid()}")
        partial.write_text("1")
        assert not final.exists()
    assert final.read_text() == "1"
    assert names(final.parent) == ["table.csv"]


def test_a_folder_replaces_a_folder(tmp_path):
    final = tmp_path / "slide.zarr"
    for content in ("old", "new"):
        with atomic_output(final) as partial:
            partial.mkdir()
            (partial / content).touch()
    assert names(tmp_path) == ["slide.zarr"]
    assert names(final) == ["new"]


def test_a_link_and_a_folder_replace_each_other(tmp_path):
    other, final = tmp_path / "other", tmp_path / "slide.zarr"
    other.mkdir()
    (other / "kept").touch()
    final.mkdir()
    with atomic_output(final) as partial:
        partial.symlink_to(other)
    assert final.is_symlink()
    with atomic_output(final) as partial:
        partial.mkdir()
    assert names(final) == []
    assert names(other) == ["kept"]


def test_nothing_is_left_of_a_failure(tmp_path):
    final = tmp_path / "slide.zarr"
    final.write_text("old")

    def fail():
        with atomic_output(final) as partial:
            partial.mkdir()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names(tmp_path) == ["slide.zarr"]
    assert final.read_text() == "old"


def test_leftovers_of_dead_runs_are_removed(tmp_path):
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()
    (tmp_path / f"a.zarr.partial-{dead}").mkdir()
    (tmp_path / f"a.zarr.partial-{dead}-old").mkdir()
    (tmp_path / f"a.zarr.partial-{os.getpid()}").mkdir()
    alive = tmp_path / f"a.zarr.partial-{os.getppid()}"
    foreign = tmp_path / "a.zarr.partial-notes"
    other = tmp_path / f"b.zarr.partial-{dead}"
    for path in (alive, foreign, other):
        path.mkdir()
    with atomic_output(tmp_path / "a.zarr") as partial:
        partial.mkdir()
    assert names(tmp_path) == sorted(["a.zarr", alive.name, foreign.name, other.name])


@pytest.mark.parametrize(
    "code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT]
)
def test_the_disks_faults_are_told_in_one_line(tmp_path, code):
    def fail():
        with atomic_output(tmp_path / "a.zarr") as partial:
            partial.mkdir()
            raise OSError(code, os.strerror(code))

    with pytest.raises(StorageError, match=r"a\.zarr: .*; \w+") as caught:
        fail()
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


def test_other_errors_pass(tmp_path):
    with pytest.raises(FileNotFoundError), storage_errors(tmp_path):
        (tmp_path / "none").read_text()
