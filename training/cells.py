"""Score nuclei and whole cells against two experts, through the package's own masks.

Usage: python training/cells.py --data DIR [--model FILE]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tifffile
from skimage.segmentation import relabel_sequential

from evaluate import MODEL, score
from mifprofile.core.segment import (
    ObjectRules,
    claim_cells,
    expand_nuclei,
    resample,
    segment_nuclei,
)
from mifprofile.engines import Segmenter, load_segmenter
from mifprofile.options import SegmentOptions
from quantise import outputs
from samples import Image, Labels, normalised

if TYPE_CHECKING:
    from numpy.typing import NDArray

UM = 0.37745
NAME = "R001_X003_Y004"
NUCLEUS, MEMBRANE = 0, 1


def read(folder: Path) -> tuple[Image, list[Labels]]:
    """Nuclear stain and membrane, scaled, and what each expert drew."""
    image = tifffile.imread(folder / f"{NAME}.ome.tif")
    both = np.stack([normalised(image[channel]) for channel in (NUCLEUS, MEMBRANE)])
    drawn = [
        relabel_sequential(tifffile.imread(folder / f"{NAME}_expert{i}_cells.tif"))[0]
        for i in (1, 2)
    ]
    return both, [labels.astype(np.int32) for labels in drawn]


def scaled(image: Image, shape: tuple[int, int], ratio: float) -> Image:
    """Bring planes to another pixel size, as `segment` does."""
    return resample(image, (0, 0), (0, shape[0], 0, shape[1]), ratio)


def planes_of(segmenter: Segmenter, image: Image) -> NDArray[np.float32]:
    """Network output at the image's own pixel size."""
    ratio = segmenter.um / UM
    _, height, width = image.shape
    shape = int(np.ceil(height / ratio)), int(np.ceil(width / ratio))
    small = scaled(image, shape, ratio)
    return scaled(outputs(segmenter, list(small)), (height, width), 1 / ratio)


def masks_of(segmenter: Segmenter, image: Image) -> dict[str, Labels]:
    """Nuclei, and cells grown or found, by what they were made of."""
    options = SegmentOptions()
    rules = ObjectRules.at(
        UM,
        cell_probability=options.cell_probability,
        flow_error=options.flow_error,
        min_contrast=options.min_contrast,
        min_area_um2=options.min_nucleus_um2,
        max_area_um2=options.max_nucleus_um2,
    )
    planes = planes_of(segmenter, image)
    nuclei = segment_nuclei(planes[:2], planes[2], rules, image[NUCLEUS])[0]
    rim = {"rim_um": options.rim_um, "expansion_um": 0.0, "membrane_stop": 0.5}
    cells = claim_cells(
        nuclei,
        planes[3:5],
        planes[5],
        um=UM,
        cell_probability=options.whole_cell_probability,
    )
    return {
        "nuclei": nuclei,
        "nuclei with a rim": expand_nuclei(nuclei, None, um=UM, **rim),
        "whole cells": cells,
    }


def main() -> None:
    """Print a table of F1 at IoU 0.5."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=MODEL)
    args = parser.parse_args()
    image, experts = read(args.data / "codex_tile")
    segmenter = load_segmenter(str(args.model), 8.0, "float32")
    print("| object | found | F1, expert 1 | F1, expert 2 |")
    print("|---|---|---|---|")
    for name, labels in masks_of(segmenter, image).items():
        scores = [score(expert, labels) for expert in experts]
        f1 = " | ".join(f"{s.f1(0):.3f}" for s in scores)
        print(f"| {name} | {scores[0].found} | {f1} |")
    each_other = score(*experts).f1(0)
    print(f"The experts against each other: {each_other:.3f}")


if __name__ == "__main__":
    main()
