"""What every reader hands over, and how a Slide is made of it."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mifprofile.errors import FormatError, MifprofileError, StorageError, UsageError
from mifprofile.io.readers._lazy import BlockSource, lazy
from mifprofile.model import Channel, PixelSize, Slide

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

DTYPES = ("uint8", "uint16", "uint32", "float32")
# What decoders raise on damaged input; all of imagecodecs' errors are RuntimeErrors.
DAMAGED = (
    ValueError,
    RuntimeError,
    IndexError,
    KeyError,
    TypeError,
    ArithmeticError,
    AssertionError,
    struct.error,
    zlib.error,
)
_SUFFIXES = (
    *(f".ome{suffix}" for suffix in (".tif", ".tiff", ".tf2", ".tf8", ".btf", ".zarr")),
    *(".qptiff", ".tif", ".tiff", ".btf", ".tf8", ".zarr"),
)


@dataclass(frozen=True)
class Found:
    """What a reader found in a file.

    Parameters
    ----------
    file_format : str
    levels : tuple of BlockSource
        Full resolution first, each (c, y, x).
    names : tuple of str or None
        One per channel; None where the file has none.
    pixel_um : tuple of float or None
        (x, y) edges of a pixel, µm.
    origin_um : tuple of float
        (x, y) of the upper left corner, µm.
    """

    file_format: str
    levels: tuple[BlockSource, ...]
    names: tuple[str | None, ...]
    pixel_um: tuple[float, float] | None = None
    origin_um: tuple[float, float] = (0.0, 0.0)


def to_slide(
    path: Path,
    found: Found,
    pixel_size_um: float | None,
    channel_names: Sequence[str] | None,
) -> Slide:
    """Check what was found and make a Slide of it; the caller's pixel size wins."""
    _check(path, found.levels[0])
    return Slide(
        name=_slide_name(path),
        source=str(path),
        file_format=found.file_format,
        channels=_channels(path, found.names, channel_names),
        pixel_size=_pixel_size(path, found.pixel_um, pixel_size_um),
        levels=tuple(lazy(level) for level in found.levels),
        origin_um=found.origin_um,
        sources=found.levels,
    )


def one_line(error: Exception) -> str:
    """Say what a library's error says, in at most 100 characters."""
    return " ".join(str(error).split())[:100] or type(error).__name__


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Turn a disk's OSError into a one-line StorageError about `path`."""
    try:
        yield
    except OSError as error:
        if isinstance(error, MifprofileError):
            raise
        raise StorageError(
            f"{path}: cannot be read ({error.strerror or one_line(error)}); check the "
            "disk and that you may read it"
        ) from error


def refuse_colour(path: Path) -> FormatError:
    """Return the error for a brightfield or otherwise coloured picture."""
    return FormatError(
        f"{path}: a colour (RGB brightfield) image; mifprofile reads fluorescence with "
        "one plane of intensities per channel"
    )


def refuse_steps(path: Path, steps: Mapping[str, int]) -> None:
    """Refuse axes, such as z or t, of more than one step."""
    several = [f"{axis}={n}" for axis, n in steps.items() if n != 1]
    if several:
        raise FormatError(
            f"{path}: the image has more than channels, rows and columns "
            f"({', '.join(several)}); project it along z, or take one time point"
        )


def _slide_name(path: Path) -> str:
    """File name without the suffixes that say its format."""
    lower = path.name.lower()
    for suffix in _SUFFIXES:
        if lower.endswith(suffix) and len(lower) > len(suffix):
            return path.name[: -len(suffix)]
    return path.name


def _check(path: Path, source: BlockSource) -> None:
    if 0 in source.shape:
        raise FormatError(
            f"{path}: the image is empty, shape (c, y, x) = {source.shape}; "
            "export the slide again"
        )
    if source.dtype.name not in DTYPES:
        raise FormatError(
            f"{path}: pixel type {source.dtype.name} is not supported; "
            f"save the image as {', '.join(DTYPES[:-1])} or {DTYPES[-1]}"
        )


def _channels(
    path: Path, found: tuple[str | None, ...], given: Sequence[str] | None
) -> tuple[Channel, ...]:
    """Names of the file, else of the caller, else ``Channel:i``; each one unique."""
    if given is not None and not any(found):
        if len(given) != len(found):
            raise UsageError(
                f"{path}: {len(given)} channel names were given, but the file has "
                f"{len(found)} channels; name each channel once, in the file's order"
            )
        found = tuple(given)
    names = [name or f"Channel:{i}" for i, name in enumerate(found)]
    return tuple(Channel(name, i) for i, name in enumerate(_unique(names)))


def _unique(names: list[str]) -> list[str]:
    """Tell repeated names apart (cyclic staining repeats DAPI): DAPI, DAPI#2."""
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return unique


def _pixel_size(
    path: Path, found: tuple[float, float] | None, given: float | None
) -> PixelSize | None:
    size = found if given is None else (given, given)
    if size is None:
        return None
    try:
        return PixelSize(*size)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
