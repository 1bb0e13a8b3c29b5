"""Bring the public data to one scale and cache it with its targets.

Usage: python training/prepare.py --data DIR [--cache training/runs/cache]
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import tifffile
from skimage import io
from skimage.measure import label, regionprops

from membrane import grown_cells
from render import bank_of, collages, generated, layouts
from samples import OUTSIDE, Image, Labels, Sample, make_sample, normalised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

HERE = Path(__file__).parent
SEED = 20260
AREA_PX = (180.0, 240.0)
SCALE_LIMITS = (0.3, 2.0)
KEEP_SCALE = 0.1
HELD_OUT_FRACTION = 0.15
HELD_OUT_TISSUE = ("78a981bd",)
HELD_OUT_LUNG = ("Set8_11-6plex_[14996,59221]",)
MIN_SOLIDITY = 0.85
MIN_AREA_PX = 30
LUNG_BACKGROUND = 0.4
MIN_SIDE_PX = 340
FRAME_PX = 24
GREEN_BLEED = (0.0, 0.5, 0.9)


def dsb_split(folder: Path) -> dict[str, str]:
    """Split by seed, stratified by image shape and nucleus size."""
    classes = defaultdict(list)
    with (folder / "index.csv").open() as stream:
        for row in csv.DictReader(stream):
            size = int(np.log2(float(row["median_area_px"])))
            classes[row["height"], row["width"], size].append(row["id"])
    rng = np.random.default_rng(SEED)
    split: dict[str, str] = {}
    for key in sorted(classes):
        names = rng.permutation(sorted(classes[key])).tolist()
        n_out = int(HELD_OUT_FRACTION * len(names) + rng.random())
        split |= {
            name: "held_out" if i < n_out else "train" for i, name in enumerate(names)
        }
    return split


def typical_area(labels: Labels) -> float:
    """Median area of the nuclei that are not mere fragments, px."""
    areas = np.bincount(labels.ravel())[1:]
    areas = areas[areas > 0]
    return float(np.median(areas[areas > 0.2 * np.percentile(areas, 90)]))


def rescaled(
    image: NDArray[np.uint8], labels: Labels, target_px: float
) -> tuple[Image, Labels]:
    """Resample so that a typical nucleus has the target's area."""
    factor = float(np.clip((target_px / typical_area(labels)) ** 0.5, *SCALE_LIMITS))
    if abs(factor - 1) < KEEP_SCALE:
        return normalised(image), labels
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    small = cv2.resize(image.astype(np.float32), size, interpolation=how)
    ids = cv2.resize(labels.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
    return normalised(small), ids.astype(np.int32)


def mirrored(image: Image, labels: Labels) -> tuple[Image, Labels]:
    """Extend a small image by its mirror images, so that crops are full."""
    margins = margins_px(labels, 0)
    ids = label(np.pad(labels, margins, mode="symmetric"), background=0)
    return np.pad(image, margins, mode="symmetric"), ids.astype(np.int32)


def framed(image: Image, labels: Labels) -> tuple[Image, Labels]:
    """Surround an image by nothing, so that nuclei cut by its edges are learned."""
    margins = margins_px(labels, FRAME_PX)
    wide = np.pad(image, margins, constant_values=OUTSIDE)
    return wide, np.pad(labels, margins)


def margins_px(labels: Labels, least: int) -> list[tuple[int, int]]:
    """How much to add on each side, for crops to be full."""
    missing = [max(2 * least, MIN_SIDE_PX - side) for side in labels.shape]
    return [(lack // 2, lack - lack // 2) for lack in missing]


def png_samples(folder: Path, group: str, split: dict[str, str]) -> Iterator[Sample]:
    """Read pairs of image and label PNG."""
    rng = np.random.default_rng(SEED)
    for path in sorted(folder.glob("*_image.png")):
        name = path.name.removesuffix("_image.png")
        labels = io.imread(folder / f"{name}_label.png").astype(np.int32)
        image, labels = rescaled(io.imread(path), labels, rng.uniform(*AREA_PX))
        if split[name] == "train":
            about = (f"{name}-framed", group, "train")
            wide, ids = framed(image, labels)
            yield make_sample(about, wide, ids, grown_cells(rng, ids))
            image, labels = mirrored(image, labels)
        about = (name, group, split[name])
        yield make_sample(about, image, labels, grown_cells(rng, labels))


def sound_labels(labels: Labels) -> tuple[Labels, NDArray[np.bool_]]:
    """Drop software's fragments; return what is left and where they were."""
    keep = np.zeros(labels.max() + 1, np.int32)
    for region in regionprops(labels):
        if region.area >= MIN_AREA_PX and region.solidity >= MIN_SOLIDITY:
            keep[region.label] = region.label
    kept = keep[labels]
    return kept, (labels > 0) & (kept == 0)


def lung_weight(
    image: Image, labels: Labels, dropped: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Trust weak labels less: background, and not at all where it is bright."""
    weight = np.where(labels > 0, 1.0, LUNG_BACKGROUND).astype(np.float32)
    bright = cv2.GaussianBlur(image, (0, 0), 1.5) > np.median(image[labels > 0])
    weight[dropped | (bright & (labels == 0))] = 0
    return weight


def lung_samples(folder: Path) -> Iterator[Sample]:
    """Read the composites' blue channel with less and less of the green in it."""
    for path in sorted(folder.glob("*_binary_seg_maps.tif")):
        name = path.name.removesuffix("_binary_seg_maps.tif")
        out = name in HELD_OUT_LUNG
        labels, dropped = sound_labels(tifffile.imread(path, key=1).astype(np.int32))
        around = tifffile.imread(path, key=2).astype(np.int32)
        cells = np.where(np.isin(around, np.unique(labels)), around, labels)
        cells = np.where(labels > 0, labels, cells).astype(np.int32)
        colours = io.imread(folder / f"{name}_composite_image.jpg").astype(np.float32)
        flows = None
        for i, bleed in enumerate(GREEN_BLEED[: 1 if out else None]):
            image = colours[..., 2] - bleed * colours[..., 1]
            image = normalised(cv2.GaussianBlur(image, (0, 0), 0.5 + bleed))
            about = (f"{name}-{i}", "lung", "held_out" if out else "train")
            weight = lung_weight(image, labels, dropped)
            sample = make_sample(about, image, labels, cells, weight, flows)
            flows = sample.flows
            yield sample


def write(samples: Iterator[Sample], folder: Path) -> list[Sample]:
    """Save each sample, and say how many nuclei they hold."""
    done = []
    for sample in samples:
        sample.save(folder)
        done.append(sample)
    nuclei = sum(sample.n_nuclei for sample in done)
    print(
        f"{done[0].group if done else 'none'}: {len(done)} images, {nuclei} nuclei",
        flush=True,
    )
    return done


def main() -> None:
    """Prepare every source."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=HERE / "runs" / "cache")
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    split = dsb_split(args.data / "nuclei_dsb2018")
    tissue = {p.name[:8] for p in (args.data / "nuclei_tissue").glob("*_image.png")}
    split |= {n: "held_out" if n in HELD_OUT_TISSUE else "train" for n in tissue}
    record = {"seed": SEED, "lung": HELD_OUT_LUNG, "tissue": HELD_OUT_TISSUE}
    record["dsb"] = sorted(
        n for n in split if split[n] == "held_out" and n not in tissue
    )
    (HERE / "held_out.json").write_text(json.dumps(record, indent=1) + "\n")
    real = write(png_samples(args.data / "nuclei_tissue", "tissue", split), args.cache)
    real += write(png_samples(args.data / "nuclei_dsb2018", "dsb", split), args.cache)
    lung = write(lung_samples(args.data / "lung_opal_fields"), args.cache)
    rng = np.random.default_rng(SEED)
    write(layouts([s for s in lung if s.name.endswith("-0")], rng), args.cache)
    write(
        collages(bank_of([s for s in real if s.name.endswith("-framed")]), rng),
        args.cache,
    )
    write(generated(rng), args.cache)


if __name__ == "__main__":
    main()
