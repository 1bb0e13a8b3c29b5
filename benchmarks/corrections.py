"""What each correction does for positivity, with and without the fault it is for."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import tifffile

from benchmarks.true_cells import demo_panel, f1
from mifprofile.io.config import override_options
from mifprofile.io.readers import open_slide
from mifprofile.io.results import Results
from mifprofile.io.synthetic import write_synthetic_slide
from mifprofile.options import Options
from mifprofile.stages import Job, run_stage
from mifprofile.stages.correct import fit_correction
from mifprofile.synthetic import DEMO_MARKERS, SynthOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

SEEDS = (1, 2, 3)
SIZE_MM = (1.1, 1.1)
# A flat field needs many camera fields; the pixels are larger instead.
WIDE: dict[str, Any] = {"size_mm": (3.1, 3.1), "pixel_size_um": 1.0}
# What the synthetic camera adds to every pixel, and the field it repeats in.
DARK_LEVEL = 100.0
FIELD_UM = (600.0, 600.0)
BLEED_THROUGH = 0.15
LOSS = 0.5
CLEAN: dict[str, Any] = {"autofluorescence_channel": True}
Corrections = dict[str, dict[str, Any]]


class Fault(NamedTuple):
    """A fault of the slide, and corrections that may mend it."""

    name: str
    planted: dict[str, Any]
    corrections: Corrections


def figures(folder: Path, seeds: tuple[int, ...] = SEEDS) -> str:
    """Markdown table of F1 by marker, as planted and corrected."""
    rows = [row for fault in faults() for row in _rows(fault, folder, seeds)]
    slides = f"{len(seeds)} slides of {SIZE_MM[0]} x {SIZE_MM[1]} mm (wide: 3.1 x 3.1)"
    return "\n".join(
        [
            "## Corrections, F1 of positivity on the synthetic slide",
            "",
            f"{slides}, true masks, automatic gates: mean F1, and the worst of all.",
            "",
            f"| slide | correction | {' | '.join(DEMO_MARKERS)} | mean | worst |",
            "|---" * (len(DEMO_MARKERS) + 4) + "|",
            *rows,
        ]
    )


def profile_figures(folder: Path, seed: int = SEEDS[0]) -> str:
    """Markdown table of how far each flat field is from the planted shading."""
    options = SynthOptions(seed=seed, illumination=LOSS, **WIDE)
    job = _job(folder, write_synthetic_slide(folder / "slide.ome.tiff", options).slide)
    for stage in ("ingest", "quality"):
        run_stage(job, stage)
    slide = open_slide(job.results.slide)
    rows = []
    for name, correct in _flattened().items():
        found, _ = fit_correction(
            _with(job, correct), slide, range(len(slide.channels))
        )
        if found is not None and found.flat_field is not None:
            errors = [_rms(profile) for profile in found.flat_field.profiles]
            rows.append(f"| {name} | {' | '.join(f'{e:.3f}' for e in errors)} |")
    return "\n".join(
        [
            f"## Flat fields, illumination {LOSS}: rms of found / true - 1",
            "",
            f"| correction | {' | '.join(slide.channel_names)} |",
            "|---" * (len(slide.channels) + 1) + "|",
            *rows,
        ]
    )


def faults() -> list[Fault]:
    """Each fault alone; the clean slide gets every correction."""
    flat = {"field_um": FIELD_UM, "dark_level": DARK_LEVEL}
    flattened: Corrections = {
        "flat-field, quartile": {"flat_field": "quartile", **flat}
    }
    if find_spec("basicpy") is not None:
        flattened["flat-field, BaSiC"] = {"flat_field": "basic", **flat}
    backgrounds: Corrections = {
        f"background, {name}": {"background": name}
        for name in ("glass", "tissue", "local")
    }
    glow: Corrections = {"autofluorescence": {"autofluorescence": "AF"}}
    glow["background, glass + autofluorescence"] = {
        "background": "glass",
        "autofluorescence": "AF",
    }
    shares = {"background": "glass", "bleed_through": _neighbours(BLEED_THROUGH)}
    unmixed: Corrections = {
        "background, glass + unmixing": shares,
        "the same, non-negative": shares | {"non_negative": True},
    }
    small = {"background": "glass", "bleed_through": _neighbours(0.01)}
    every = backgrounds | glow | {"background, glass + unmixing": small}
    return [
        Fault("clean", {}, every),
        Fault("clean, wide", WIDE, flattened),
        Fault("wide, illumination 0.5", WIDE | {"illumination": LOSS}, flattened),
        Fault("haze 0.3", {"haze": 0.3}, backgrounds),
        Fault("autofluorescence 0.5", {"autofluorescence": 0.5}, glow | backgrounds),
        Fault("bleed-through 0.15", {"bleed_through": BLEED_THROUGH}, unmixed),
    ]


def _flattened() -> Corrections:
    """Every way to fit a flat field that is installed."""
    flat = {"field_um": FIELD_UM, "dark_level": DARK_LEVEL}
    ways = ["quartile", *(["basic"] if find_spec("basicpy") is not None else [])]
    return {f"flat-field, {way}": {"flat_field": way, **flat} for way in ways}


def _rms(profile: NDArray[np.float32]) -> float:
    """Error of a profile, relative to how the synthetic camera loses light."""
    v, u = ((np.arange(n) + 0.5) / n * 2 - 1 for n in profile.shape)
    shading = 1 - 0.5 * LOSS * (v[:, None] ** 2 + u**2)
    error = profile / shading * shading.mean() - 1
    return float(np.sqrt((error**2).mean()))


def _neighbours(share: float) -> dict[str, dict[str, float]]:
    """Shares by channel that shines and channel that sees it, as the slide mixes."""
    names = SynthOptions().channel_names
    return {
        name: dict.fromkeys((*names[i - 1 : i], *names[i + 1 : i + 2]), share)
        for i, name in enumerate(names)
    }


def _rows(fault: Fault, folder: Path, seeds: tuple[int, ...]) -> Iterator[str]:
    scores = [_scores(fault, folder / f"{fault.name}-{seed}", seed) for seed in seeds]
    for name in scores[0].index:
        by_seed = pd.DataFrame([score.loc[name] for score in scores])
        cells = [f"{value:.3f}" for value in by_seed.mean()]
        ends = f"{by_seed.to_numpy().mean():.3f} | {by_seed.to_numpy().min():.3f}"
        yield f"| {fault.name} | {name} | {' | '.join(cells)} | {ends} |"


def _scores(fault: Fault, folder: Path, seed: int) -> pd.DataFrame:
    """F1 by correction (row) and marker (column) on one slide."""
    looks = {"size_mm": SIZE_MM, "seed": seed} | CLEAN | fault.planted
    options = SynthOptions.model_validate(looks)
    files = write_synthetic_slide(folder / "slide.ome.tiff", options)
    truth = pd.read_csv(files.table)
    masks = np.asarray(open_slide(files.labels).levels[0])
    nuclei, cells = folder / "nuclei.tiff", folder / "cells.tiff"
    for path, page in zip((nuclei, cells), masks, strict=False):
        tifffile.imwrite(path, page, compression="zstd")
    job = replace(_job(folder, files.slide), nuclei=nuclei, cells=cells)
    every: Corrections = {"none": {}} | fault.corrections
    return pd.DataFrame(
        {name: _f1(job, correct, truth) for name, correct in every.items()}
    ).T


def _f1(job: Job, correct: dict[str, Any], truth: pd.DataFrame) -> dict[str, float]:
    corrected = _with(job, correct)
    for stage in ("ingest", "quality", "segment", "measure", "phenotype"):
        run_stage(corrected, stage)
    called = pd.read_parquet(job.results.phenotypes).set_index("cell_id")
    # Masks are numbered in the order of the true cells.
    called = called.reindex(np.arange(1, len(truth) + 1))
    columns = {marker: f"{marker}_positive" for marker in DEMO_MARKERS}
    return {
        marker: f1(truth[name], called[name].fillna(False).astype(bool))
        for marker, name in columns.items()
    }


def _job(folder: Path, slide: Path) -> Job:
    return Job(Results(folder / "results"), demo_panel(), slide=slide, quiet=True)


def _with(job: Job, correct: dict[str, Any]) -> Job:
    options = override_options(Options(), {"measure": {"correct": correct}}, "here")
    return replace(job, options=options)
