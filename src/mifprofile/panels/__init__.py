"""Panels that come with the package."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path


def demo_panel_path() -> AbstractContextManager[Path]:
    """File of the synthetic slide's panel, for use in a ``with`` statement."""
    return as_file(files(__name__) / "demo.yaml")
