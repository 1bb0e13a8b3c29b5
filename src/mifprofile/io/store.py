"""Slides, labels and scratch arrays on disk, as zarr 3 stores (OME-Zarr 0.5)."""

from mifprofile.io._label_store import (
    LabelPyramid,
    create_label_store,
    label_store,
    open_label_store,
    scratch_array,
    write_label_pyramid,
    write_label_store,
)
from mifprofile.io._slide_store import is_current_store, write_slide_store

__all__ = [
    "LabelPyramid",
    "create_label_store",
    "is_current_store",
    "label_store",
    "open_label_store",
    "scratch_array",
    "write_label_pyramid",
    "write_label_store",
    "write_slide_store",
]
