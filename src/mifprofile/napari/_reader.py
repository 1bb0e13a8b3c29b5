"""Reader contribution: a result folder, opened by its name or dropped on napari."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari import current_viewer
from napari.utils.notifications import show_error

from mifprofile import MifprofileError, Results
from mifprofile.napari._layers import read_layers

if TYPE_CHECKING:
    from collections.abc import Callable

PathOrPaths = str | list[str]
# What napari takes for "read, but there is nothing to show".
NOTHING: list[tuple[Any, ...]] = [(None,)]


def get_reader(path: PathOrPaths) -> Callable[[PathOrPaths], list[Any]] | None:
    """Offer to read a result folder, or its ``provenance.json``; else None."""
    return read if isinstance(path, str) and is_result_folder(_folder(path)) else None


def is_result_folder(folder: Path) -> bool:
    """Whether a folder holds a slide and the records of what was done to it."""
    results = Results(folder)
    return results.slide.is_dir() and results.record_path("ingest").parent.is_dir()


def read(path: PathOrPaths) -> list[Any]:
    """Layers of a result folder; a folder that cannot be read is one notification."""
    try:
        layers = read_layers(_folder(str(path)))
    except MifprofileError as error:
        show_error(str(error))
        return NOTHING
    viewer = current_viewer()
    if viewer is not None:
        viewer.canvas.overlays.scale_bar.visible = True
    return layers


def _folder(path: str) -> Path:
    given = Path(path)
    return (given if given.is_dir() else given.parent).resolve()
