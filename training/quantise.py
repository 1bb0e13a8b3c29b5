"""Make a model's int8 file, and compare what it finds with what float32 finds.

Usage: python training/quantise.py [--model FILE] [--cache DIR]
"""

from __future__ import annotations

import argparse
import sys
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from augment import draw, spoiled
from evaluate import HERE, MODEL, OVERLAPS, masks_of, score, trusted
from membrane import membrane_image
from mifprofile.engines import Segmenter, load_segmenter
from mifprofile.engines.embedded import FLOW_SCALE, MARGIN_PX, STEP_PX
from mifprofile.engines.embedded_openvino import INFO, openvino
from mifprofile.engines.network import NarrowNet, load_network
from samples import OUTSIDE, Image, Labels, Sample, load_samples
from train import SHARES, chances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SEED = 8
CROPS = 160
# The first layer of each way in stays in floating point: it costs little, and an
# image's values have no limits.
FLOAT_LAYERS = [r".*down\.0\.(first|project).*"]
REAL = ("tissue", "dsb")
MAX_LOSS = 0.01


def crops(cache: Path) -> list[Image]:
    """Draw crops of training images as training does."""
    rng = np.random.default_rng(SEED)
    used = {group for group, share in SHARES.items() if share}
    samples = load_samples(cache, "train", used)
    samples = [tile for sample in samples for tile in sample.tiles()]
    picks = rng.choice(len(samples), (CROPS, 2), p=chances(samples))
    return [draw(rng, samples[i], samples[j]).image[None] for i, j in picks]


def quantised(net: NarrowNet, images: Sequence[Image]) -> Any:
    """Bring a network to OpenVINO and its layers to int8; any height and width."""
    import nncf

    example = torch.zeros(1, net.inputs, 64, 64)
    shape = openvino.PartialShape([1, net.inputs, -1, -1])
    model = openvino.convert_model(net, example_input=example, input=[shape])
    return nncf.quantize(
        model,
        nncf.Dataset(images),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(images),
        ignored_scope=nncf.IgnoredScope(patterns=FLOAT_LAYERS),
    )


def save(model: Any, path: Path, metadata: dict[str, Any]) -> None:
    """Write beside the weights, with what is needed to use the file without them."""
    about = {
        "pixel_size_um": metadata["pixel_size_um"],
        "weights_sha256": sha256(path.read_bytes()).hexdigest(),
    }
    for key, value in about.items():
        model.set_rt_info(str(value), [INFO, key])
    openvino.save_model(model, path.with_suffix(".xml"))


def painted(sample: Sample) -> Image:
    """Membrane of a sample's cells, as training paints it."""
    rng = np.random.default_rng(SEED)
    return spoiled(rng, membrane_image(rng, sample.cells, sample.labels))


def outputs(segmenter: Segmenter, images: Sequence[Image]) -> NDArray[np.float32]:
    """Planes of a whole nuclear image and its membrane, with nothing, 0, around."""
    height, width = images[0].shape
    margin = MARGIN_PX
    edge = max(height, width) + 2 * margin
    edge += -edge % STEP_PX
    inner = slice(margin, margin + height), slice(margin, margin + width)
    tile = np.zeros((1, 2, edge, edge), np.float32)
    tile[0, :, *inner] = np.where(images[0] == OUTSIDE, np.float32(0), images)
    return np.ascontiguousarray(segmenter.predict(tile, cells=True)[0, :, *inner])


def masks(planes: NDArray[np.float32]) -> Labels:
    """Objects of three planes, by Cellpose's own reconstruction."""
    return masks_of(np.concatenate([FLOW_SCALE * planes[:2], planes[2:3]]))


def average_precision(reference: Labels, found: Labels) -> list[float]:
    """True positives among all objects of both, at each overlap."""
    both = score(reference, found)
    total = both.true + both.found
    return [hits / (total - hits) if total else 1.0 for hits in both.hits]


def compared(
    sample: Sample, membrane: Image, float32: Segmenter, int8: Segmenter
) -> list[float]:
    """F1 of both against the truth, then int8's nuclei and cells against float32's."""
    images = sample.image, membrane
    planes = [outputs(segmenter, images) for segmenter in (float32, int8)]
    nuclei = [masks(six[:3]) for six in planes]
    cells = [masks(six[3:]) for six in planes]
    scores = [score(sample.labels, trusted(sample, found)) for found in nuclei]
    f1 = [s.f1(i) for i in range(len(OVERLAPS)) for s in scores]
    return f1 + average_precision(*nuclei) + average_precision(*cells)


def check(samples: Sequence[Sample], float32: Segmenter, int8: Segmenter) -> bool:
    """Print a table; tell whether int8 loses at most `MAX_LOSS` of the mean F1."""
    heads = [f"F1@{o} {name}" for o in OVERLAPS for name in ("float32", "int8")]
    heads += [f"{kind} AP@{o}" for kind in ("nuclei", "cells") for o in OVERLAPS]
    print("| held out | images |", " | ".join(heads), "|")
    print("|---" * (len(heads) + 2) + "|")
    every = []
    for group, paint in product(REAL, (False, True)):
        mine = [sample for sample in samples if sample.group == group]
        membranes = [painted(s) if paint else np.zeros_like(s.image) for s in mine]
        pairs = zip(mine, membranes, strict=True)
        rows = [compared(*pair, float32, int8) for pair in pairs]
        every += rows
        figures = " | ".join(f"{value:.3f}" for value in np.mean(rows, axis=0))
        what = f"{group}, membrane painted" if paint else group
        print(f"| {what} | {len(rows)} | {figures} |", flush=True)
    before, after = np.mean(every, axis=0)[: 2 * len(OVERLAPS)].reshape(-1, 2).T
    return bool((after >= before - MAX_LOSS).all())


def main() -> None:
    """Quantise, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--cache", type=Path, default=HERE / "runs" / "cache")
    args = parser.parse_args()
    net, metadata = load_network(args.model)
    save(quantised(net, crops(args.cache)), args.model, metadata)
    float32 = load_segmenter(str(args.model), 8.0, "float32")
    int8 = load_segmenter(str(args.model), 8.0, "int8")
    if not check(load_samples(args.cache, "held_out", REAL), float32, int8):
        sys.exit(f"int8 finds more than {MAX_LOSS} less than float32")


if __name__ == "__main__":
    main()
