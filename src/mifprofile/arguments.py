"""What people give, checked and converted once."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

GivenT = TypeVar("GivenT")
KeptT = TypeVar("KeptT")

StrPath = str | PathLike[str]


def as_path(given: object, name: str) -> Path:
    """A path that may be text; raises UsageError that names the argument."""
    if isinstance(given, str | PathLike) and given != "":
        return Path(given)
    raise UsageError(f"{name}: give a path, as text or Path, not {_kind(given)}")


def as_path_or_none(given: object, name: str) -> Path | None:
    """A path that may be text, or that is not given at all."""
    return None if given is None else as_path(given, name)


def as_paths(given: object, name: str) -> tuple[Path, ...]:
    """Several paths, or one alone."""
    if isinstance(given, str | PathLike):
        return (as_path(given, name),)
    paths = tuple(given) if isinstance(given, Iterable) else ()
    if not paths:
        raise UsageError(f"{name}: give a list of paths, not {_kind(given)}")
    return tuple(as_path(path, name) for path in paths)


def expect(given: object, kind: type, name: str) -> None:
    """Raise UsageError unless an argument is of a kind."""
    if not isinstance(given, kind):
        raise UsageError(f"{name}: must be {kind.__name__}, not {_kind(given)}")


class Converted(Generic[GivenT, KeptT]):
    """A field of a dataclass, converted when it is given.

    Parameters
    ----------
    convert : callable
        Takes what was given and the field's name.
    default : optional
        Without it the field must be given.
    """

    def __init__(
        self, convert: Callable[[GivenT, str], KeptT], *default: KeptT
    ) -> None:
        self._convert = convert
        self._default = default
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, holder: object, owner: type | None = None) -> KeptT:
        if holder is not None:
            kept: KeptT = vars(holder)[self._name]
            return kept
        if not self._default:
            # A dataclass takes this for a field without default.
            raise AttributeError(self._name)
        return self._default[0]

    def __set__(self, holder: object, given: GivenT) -> None:
        vars(holder)[self._name] = self._convert(given, self._name)


APath = Converted[StrPath, Path]
MaybePath = Converted[StrPath | None, Path | None]
SomePaths = Converted[StrPath | Iterable[StrPath], tuple[Path, ...]]


def _kind(given: object) -> str:
    """Text and None as they are, anything else by its type."""
    if given is None or isinstance(given, str):
        return repr(given)
    return type(given).__name__
