"""The demonstration slide against its truth, without and with faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mifprofile.stages.demo import run_demo

if TYPE_CHECKING:
    from pathlib import Path


def figures(folder: Path) -> str:
    """What ``mifprofile demo`` prints."""
    return f"## Synthetic slide\n\n```\n{run_demo(folder, quiet=True)}\n```"
