"""The demonstration slide against its truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from cellpose.metrics import average_precision

from mifprofile.io.readers import open_slide
from mifprofile.io.store import open_label_store
from mifprofile.stages.demo import run_demo

if TYPE_CHECKING:
    from pathlib import Path


def figures(folder: Path) -> str:
    """What ``mifprofile demo`` prints, and F1 of nuclei and cells by overlap."""
    lines = run_demo(folder, quiet=True).splitlines()[:-1]
    lines += [_f1(folder, page, name) for page, name in enumerate(("nuclei", "cells"))]
    return "## Synthetic slide\n\n```\n" + "\n".join(lines) + "\n```"


def _f1(folder: Path, page: int, name: str) -> str:
    truth = np.asarray(open_slide(folder / "slide_truth.ome.tiff").levels[0][page])
    found = open_label_store(folder / "results" / "labels.zarr")[name].levels[0]
    # Ids of the truth have gaps, which the metric would count as cells.
    _, compact = np.unique(truth, return_inverse=True)
    _, hits, extra, missed = average_precision(
        compact.reshape(truth.shape), np.asarray(found), threshold=[0.5, 0.75]
    )
    scores = 2 * hits / (2 * hits + extra + missed)
    return f"{name}: F1 {scores[0]:.3f} at IoU 0.5, {scores[1]:.3f} at 0.75"
