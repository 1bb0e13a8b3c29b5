"""A synthetic slide with known truth, and how close the analysis comes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mifprofile.core.agreement import compare_counts, match_positions
from mifprofile.io.config import read_panel
from mifprofile.io.results import Results
from mifprofile.io.synthetic import write_synthetic_slide
from mifprofile.io.tables import read_parquet, write_table
from mifprofile.panels import demo_panel_path
from mifprofile.stages.job import Job
from mifprofile.stages.quality import read_tissue
from mifprofile.stages.run import run_all
from mifprofile.testing import DEMO_MARKERS, SynthOptions, synthetic_areas_mm2

if TYPE_CHECKING:
    from pathlib import Path

SIZE_MM = (1.0, 1.0)
SEED = 1
MATCH_UM = 3.0
# Below this many true cells a relative error says little.
MIN_TRUE = 50


def make_slide(
    path: Path, size_mm: tuple[float, float], seed: int, markers: tuple[str, ...] | None
) -> list[Path]:
    """Write a synthetic slide and its truth; return the files."""
    options = SynthOptions(size_mm=size_mm, seed=seed, markers=markers or DEMO_MARKERS)
    files = write_synthetic_slide(path, options)
    return [files.slide, files.labels, files.table]


def run_demo(folder: Path, *, quiet: bool) -> str:
    """Make the demonstration slide, analyse it and compare with the truth.

    Returns
    -------
    str
        What to print: the comparison and where the report is.
    """
    options = SynthOptions(size_mm=SIZE_MM, seed=SEED)
    slide = folder / "slide.ome.tiff"
    if not slide.exists():
        write_synthetic_slide(slide, options)
    results = Results(folder / "results")
    with demo_panel_path() as panel:
        job = Job(results, read_panel(panel), slide=slide, quiet=quiet)
    run_all(job)
    truth = pd.read_csv(slide.with_name("slide_truth.csv"))
    cells = read_parquet(results.cells)
    tissue, um = read_tissue(results)
    areas = sum(v for k, v in synthetic_areas_mm2(options).items() if k != "glass")
    measured = float(np.count_nonzero(tissue)) * um**2 / 1e6
    names = [*job.panel.phenotypes, "other"]
    table = compare_counts(
        truth["phenotype"], cells["phenotype"], (areas, measured), names
    )
    write_table(table, folder / "accuracy.csv")
    columns = ["x_um", "y_um"]
    pairs = match_positions(
        truth[columns].to_numpy(), cells[columns].to_numpy(), MATCH_UM
    )
    right = (
        truth["phenotype"].to_numpy()[pairs.known]
        == cells["phenotype"].to_numpy()[pairs.found].astype(str)
    ).mean()
    counted = table[table["true"] >= MIN_TRUE]
    worst = counted[["count_error_pct", "density_error_pct"]].abs().max(axis=None)
    return "\n".join(
        [
            table.round(1).to_string(index=False),
            f"tissue: {measured:.3f} mm2 of true {areas:.3f} mm2",
            f"cells within {MATCH_UM:g} um of a true one: F1 {pairs.f1:.3f}",
            f"of these with the true phenotype: {100 * right:.1f} %",
            f"largest error of a phenotype with {MIN_TRUE}+ true cells: {worst:.1f} %",
            f"report: {results.report}",
        ]
    )
