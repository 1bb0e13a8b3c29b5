"""Spatial statistics beside squidpy and scimap: same cells, same values, same machine.

Usage: python -m benchmarks.spatial_peers [--cells N] [--types N] [--venvs DIR]

Each peer has an environment of its own, DIR/venv-peers-squidpy and
DIR/venv-peers-scimap; one that is not there is left out. scimap 2.3 needs
"numcodecs<0.16" beside it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.spatial import SHORT_UM, Watch, scene
from mifprofile.core.spatial import (
    Pattern,
    disc_counts,
    nearest_distances,
    pair_sums,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

HERE = Path(__file__).parent
RADIUS_UM = 30.0
LIMIT_S = 900


@dataclass(frozen=True)
class _Step:
    """A statistic that a peer computes too.

    Attributes
    ----------
    peer, name : str
        Environment, and step of its script.
    title : str
    ours : callable
        Gives the same values from the pattern and a number of threads.
    """

    peer: str
    name: str
    title: str
    ours: Callable[[Pattern, int], NDArray[Any]]


def peer_figures(
    cells: int = 100_000,
    types: int = 20,
    workers: int = 2,
    venvs: Path = HERE.parent.parent,
) -> str:
    """Markdown table of seconds beside those of squidpy and scimap."""
    pattern, _ = scene(np.random.default_rng(2), cells, types)
    small, _ = scene(np.random.default_rng(0), 3000, 3)
    for step in STEPS:
        step.ours(small, workers)
    size = f"{len(pattern.points)} cells of {types} types"
    lines = [
        f"## Spatial statistics beside peers, {size}, {workers} threads",
        "",
        "The same values from the same points; peers' time is taken within their own",
        "process, without imports and compilation. CPU seconds are of all threads.",
        "squidpy holds positions as 32-bit floats: pairs at the very radius differ.",
        "",
        "| statistic | peer | s | CPU s | ours, s | CPU s | CPU ratio | difference |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for peer in dict.fromkeys(step.peer for step in STEPS):
        lines += _of_peer(peer, venvs, pattern, workers)
    return "\n".join(lines)


def _of_peer(peer: str, venvs: Path, pattern: Pattern, workers: int) -> Iterator[str]:
    python = venvs / f"venv-peers-{peer}" / "bin" / "python"
    if not python.is_file():
        yield f"| {peer}: left out, it is not installed | | | | | | | |"
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        np.savez(place / "cells.npz", points=pattern.points, types=pattern.types)
        steps = f"benchmarks.peers.{peer}_steps"
        command = [str(python), "-W", "ignore", "-m", steps, folder]
        subprocess.run(
            command, check=True, timeout=LIMIT_S, capture_output=True, cwd=HERE.parent
        )
        seconds = json.loads((place / "seconds.json").read_text(encoding="utf-8"))
        with np.load(place / "values.npz") as values:
            for step in STEPS:
                if step.peer == peer:
                    theirs = seconds[step.name]
                    yield _line(step, pattern, workers, theirs, values[step.name])


def _line(
    step: _Step,
    pattern: Pattern,
    workers: int,
    theirs: list[float],
    values: NDArray[Any],
) -> str:
    with Watch() as watch:
        ours = step.ours(pattern, workers)
    apart = np.nanmax(np.abs(ours - values))
    return (
        f"| {step.title} | {step.peer} | {theirs[0]:.2f} | {theirs[1]:.2f} "
        f"| {watch.seconds:.2f} | {watch.cpu:.2f} | {theirs[1] / watch.cpu:.0f} "
        f"| {apart:.1e} |"
    )


def _co_occurrence(pattern: Pattern, workers: int) -> NDArray[Any]:
    """p(b | a within r) / p(b within r of any), as squidpy lays it out."""
    pairs = pair_sums(pattern, SHORT_UM, workers=workers).pairs.astype(float)
    around = pairs.sum(axis=0)
    given = pairs / around[:, None]
    return np.asarray(given.transpose(1, 0, 2) / (around / around.sum(axis=0))[:, None])


def _edges(pattern: Pattern, workers: int) -> NDArray[Any]:
    return pair_sums(pattern, [RADIUS_UM], workers=workers).pairs[:, :, 0]


def _nearest(pattern: Pattern, workers: int) -> NDArray[Any]:
    return nearest_distances(pattern, workers=workers)


def _within(pattern: Pattern, workers: int) -> NDArray[Any]:
    counts = disc_counts(pattern, RADIUS_UM, workers=workers)
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


STEPS = (
    _Step("squidpy", "co_occurrence", "co-occurrence within 4 radii", _co_occurrence),
    _Step("squidpy", "edges", "pairs of types within 30 µm", _edges),
    _Step("scimap", "nearest", "nearest of every type", _nearest),
    _Step("scimap", "within", "shares of types within 30 µm", _within),
)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--types", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--venvs", type=Path, default=HERE.parent.parent)
    given = parser.parse_args()
    print(peer_figures(given.cells, given.types, given.workers, given.venvs))


if __name__ == "__main__":
    main()
