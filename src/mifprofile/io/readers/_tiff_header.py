"""A look at a TIFF's chain of headers, to notice a file that was cut off.

tifffile reads what is left of such a file, with fewer channels and a log message.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

_BIG = 43
_TYPE_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
# Description, places and lengths of strips and tiles, and sub-images: what is needed.
_NEEDED = frozenset({270, 273, 279, 324, 325, 330})


@dataclass(frozen=True)
class _Layout:
    """How a header is laid out: classic TIFF or BigTIFF, in one of two byte orders."""

    order: str
    big: bool

    @property
    def offset(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "I"))

    @property
    def count(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "H"))

    @property
    def tag(self) -> struct.Struct:
        """Code, type and count of values; their bytes or offset follow."""
        return struct.Struct(self.order + ("HHQ" if self.big else "HHI"))


def is_cut_off(path: Path) -> bool:
    """Whether a page's header, or a value that it needs, lies beyond the file's end."""
    with path.open("rb") as file:
        head = file.read(4)
        if len(head) < 4 or head[:2] not in (b"II", b"MM"):
            return False
        order = "<" if head[:2] == b"II" else ">"
        layout = _Layout(order, struct.unpack(order + "H", head[2:])[0] == _BIG)
        size = path.stat().st_size
        file.seek(8 if layout.big else 4)
        try:
            return not all(_fits(tags, layout, size) for tags in _pages(file, layout))
        except EOFError:
            return True


def _pages(file: BinaryIO, layout: _Layout) -> list[bytes]:
    """Read the tags of every page; EOFError where the file ends before."""
    pages, seen = [], {0}
    offset = _unpack(file, layout.offset)
    while offset not in seen:
        seen.add(offset)
        file.seek(offset)
        length = _unpack(file, layout.count) * (layout.tag.size + layout.offset.size)
        pages.append(_exactly(file, length))
        offset = _unpack(file, layout.offset)
    return pages


def _fits(tags: bytes, layout: _Layout, size: int) -> bool:
    step = layout.tag.size + layout.offset.size
    for start in range(0, len(tags), step):
        code, kind, count = layout.tag.unpack_from(tags, start)
        if code in _NEEDED and kind < len(_TYPE_BYTES):
            length = _TYPE_BYTES[kind] * count
            (offset,) = layout.offset.unpack_from(tags, start + layout.tag.size)
            if length > layout.offset.size and offset + length > size:
                return False
    return True


def _unpack(file: BinaryIO, field: struct.Struct) -> int:
    return int(field.unpack(_exactly(file, field.size))[0])


def _exactly(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise EOFError
    return data
