"""Train the network for a number of steps; resumable.

Usage: python training/train.py --steps 9000 [--begin FILE] [--cache DIR] [--out DIR]
"""

from __future__ import annotations

import argparse
import copy
import logging
import math
import multiprocessing as mp
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from augment import draw
from mifprofile.engines.network import NarrowNet, load_network, save_network
from samples import PERCENTILES, Sample, load_samples

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

HERE = Path(__file__).parent
BATCH = 8
MAX_RATE = 2e-3
WARM_UP = 0.08
WEIGHT_DECAY = 1e-4
CLIP_NORM = 5.0
EMA_DECAY = 0.997
CHECKPOINT_STEPS = 200
LOG_STEPS = 20
SHARES = {
    "tissue": 0.26,
    "dsb": 0.25,
    "layout": 0.25,
    "lung": 0.0,
    "collage": 0.15,
    "generated": 0.09,
}
METADATA = {
    "name": "embedded",
    "pixel_size_um": 0.5,
    "percentiles": list(PERCENTILES),
    "outputs": ["5 * flow y", "5 * flow x", "logit", "the same of whole cells"],
    "cellprob_threshold": 0.0,
    "flow_threshold": 0.4,
}
Batch = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass
class Run:
    """All that a checkpoint holds."""

    net: NarrowNet
    ema: NarrowNet
    optimiser: torch.optim.Optimizer
    step: int = 0
    steps_before: int = 0
    losses: list[float] = field(default_factory=list)


def chances(samples: list[Sample]) -> NDArray[np.float64]:
    """Chance of each sample: its group's share, crowded images first."""
    counts = np.array([s.n_nuclei for s in samples], float) ** 0.75
    groups = np.array([s.group for s in samples])
    chance = np.zeros(len(samples))
    for group, share in SHARES.items():
        mine = groups == group
        if mine.any():
            chance[mine] = share * counts[mine] / counts[mine].sum()
    return np.asarray(chance / chance.sum())


def feed(cache: Path, seed: int, queue: Queue[Batch]) -> None:
    """Fill the queue with batches for ever; runs in a process of its own."""
    torch.set_num_threads(1)
    used = {group for group, share in SHARES.items() if share}
    samples = load_samples(cache, "train", used)
    samples = [tile for sample in samples for tile in sample.tiles()]
    chance = chances(samples)
    rng = np.random.default_rng(seed)
    while True:
        picks = rng.choice(len(samples), (BATCH, 2), p=chance)
        crops = [draw(rng, samples[i], samples[j]) for i, j in picks]
        images = np.stack([crop.image for crop in crops])
        queue.put((images, np.stack([crop.target for crop in crops])))


def loss_of(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cellpose's loss, weighted: half the squared flow error, and cross entropy.

    Nuclei and cells count alike.
    """
    outputs, targets = prediction.chunk(2, 1), target.chunk(2, 1)
    losses = [_one_loss(o, t) for o, t in zip(outputs, targets, strict=True)]
    return torch.stack(losses).sum()


def _one_loss(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    weight = target[:, 3:]
    flow = functional.mse_loss(prediction[:, :2], target[:, :2], reduction="none")
    logit = prediction[:, 2:]
    entropy = functional.binary_cross_entropy_with_logits(
        logit, target[:, 2:3], reduction="none"
    )
    total = ((0.5 * flow.mean(1, keepdim=True) + entropy) * weight).sum()
    return total / weight.sum().clamp(min=1)


def rate(fraction: float) -> float:
    """One-cycle learning rate at a fraction of the steps."""
    if fraction < WARM_UP:
        return MAX_RATE * (0.04 + 0.96 * fraction / WARM_UP)
    done = min((fraction - WARM_UP) / (1 - WARM_UP), 1.0)
    return MAX_RATE * (0.5 * (1 + math.cos(math.pi * done)) + 1e-3)


@torch.no_grad()
def follow(ema: nn.Module, net: nn.Module, step: int) -> None:
    """Move the averaged weights towards the present ones."""
    decay = min(EMA_DECAY, (1 + step) / (10 + step))
    new = net.state_dict()
    for name, old in ema.state_dict().items():
        if old.is_floating_point():
            old.lerp_(new[name], 1 - decay)
        else:
            old.copy_(new[name])


def learn(run: Run, batch: Batch, fraction: float) -> float:
    """Take one step; return its loss."""
    for group in run.optimiser.param_groups:
        group["lr"] = rate(fraction)
    images, targets = (torch.from_numpy(part) for part in batch)
    run.net.train()
    run.optimiser.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16):
        prediction = run.net(images.to(memory_format=torch.channels_last))
    loss = loss_of(prediction.float(), targets)
    loss.backward()
    nn.utils.clip_grad_norm_(run.net.parameters(), CLIP_NORM)
    run.optimiser.step()
    run.step += 1
    follow(run.ema, run.net, run.step)
    return float(loss.detach())


def start(checkpoint: Path, begin: Path | None) -> Run:
    """Go on from a checkpoint, or begin, anew or with a network's weights."""
    torch.manual_seed(0)
    net, metadata = (NarrowNet(), {}) if begin is None else load_network(begin)
    # torch declares no overload with the memory format alone
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(
        net.parameters(), lr=MAX_RATE, weight_decay=WEIGHT_DECAY
    )
    run = Run(net, copy.deepcopy(net), optimiser)
    run.steps_before = metadata.get("steps", 0)
    if checkpoint.is_file():
        state: dict[str, Any] = torch.load(checkpoint, weights_only=True)
        run.net.load_state_dict(state["net"])
        run.ema.load_state_dict(state["ema"])
        run.optimiser.load_state_dict(state["optimiser"])
        run.step, run.steps_before = state["step"], state["steps_before"]
    return run


def keep(run: Run, folder: Path) -> None:
    """Write the checkpoint, and the averaged network as the package reads it."""
    state = {
        "net": run.net.state_dict(),
        "ema": run.ema.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "step": run.step,
        "steps_before": run.steps_before,
    }
    torch.save(state, folder / "checkpoint.tmp")
    (folder / "checkpoint.tmp").replace(folder / "checkpoint.pt")
    metadata = METADATA | {"steps": run.steps_before + run.step}
    save_network(run.ema, folder / "embedded.pt", metadata)


def train(run: Run, queue: Queue[Batch], steps: int, out: Path) -> None:
    """Learn until all steps are taken."""
    while run.step < steps:
        run.losses.append(learn(run, queue.get(), run.step / steps))
        if run.step % LOG_STEPS == 0:
            loss = np.mean(run.losses[-LOG_STEPS:])
            logging.info("step %d, loss %.4f", run.step, loss)
        if run.step % CHECKPOINT_STEPS == 0:
            keep(run, out)
    keep(run, out)
    logging.info("done")


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--begin", type=Path, help="a network to go on with")
    parser.add_argument("--cache", type=Path, default=HERE / "runs" / "cache")
    parser.add_argument("--out", type=Path, default=HERE / "runs")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=args.out / "train.log",
        level=logging.INFO,
        format="%(asctime)s %(message)s",
    )
    torch.set_num_threads(2)
    run = start(args.out / "checkpoint.pt", args.begin)
    queue: Queue[Batch] = mp.get_context("spawn").Queue(8)
    feeder = mp.get_context("spawn").Process(
        target=feed, args=(args.cache, 1 + run.step, queue), daemon=True
    )
    feeder.start()
    train(run, queue, args.steps, args.out)
    feeder.terminate()


if __name__ == "__main__":
    main()
