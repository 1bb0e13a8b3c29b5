"""Segmentation of slides: against stock Cellpose, and as slides grow."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import psutil
import yaml
from cellpose.models import CellposeModel

from benchmarks.cellpose_twin import CellposeTwin
from mifprofile.core.masks import area_mm2
from mifprofile.engines import load_segmenter
from mifprofile.io.config import read_panel
from mifprofile.io.results import Results
from mifprofile.io.store import open_label_store, write_slide_store
from mifprofile.model import Channel, PixelSize, Slide
from mifprofile.stages import Job, run_stage
from mifprofile.stages.quality import read_tissue
from mifprofile.synthetic import SynthOptions, synthetic_block

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

UM = 0.5
FIELD_PX = 2048
CHANNELS = ("DAPI", "HER2")
GIGAPIXELS = (0.1, 0.4, 1.6)
WORKERS = 2
LOOK_SECONDS = 0.5
REPEATS = 2
WHOLE_PX = 4096
LAYOUTS = ((256, 1), (512, 2), (1000, 1), (1000, 4), (2048, 2))
KILLS = 10
RUNS = 9
PANEL = {
    "name": "field",
    "species": "human",
    "nucleus": "DAPI",
    "membrane": ["HER2"],
    "markers": {"HER2": {"channel": "HER2", "measure": "membrane"}},
    "phenotypes": {"tumour": "HER2+"},
}


@dataclass(frozen=True)
class Growth:
    """What a slide of some size took."""

    gigapixels: float
    tissue_mm2: float
    cells: int
    seconds: float
    peak_gib: float


def field() -> NDArray[np.uint16]:
    """Nuclei and membranes of a crowded field, (2, 2048, 2048)."""
    mm = FIELD_PX * UM / 1000
    options = SynthOptions(
        size_mm=(mm, mm), seed=5, markers=("HER2",), glass_margin_um=0.0
    )
    return synthetic_block(options, 0, 0, FIELD_PX, FIELD_PX).channels


def make_job(image: da.Array, folder: Path) -> Job:
    """Store a slide and find its tissue."""
    folder.mkdir(parents=True)
    (folder / "panel.yaml").write_text(yaml.safe_dump(PANEL), encoding="utf-8")
    channels = tuple(Channel(name, i) for i, name in enumerate(CHANNELS))
    slide = Slide("field", "field", "none", channels, PixelSize(UM, UM), (image,))
    results = Results(folder)
    write_slide_store(slide, results.slide)
    job = Job(results, read_panel(folder / "panel.yaml"), quiet=True)
    run_stage(job, "quality")
    return job


def growth(folder: Path, gigapixels: float) -> Growth:
    """Segment a slide that repeats the field, in processes of its own."""
    image = field()
    rows = round((gigapixels * 1e9) ** 0.5 / FIELD_PX)
    tiles = da.from_array(image, chunks=(1, 1024, 1024))
    job = make_job(da.tile(tiles, (1, rows, rows)), folder)
    seconds, peak = watched(_command(job, 2048, WORKERS))
    tissue, um = read_tissue(job.results)
    record = job.results.read_record("segment") or {}
    pixels = image[0].size * rows**2
    return Growth(
        pixels / 1e9, area_mm2(tissue, um), record["facts"]["cells"], seconds, peak
    )


def watched(command: list[str]) -> tuple[float, float]:
    """Seconds that a command takes, and the most memory of all its processes, GiB.

    Memory is the proportional set size: pages that processes share count once.
    """
    started, peak = time.perf_counter(), 0
    process = subprocess.Popen(command)
    whole = psutil.Process(process.pid)
    while process.poll() is None:
        peak = max(peak, _memory(whole))
        time.sleep(LOOK_SECONDS)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed")
    return time.perf_counter() - started, peak / 2**30


def _memory(process: psutil.Process) -> int:
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for part in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += part.memory_full_info().pss
    return total


def same_figures(folder: Path) -> str:
    """Markdown table of pixels and bytes that differ between ways of running."""
    image = da.from_array(field(), chunks=(1, 1024, 1024))
    job = make_job(da.tile(image, (1, REPEATS, REPEATS)), folder)
    wanted = _labels(job, WHOLE_PX, 1)
    rows = []
    for block_px, workers in LAYOUTS:
        differ = (_labels(job, block_px, workers) != wanted).sum()
        rows.append(f"| {block_px} | {workers} | {differ} |")
    return "\n".join(
        [
            f"## The same labels, {REPEATS * FIELD_PX}² px, {wanted.max()} cells",
            "",
            "Pixels of `nuclei` and `cells` against those of the slide as one block.",
            "",
            "| block, px | workers | pixels that differ |",
            "|---|---|---|",
            *rows,
            "",
            _killed(job),
        ]
    )


def _labels(job: Job, block_px: int, workers: int) -> NDArray[np.uint32]:
    """Nuclei and cells, (2, y, x), found with a layout."""
    _run(_command(job, block_px, workers))
    store = open_label_store(job.results.labels)
    return np.stack([np.asarray(store[n].levels[0]) for n in ("nuclei", "cells")])


def _killed(job: Job) -> str:
    """Kill a run again and again, let it finish, and compare the files."""
    command = _command(job, 1024, WORKERS)
    started = time.perf_counter()
    _run(command)
    seconds = time.perf_counter() - started
    wanted = _files(job.results.labels)
    chance = random.Random(0)
    job.results.record_path("segment").unlink()
    for _ in range(KILLS):
        process = subprocess.Popen(command[:-1], start_new_session=True)
        time.sleep(chance.uniform(0.1, 1.0) * seconds / 2)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    _run(command[:-1])
    files = _files(job.results.labels)
    differ = sum(files.get(name) != content for name, content in wanted.items())
    return (
        f"Killed (SIGKILL) {KILLS} times at random, then finished: {differ} of "
        f"{len(wanted)} files differ from those of an undisturbed run, "
        f"{len(files.keys() - wanted.keys())} are new."
    )


def _files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _command(job: Job, block_px: int, workers: int) -> list[str]:
    """Run `segment` anew in a process of its own; without the last word, go on."""
    folder = job.results.folder
    program = "from mifprofile.cli import main; main()"
    return [
        *(sys.executable, "-c", program, "segment", "-q", "-o", str(folder)),
        *("--panel", str(folder / "panel.yaml"), "--workers", str(workers)),
        *("--block-px", str(block_px), "--force"),
    ]


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True)


def growth_figures(folder: Path) -> str:
    """Markdown table of time and memory against size."""
    return growth_table([growth(folder / str(g), g) for g in GIGAPIXELS])


def growth_table(runs: list[Growth]) -> str:
    """Markdown table of runs."""
    rows = [
        f"| {r.gigapixels:.2f} | {r.tissue_mm2:.0f} | {r.cells} | {r.seconds:.0f} "
        f"| {r.gigapixels * 1000 / r.seconds:.2f} | {r.peak_gib:.2f} |"
        for r in runs
    ]
    areas, seconds = ([getattr(r, n) for r in runs] for n in ("tissue_mm2", "seconds"))
    slope = np.polyfit(np.log(areas), np.log(seconds), 1)[0]
    each, begin = np.polyfit(areas, seconds, 1)
    return "\n".join(
        [
            f"## `segment --workers {WORKERS}` as slides grow",
            "",
            "Memory is the peak of all processes together.",
            "",
            "| Gpx | tissue, mm² | cells | s | Mpx/s | memory, GiB |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            f"log time against log tissue area: slope {slope:.2f}. Time as a straight",
            f"line: {begin:.0f} s to begin and {each:.2f} s per mm² of tissue.",
        ]
    )


def peer_figures(folder: Path) -> str:
    """Markdown table of `segment` against `CellposeModel.eval` on the same image."""
    image = field()
    job = make_job(da.from_array(image, chunks=(1, 1024, 1024)), folder)
    runs = [_one_run(job) for _ in range(RUNS + 1)][1:]
    mine, cpu, network = (
        float(np.median(column)) for column in zip(*runs, strict=True)
    )
    facts = (job.results.read_record("segment") or {})["facts"]
    narrow_net, narrow = cellpose_seconds(image, CellposeTwin.of_embedded())
    default_net, _ = cellpose_seconds(image, CellposeTwin.default())
    peers = {
        "default network": (default_net, default_net + narrow - narrow_net),
        "our narrow weights": (narrow_net, narrow),
    }
    rows = [
        f"| Cellpose 3, {name} | {mine:.2f} | {total:.1f} | {net:.1f} "
        f"| {total / mine:.1f} |"
        for name, (net, total) in peers.items()
    ]
    title = f"## `segment`, {FIELD_PX}² px, {facts['cells']} cells, "
    title += facts["precision"]
    return "\n".join(
        [
            title,
            "",
            f"Ours from the slide store to the label store, median of {RUNS} runs;",
            "Cellpose from array to array. The default network's weights are random",
            "here: its time is that of the network, plus the time that Cellpose takes",
            "for the narrow weights' flows.",
            "",
            "| peer | ours, s | peer, s | of it network, s | ratio |",
            "|---|---|---|---|---|",
            *rows,
            "",
            f"CPU time, medians of {RUNS} runs in turn: {cpu:.2f} s in all,",
            f"{network:.2f} s the network; not the network's: {1 - network / cpu:.1%}.",
        ]
    )


def _one_run(job: Job) -> tuple[float, float, float]:
    """Seconds of a segmentation, of all its cores, and of its network alone."""
    started, busy = time.perf_counter(), time.process_time()
    run_stage(job, "segment", force=True)
    seconds, cpu = time.perf_counter() - started, time.process_time() - busy
    return seconds, cpu, network_cpu_seconds(job)


def network_cpu_seconds(job: Job) -> float:
    """CPU time of the network alone, on as many tiles as `segment` ran."""
    options = job.options.segment
    segmenter = load_segmenter(options.model, options.diameter_um)
    tiling = segmenter.tiling((FIELD_PX, FIELD_PX))
    edge = tiling.tile_px
    tiles = np.zeros((segmenter.batch, 2, edge, edge), np.float32)
    tiles[:] = np.random.default_rng(0).random(tiles.shape, np.float32)
    segmenter.predict(tiles)
    started = time.process_time()
    for _ in range(-(-((-(-FIELD_PX // tiling.core_px)) ** 2) // segmenter.batch)):
        segmenter.predict(tiles)
    return time.process_time() - started


def cellpose_seconds(
    image: NDArray[np.uint16], net: CellposeTwin
) -> tuple[float, float]:
    """Seconds of stock `eval` without and with making masks."""
    logging.disable(logging.INFO)
    model = CellposeModel(gpu=False, pretrained_model=False)
    model.net = net
    options: dict[str, Any] = {"channels": [1, 2], "diameter": None, "channel_axis": 0}
    seconds = []
    for masks in (False, True):
        started = time.perf_counter()
        model.eval(image, compute_masks=masks, **options)
        seconds.append(time.perf_counter() - started)
    return seconds[0], seconds[1]
