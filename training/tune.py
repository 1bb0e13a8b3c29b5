"""Choose the thresholds of mask reconstruction, on training images only.

Usage: python training/tune.py --model FILE [--cache DIR]
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

from evaluate import HERE, MODEL, masks_of, predict, score, summary
from mifprofile.engines.network import load_network
from samples import Sample, load_samples

CELLPROB = (-1.0, -0.5, 0.0, 0.5, 1.0)
FLOW = (0.4, 0.6, 0.8)
PER_GROUP = {"tissue": 4, "dsb": 12, "generated": 3, "collage": 3}


def crowded(samples: list[Sample]) -> list[Sample]:
    """Pick the most crowded images of each group, edges included."""
    whole = [
        s for s in samples if s.group not in ("tissue", "dsb") or "framed" in s.name
    ]
    chosen = []
    for group, n in PER_GROUP.items():
        mine = (s for s in whole if s.group == group)
        chosen += sorted(mine, key=lambda s: s.n_nuclei)[-n:]
    return chosen


def main() -> None:
    """Print F1 for each pair of thresholds and group."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--cache", type=Path, default=HERE / "runs" / "cache")
    args = parser.parse_args()
    net, _ = load_network(args.model)
    samples = crowded(load_samples(args.cache, "train"))
    outputs = [predict(net, sample.image) for sample in samples]
    for cellprob, flow in product(CELLPROB, FLOW):
        line = [f"cellprob {cellprob}, flow {flow}:"]
        for group in PER_GROUP:
            pairs = zip(samples, outputs, strict=True)
            mine = [(s, out) for s, out in pairs if s.group == group]
            scores = [score(s.labels, masks_of(o, cellprob, flow)) for s, o in mine]
            figures = summary(scores)
            line.append(f"{group} {figures['mean F1@0.5']:.3f}")
            line.append(f"{figures['mean F1@0.75']:.3f}")
        print(*line, flush=True)


if __name__ == "__main__":
    main()
