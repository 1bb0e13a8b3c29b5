"""Areas found for planted faults, by overlap, on synthetic slides with known truth."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.true_cells import demo_panel
from mifprofile.core.quality import CAUSES
from mifprofile.io.readers import open_slide
from mifprofile.io.results import Results
from mifprofile.io.synthetic import write_synthetic_slide
from mifprofile.model import Marker, Panel, PixelSize
from mifprofile.options import QualityOptions
from mifprofile.stages.job import Job
from mifprofile.stages.planes import coarse_plane
from mifprofile.stages.quality import find_tissue, read_exclusion_masks, read_tissue
from mifprofile.stages.quality.scan import ScanGrid
from mifprofile.stages.quality.survey import survey_slide
from mifprofile.stages.run import run_stage
from mifprofile.stages.workers import open_workers
from mifprofile.synthetic import SynthOptions, synthetic_block

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mifprofile.model import Slide

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
SLIDES = {
    "breast_b09/*.ome.tif": 0.5,
    "codex_tile/R001_X003_Y004.ome.tif": None,
    "tonsil_5ch/input.tiff": 0.5,
    "vectra_qptiff/*.qptiff": None,
    "mibi_dcis/*.ome.tif": None,
}


def figures(data: Path, seeds: tuple[int, ...] = SEEDS) -> str:
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
        + "\n\n"
        + _of_real(data)
    )


def _of_real(data: Path) -> str:
    """What is excluded of real slides that show no fault to the eye, a row each."""
    rows = [
        f"| {path.name} | "
        + " | ".join(f"{found[name]:.2f}" for name in (*CAUSES, "all"))
        + " |"
        for path, um in images(data)
        for found in [excluded(open_slide(path), um)]
    ]
    names = (*CAUSES, "all")
    return "\n".join(
        [
            "Excluded of real tissue without a fault to the eye, %:",
            "",
            f"| image | {' | '.join(names)} |",
            "|---|" + "---:|" * len(names),
            *rows,
        ]
    )


def excluded(
    slide: Slide, um: float | None = None, markers: Sequence[str] = ()
) -> dict[str, float]:
    """Percent of the tissue that is excluded, by cause."""
    if um is not None:
        slide = replace(slide, pixel_size=PixelSize(um, um))
    nucleus, *rest = (channel.name for channel in slide.channels)
    if "HH3" in rest:
        nucleus, rest = "HH3", [nucleus, *(n for n in rest if n != "HH3")]
    panel = Panel(
        name="all channels",
        species="human",
        nucleus=nucleus,
        markers={n: Marker(channel=n, measure="cell") for n in markers or rest},
        phenotypes={},
    )
    options = QualityOptions()
    plane, map_um = coarse_plane(slide, nucleus, options.mask_um)
    tissue = find_tissue(plane, map_um, options)
    grid = ScanGrid(slide, tissue, map_um)
    with open_workers(1, None) as workers:
        masks, _ = survey_slide(grid, plane, panel, options, (), workers)
    found = {cause: 100 * float(masks[cause][tissue].mean()) for cause in CAUSES}
    every = np.any(list(masks.values()), axis=0)[tissue]
    return found | {"all": 100 * float(every.mean())}


def images(data: Path) -> Iterator[tuple[Path, float | None]]:
    """Real slides on which nothing is folded, blurred or clipped, and their pixels."""
    for pattern, um in SLIDES.items():
        paths = sorted(data.glob(pattern))
        yield from ((path, um) for path in paths)


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
