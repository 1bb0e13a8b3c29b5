"""A folder in which a stage's tasks leave their results, and which survives a kill."""

from __future__ import annotations

import itertools
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mifprofile.io.atomic import replace, storage_errors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_KEY = "key"
_number = itertools.count()


@dataclass(frozen=True)
class Scratch:
    """Arrays that tasks leave for each other, and marks of what is done.

    Either appears under its name only once it is complete, and a task sets its mark
    after everything else that it writes: what is marked need not be done again. What
    tasks write is raw: it is read within minutes, and packing it costs more than that.

    Attributes
    ----------
    folder : Path
    """

    folder: Path

    def begin(self, key: str) -> bool:
        """Keep what a run with the same key has left; else start with nothing.

        Returns
        -------
        bool
            Whether tasks had begun.
        """
        marked = self.folder / _KEY
        if marked.is_file() and marked.read_text(encoding="utf-8") == key:
            return True
        self.remove()
        self.folder.mkdir(parents=True)
        return False

    def ready(self, key: str) -> None:
        """Say that tasks may begin."""
        partial = self._partial(_KEY)
        partial.write_text(key, encoding="utf-8")
        partial.replace(self.folder / _KEY)

    def put(self, name: str, array: NDArray[Any]) -> None:
        """Leave one array, of any shape, of which parts will be read."""
        with storage_errors(self.folder):
            partial = self._partial(name)
            with partial.open("wb") as file:
                # np.save writes past Python's file, and a full disk goes unsaid.
                whole = np.ascontiguousarray(array)
                header = np.lib.format.header_data_from_array_1_0(whole)
                np.lib.format.write_array_header_1_0(file, header)
                file.write(whole.data)
            partial.replace(self._array_path(name))

    def holds(self, name: str) -> bool:
        """Whether an array was left under a name."""
        return self._array_path(name).is_file()

    def view(self, name: str) -> NDArray[Any]:
        """Array as it lies on the disk, to be read in part."""
        return np.asarray(np.load(self._array_path(name), mmap_mode="r"))

    def save(self, mark: str, **arrays: NDArray[Any]) -> None:
        """Set a mark that holds small arrays."""
        with storage_errors(self.folder):
            partial = self._partial(mark)
            with partial.open("wb") as file:
                np.savez(file, **arrays)
            partial.replace(self._path(mark))

    def has(self, mark: str) -> bool:
        """Whether a mark was set."""
        return self._path(mark).is_file()

    def load(self, mark: str) -> dict[str, NDArray[Any]]:
        """Arrays of a mark."""
        with np.load(self._path(mark)) as store:
            return dict(store)

    def publish(self, name: str, path: Path) -> None:
        """Move something out to its final place."""
        if (self.folder / name).exists():
            replace(self.folder / name, path)

    def remove(self) -> None:
        """Delete the folder and all that is in it, what makes it valid first."""
        (self.folder / _KEY).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, mark: str) -> Path:
        return self.folder / f"{mark}.npz"

    def _array_path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _partial(self, name: str) -> Path:
        return self.folder / f"{name}.partial-{os.getpid()}-{next(_number)}"
