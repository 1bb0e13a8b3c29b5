"""A slide's pixels, square by square: neighbouring tasks need the same ones."""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mifprofile.io.readers import open_slide
from mifprofile.io.store import CHUNK_PX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from mifprofile.model import Slide

# Two megabytes each.
KEPT = 48


@lru_cache(maxsize=1)
def open_once(path: Path, _: str) -> Slide:
    """Open the slide of a run."""
    return open_slide(path)


@lru_cache(maxsize=KEPT)
def read_square(
    path: Path, key: str, channel: int, top: int, left: int
) -> NDArray[Any]:
    """(h, w) pixels of a square with edge `CHUNK_PX`, less at the slide's edge.

    It is one chunk of our own store; a slide that is linked to may have others.

    Parameters
    ----------
    path : Path
    key : str
        Of the run: what was read in another is read again.
    channel, top, left : int
    """
    rows, cols = slice(top, top + CHUNK_PX), slice(left, left + CHUNK_PX)
    return open_once(path, key).read(channel, rows, cols)


@contextmanager
def forgetting_squares() -> Iterator[None]:
    """Keep nothing of a run that is over, or that failed."""
    try:
        yield
    finally:
        forget_squares()


def forget_squares() -> None:
    """Free what this process keeps."""
    read_square.cache_clear()
    open_once.cache_clear()
