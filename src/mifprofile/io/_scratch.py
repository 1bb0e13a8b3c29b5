"""A folder in which a stage's tasks leave their results, and which survives a kill."""

from __future__ import annotations

import itertools
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec

from mifprofile.io.atomic import replace, storage_errors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray

_KEY = "key"
_number = itertools.count()


@dataclass(frozen=True)
class Scratch:
    """Arrays that tasks fill, and marks of what is done.

    A mark appears under its name only once it is complete, and a task sets it after
    everything else that it writes: what is marked need not be done again.

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
            Whether the arrays are there already.
        """
        marked = self.folder / _KEY
        if marked.is_file() and marked.read_text(encoding="utf-8") == key:
            return True
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        return False

    def ready(self, key: str) -> None:
        """Say that the arrays are there."""
        partial = self._partial(_KEY)
        partial.write_text(key, encoding="utf-8")
        partial.replace(self.folder / _KEY)

    def create(
        self,
        name: str,
        shape: tuple[int, ...],
        chunks: tuple[int, ...],
        dtype: DTypeLike,
        fill: int = 0,
    ) -> None:
        """Make an array; tasks that keep to whole chunks may fill it side by side."""
        zarr.create_array(
            self.folder / name,
            shape=shape,
            chunks=chunks,
            dtype=dtype,
            fill_value=fill,
            compressors=BloscCodec(cname="lz4", clevel=1, shuffle="shuffle"),
        )

    def open(self, name: str) -> zarr.Array[Any]:
        """Open an array for reading and writing."""
        return zarr.open_array(self.folder / name, mode="r+")

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
        """Delete the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, mark: str) -> Path:
        return self.folder / f"{mark}.npz"

    def _partial(self, name: str) -> Path:
        return self.folder / f"{name}.partial-{os.getpid()}-{next(_number)}"
