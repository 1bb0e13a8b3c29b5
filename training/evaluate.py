"""Score a model on the held-out images, and draw what it finds.

Usage: python training/evaluate.py [--model FILE] [--split held_out] [--pictures DIR]
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from cellpose.dynamics import compute_masks
from scipy.sparse import coo_array
from skimage import io
from skimage.segmentation import find_boundaries
from torch.nn import functional

from mifprofile.engines.network import NarrowNet, load_network
from samples import OUTSIDE, Image, Labels, Sample, load_samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

HERE = Path(__file__).parent
MODEL = HERE.parent / "src" / "mifprofile" / "engines" / "models" / "embedded.pt"
OVERLAPS = (0.5, 0.75)
PART = 0.5
MIN_SIZE_PX = 15


@dataclass(frozen=True)
class Score:
    """What was found in one image.

    Parameters
    ----------
    true, found : int
        Numbers of nuclei.
    hits : tuple of int
        Matches at each of `OVERLAPS`.
    splits : int
        True nuclei most of which lies in several found ones.
    merges : int
        Found nuclei that hold most of several true ones.
    missed : int
        True nuclei less than half of which was found at all.
    """

    true: int
    found: int
    hits: tuple[int, ...]
    splits: int
    merges: int
    missed: int

    def f1(self, i: int) -> float:
        """F1 at the overlap of that index; 1 where nothing is and nothing was found."""
        total = self.true + self.found
        return 2 * self.hits[i] / total if total else 1.0


def overlap_table(truth: Labels, found: Labels) -> NDArray[np.int64]:
    """Count pixels of every pair of labels; row and column 0 are background."""
    shape = (int(truth.max()) + 1, int(found.max()) + 1)
    pairs = coo_array(
        (np.ones(truth.size, np.int64), (truth.ravel(), found.ravel())), shape
    )
    table = pairs.toarray()
    rows = np.r_[0, 1 + np.flatnonzero(table[1:].sum(1))]
    columns = np.r_[0, 1 + np.flatnonzero(table[:, 1:].sum(0))]
    return np.asarray(table[np.ix_(rows, columns)], np.int64)


def score(truth: Labels, found: Labels) -> Score:
    """Compare found nuclei with true ones."""
    table = overlap_table(truth, found)
    inner = table[1:, 1:]
    true_px, found_px = table[1:].sum(1), table[:, 1:].sum(0)
    union = true_px[:, None] + found_px[None] - inner
    iou = inner / union
    hits = tuple(int((iou.max(1, initial=0) >= limit).sum()) for limit in OVERLAPS)
    of_found = inner >= PART * found_px[None]
    of_true = inner >= PART * true_px[:, None]
    return Score(
        true=len(true_px),
        found=len(found_px),
        hits=hits,
        splits=int(((of_found & ~of_true).sum(1) >= 2).sum()),
        merges=int(((of_true & ~of_found).sum(0) >= 2).sum()),
        missed=int((inner.sum(1) < PART * true_px).sum()),
    )


@torch.inference_mode()
def predict(net: NarrowNet, image: Image) -> NDArray[np.float32]:
    """Nuclear output for a whole image without membranes, with nothing, 0, around."""
    image = np.where(image == OUTSIDE, np.float32(0), image)
    height, width = image.shape
    pad = [16, 16 + -width % net.stride_px, 16, 16 + -height % net.stride_px]
    both = torch.from_numpy(np.stack([image, np.zeros_like(image)]))
    tensor = functional.pad(both[None], pad, value=0.0)
    out = net(tensor.to(memory_format=torch.channels_last))[0, :3].numpy()
    return np.ascontiguousarray(out[:, 16 : 16 + height, 16 : 16 + width])


def masks_of(
    output: NDArray[np.float32], cellprob: float = 0.0, flow: float = 0.4
) -> Labels:
    """Follow the flows to nuclei."""
    masks = compute_masks(
        output[:2],
        output[2],
        cellprob_threshold=cellprob,
        flow_threshold=flow,
        min_size=MIN_SIZE_PX,
        device=torch.device("cpu"),
    )
    masks = masks[0] if isinstance(masks, tuple) else masks
    return np.asarray(masks, np.int32)


def trusted(sample: Sample, found: Labels) -> Labels:
    """Leave out found nuclei that lie mostly where the truth is not known."""
    unknown = np.asarray(sample.weight == 0)
    share = np.bincount(found.ravel(), unknown.ravel()) / np.maximum(
        np.bincount(found.ravel()), 1
    )
    return np.where(share[found] < PART, found, 0).astype(np.int32)


def summary(scores: Sequence[Score]) -> dict[str, float]:
    """Mean over images, and pooled over nuclei."""
    true, found = sum(s.true for s in scores), sum(s.found for s in scores)
    out: dict[str, float] = {"images": len(scores), "nuclei": true, "found": found}
    for i, limit in enumerate(OVERLAPS):
        hits = sum(s.hits[i] for s in scores)
        out[f"mean F1@{limit}"] = float(np.mean([s.f1(i) for s in scores]))
        out[f"pooled F1@{limit}"] = 2 * hits / max(true + found, 1)
        out[f"precision@{limit}"] = hits / max(found, 1)
        out[f"recall@{limit}"] = hits / max(true, 1)
    for name in ("splits", "merges", "missed"):
        out[name] = sum(asdict(s)[name] for s in scores)
    return out


def draw(path: Path, image: Image, truth: Labels, found: Labels) -> None:
    """Save the image beside itself with true (green) and found (yellow) outlines."""
    grey = np.stack([np.clip(image, 0, 1) ** 0.7] * 3, -1)
    lines = grey.copy()
    lines[find_boundaries(truth, mode="inner")] = (0, 0.8, 0.2)
    lines[find_boundaries(found, mode="inner")] = (1, 0.8, 0)
    both = np.concatenate([grey, lines], 1)
    io.imsave(path, (both * 255).astype(np.uint8), check_contrast=False)


def evaluate(
    net: NarrowNet, samples: Iterable[Sample], thresholds: tuple[float, float]
) -> dict[str, list[tuple[Sample, Labels, Score]]]:
    """Segment and score each sample, by group."""
    results = defaultdict(list)
    for sample in samples:
        found = masks_of(predict(net, sample.image), *thresholds)
        found = trusted(sample, found)
        results[sample.group].append((sample, found, score(sample.labels, found)))
    return results


def main() -> None:
    """Evaluate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--cache", type=Path, default=HERE / "runs" / "cache")
    parser.add_argument("--split", default="held_out")
    parser.add_argument(
        "--groups", nargs="*", default=["tissue", "dsb", "lung", "layout"]
    )
    parser.add_argument("--cellprob", type=float, default=0.0)
    parser.add_argument("--flow", type=float, default=0.4)
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    net, metadata = load_network(args.model)
    samples = load_samples(args.cache, args.split, args.groups)
    results = evaluate(net, samples, (args.cellprob, args.flow))
    for group, items in results.items():
        print(group, json.dumps(summary([s for _, _, s in items]), indent=1))
        for sample, found, _ in items if args.pictures else []:
            path = args.pictures / f"{group}-{sample.name}.png"
            draw(path, sample.image, sample.labels, found)
    print(metadata)


if __name__ == "__main__":
    main()
