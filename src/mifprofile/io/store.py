"""Slides, labels and scratch arrays on disk, as zarr 3 stores (OME-Zarr 0.5)."""

from mifprofile.io._label_store import (
    CHUNK_PX,
    LabelPyramid,
    create_label_store,
    label_store,
    open_label_store,
    pyramid_shapes,
    write_label_store,
    write_labels,
)
from mifprofile.io._scratch import Scratch
from mifprofile.io._slide_store import is_current_store, write_slide_store

__all__ = [
    "CHUNK_PX",
    "LabelPyramid",
    "Scratch",
    "create_label_store",
    "is_current_store",
    "label_store",
    "open_label_store",
    "pyramid_shapes",
    "write_label_store",
    "write_labels",
    "write_slide_store",
]
