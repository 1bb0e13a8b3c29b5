"""Panels that come with the package."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from mifprofile.errors import MissingError
from mifprofile.model import nearest

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

SUFFIX = ".yaml"


def demo_panel_path() -> AbstractContextManager[Path]:
    """File of the synthetic slide's panel, for use in a ``with`` statement."""
    return as_file(files(__name__) / "demo.yaml")


def panel_names() -> tuple[str, ...]:
    """Names of the panels that come with the package."""
    found = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(n.removesuffix(SUFFIX) for n in found if n.endswith(SUFFIX)))


def panel_text(name: str) -> str:
    """Content of a ready panel; raises MissingError that lists what is there."""
    names = panel_names()
    if name not in names:
        raise MissingError(
            f"no ready panel {name!r}{nearest(name, names)}; there are "
            f"{', '.join(names)}"
        )
    return files(__name__).joinpath(name + SUFFIX).read_text(encoding="utf-8")
