"""Make a model's int8 file, and compare what it finds with what float32 finds.

Usage: python training/quantise.py [--model FILE] [--cache DIR]
"""

from __future__ import annotations

import argparse
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from augment import draw
from evaluate import HERE, MODEL, OVERLAPS, masks_of, score, trusted
from mifprofile.engines import Segmenter, load_segmenter
from mifprofile.engines.narrow import FLOW_SCALE, STEP_PX
from mifprofile.engines.narrow_openvino import INFO, openvino
from mifprofile.engines.network import NarrowNet, load_network
from samples import OUTSIDE, Image, Labels, Sample, load_samples
from train import chances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SEED = 8
CROPS = 160
REAL = ("tissue", "dsb")
MAX_LOSS = 0.01


def with_membrane(image: Image) -> Image:
    """(2, y, x): a plane of 0 is added where an image has no membrane."""
    return image if image.ndim == 3 else np.stack([image, np.zeros_like(image)])


def crops(cache: Path) -> list[Image]:
    """Draw crops of training images as training does."""
    rng = np.random.default_rng(SEED)
    samples = [tile for s in load_samples(cache, "train") for tile in s.tiles()]
    picks = rng.choice(len(samples), (CROPS, 2), p=chances(samples))
    drawn = (draw(rng, samples[i], samples[j]).image for i, j in picks)
    return [with_membrane(image)[None] for image in drawn]


def quantised(net: NarrowNet, images: Sequence[Image]) -> Any:
    """Bring a network to OpenVINO and its layers to int8; any height and width."""
    import nncf

    example = torch.zeros(1, net.inputs, 64, 64)
    shape = openvino.PartialShape([1, net.inputs, -1, -1])
    model = openvino.convert_model(net, example_input=example, input=[shape])
    return nncf.quantize(model, nncf.Dataset(images), subset_size=len(images))


def save(model: Any, path: Path, metadata: dict[str, Any]) -> None:
    """Write beside the weights, with what is needed to use the file without them."""
    about = {
        "pixel_size_um": metadata["pixel_size_um"],
        "weights_sha256": sha256(path.read_bytes()).hexdigest(),
    }
    for key, value in about.items():
        model.set_rt_info(str(value), [INFO, key])
    openvino.save_model(model, path.with_suffix(".xml"))


def outputs(segmenter: Segmenter, image: Image) -> NDArray[np.float32]:
    """Planes of a whole image, with nothing, 0, around it."""
    height, width = image.shape[-2:]
    margin = segmenter.margin_px
    edge = max(height, width) + 2 * margin
    edge += -edge % STEP_PX
    inner = slice(margin, margin + height), slice(margin, margin + width)
    tile = np.zeros((1, 2, edge, edge), np.float32)
    tile[0, :, *inner] = np.where(image == OUTSIDE, np.float32(0), with_membrane(image))
    return np.ascontiguousarray(segmenter.predict(tile)[0, :, *inner])


def masks(planes: NDArray[np.float32]) -> Labels:
    """Objects of three planes, by Cellpose's own reconstruction."""
    return masks_of(np.concatenate([FLOW_SCALE * planes[:2], planes[2:3]]))


def average_precision(reference: Labels, found: Labels) -> list[float]:
    """True positives among all objects of both, at each overlap."""
    both = score(reference, found)
    return [
        hits / max(both.true + both.found - hits, 1) if both.true else 1.0
        for hits in both.hits
    ]


def compared(sample: Sample, float32: Segmenter, int8: Segmenter) -> list[float]:
    """F1 of both against the truth, then int8's nuclei and cells against float32's."""
    planes = [outputs(segmenter, sample.image) for segmenter in (float32, int8)]
    nuclei = [masks(three[:3]) for three in planes]
    cells = [masks(three[3:]) for three in planes]
    scores = [score(sample.labels, trusted(sample, found)) for found in nuclei]
    f1 = [s.f1(i) for i in range(len(OVERLAPS)) for s in scores]
    return f1 + average_precision(*nuclei) + average_precision(*cells)


def check(samples: Sequence[Sample], float32: Segmenter, int8: Segmenter) -> bool:
    """Print a table; tell whether int8 loses at most `MAX_LOSS` of F1."""
    heads = [f"F1@{o} {name}" for o in OVERLAPS for name in ("float32", "int8")]
    heads += [f"{kind} AP@{o}" for kind in ("nuclei", "cells") for o in OVERLAPS]
    print("| held out | images |", " | ".join(heads), "|")
    print("|---" * (len(heads) + 2) + "|")
    good = True
    for group in REAL:
        rows = [compared(s, float32, int8) for s in samples if s.group == group]
        means = np.mean(rows, axis=0)
        figures = " | ".join(f"{value:.3f}" for value in means)
        print(f"| {group} | {len(rows)} | {figures} |", flush=True)
        before, after = means[:4:2], means[1:4:2]
        good &= bool((after >= before - MAX_LOSS).all())
    return good


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
    if not check(load_samples(args.cache, "held_out"), float32, int8):
        sys.exit(f"int8 finds more than {MAX_LOSS} less than float32")


if __name__ == "__main__":
    main()
