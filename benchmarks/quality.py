"""Areas found for planted faults, by overlap, on synthetic slides with known truth."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.true_cells import demo_panel
from mifprofile.core.quality import CAUSES
from mifprofile.io.results import Results
from mifprofile.io.synthetic import write_synthetic_slide
from mifprofile.stages.job import Job
from mifprofile.stages.quality import read_exclusion_masks, read_tissue
from mifprofile.stages.run import run_stage
from mifprofile.testing import SynthOptions, synthetic_block

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

SEEDS = (201, 202, 203, 204, 205)
SIZE_MM = (1.5, 1.5)
PLANTED = ("fold", "out_of_focus", "saturated")
FAULTS = {
    "fold_count": 1,
    "out_of_focus_count": 1,
    "saturated_count": 1,
    "aggregate_count": 20,
}
CELL_PX = 8


def figures(seeds: tuple[int, ...] = SEEDS) -> str:
    """Overlap with the truth per seed, and what is excluded of clean slides."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            overlaps(_slide(seed, **FAULTS), Path(folder) / str(seed)) for seed in seeds
        ]
        clean = [
            100 * excluded_share(_slide(seed), Path(folder) / f"clean{seed}")
            for seed in seeds
        ]
    names = ("glass", *PLANTED)
    lines = [
        f"| {seed} | "
        + " | ".join(f"{row[name]:.3f}" for name in names)
        + f" | {share:.3f} |"
        for seed, row, share in zip(seeds, rows, clean, strict=True)
    ]
    head = f"| seed | {' | '.join(names)} | excluded of the clean slide, % |"
    return (
        "## Quality masks\n\nIntersection over union with what was planted on slides "
        "of 1.5 × 1.5 mm; where faults overlap, neither counts.\n\n"
        + "\n".join([head, "|" + "---:|" * (len(names) + 2), *lines])
    )


def overlaps(options: SynthOptions, folder: Path) -> dict[str, float]:
    """Overlap of each planted fault with what was found, and of glass."""
    tissue, masks = _found(options, folder)
    block = synthetic_block(options, 0, 0, *options.shape_px)
    faults = {name: _share(block.faults[name]) for name in PLANTED}
    true_glass = _share(block.regions > 0) <= 0.5
    out = {"glass": overlap(~tissue, true_glass)}
    for name, share in faults.items():
        others = [other > 0 for key, other in faults.items() if key != name]
        free = ~np.any(others, axis=0)
        out[name] = overlap(masks[name] & free, (share > 0.5) & free)
    return out


def excluded_share(options: SynthOptions, folder: Path) -> float:
    """Share of the tissue that is excluded for any cause."""
    tissue, masks = _found(options, folder)
    excluded = np.any([masks[cause] for cause in CAUSES], axis=0)
    return float(excluded[tissue].mean())


def overlap(found: Mask, true: Mask) -> float:
    """Intersection over union; 1 where both are empty."""
    union = int((found | true).sum())
    return float((found & true).sum()) / union if union else 1.0


def _slide(seed: int, **faults: int) -> SynthOptions:
    return SynthOptions(size_mm=SIZE_MM, seed=seed, **faults)


def _found(options: SynthOptions, folder: Path) -> tuple[Mask, dict[str, Mask]]:
    slide = write_synthetic_slide(folder / "slide.ome.tiff", options).slide
    results = Results(folder / "results")
    job = Job(results, demo_panel(), slide=slide, quiet=True)
    for stage in ("ingest", "quality"):
        run_stage(job, stage)
    masks, _ = read_exclusion_masks(results)
    return read_tissue(results)[0], masks


def _share(mask: Mask) -> NDArray[np.float64]:
    """Share of each map pixel that a mask at full resolution covers."""
    padded = np.pad(mask, [(0, -n % CELL_PX) for n in mask.shape])
    height, width = (n // CELL_PX for n in padded.shape)
    cells = padded.reshape(height, CELL_PX, width, CELL_PX)
    return np.asarray(cells.mean(axis=(1, 3)))
