"""Outputs that are either complete or absent."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mifprofile.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAY_OUT = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file system takes no file this large; choose another folder",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "permission denied; choose a folder that you may write to",
    errno.EPERM: "permission denied; choose a folder that you may write to",
    errno.EIO: "the disk failed (input/output error); check it or choose another",
}


@contextmanager
def atomic_output(path: str | Path) -> Iterator[Path]:
    """Yield a sibling name to write to; it becomes `path` only on success.

    Works for a file, a link and a folder, and replaces what was there before. What dead
    runs left behind under such names is removed first.

    Parameters
    ----------
    path : str or Path
        The final name; missing parent folders are made.

    Yields
    ------
    Path
        ``<path>.partial-<pid>``, not existing yet.

    Raises
    ------
    StorageError
        The disk is full, read-only, forbidden or failing.
    """
    with storage_errors(path), temporary_sibling(path) as partial:
        yield partial
        replace(partial, Path(path))


@contextmanager
def temporary_sibling(path: str | Path) -> Iterator[Path]:
    """Yield ``<path>.partial-<pid>``, not existing yet and gone afterwards."""
    final = Path(path)
    partial = final.with_name(f"{final.name}.partial-{os.getpid()}")
    final.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(final)
    try:
        yield partial
    finally:
        _remove(partial)


@contextmanager
def storage_errors(path: str | Path) -> Iterator[None]:
    """Turn a disk's OSError into a one-line StorageError about `path`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _WAY_OUT:
            raise
        raise StorageError(f"{path}: {_WAY_OUT[error.errno]}") from error


def replace(partial: Path, final: Path) -> None:
    """Rename `partial` to `final`, whatever lies there; both on one file system."""
    if not final.is_dir() and not final.is_symlink():
        partial.replace(final)
        return
    # A folder cannot be renamed over a full one, so the old one steps aside.
    old = final.with_name(f"{final.name}.partial-{os.getpid()}-old")
    final.rename(old)
    partial.rename(final)
    _remove(old)


def _remove_leftovers(final: Path) -> None:
    mark = f"{final.name}.partial-"
    for leftover in final.parent.iterdir():
        if leftover.name.startswith(mark) and not _in_use(leftover.name[len(mark) :]):
            _remove(leftover)


def _in_use(suffix: str) -> bool:
    """Whether a partial output belongs to another process that is still alive."""
    pid = suffix.removesuffix("-old")
    if not pid.isdecimal():
        return True
    if int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
