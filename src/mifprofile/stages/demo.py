"""A synthetic slide with known truth, and how close the analysis comes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.agreement import compare_calls, compare_counts, match_positions
from mifprofile.core.masks import area_mm2
from mifprofile.io.config import read_panel
from mifprofile.io.results import Results
from mifprofile.io.synthetic import write_synthetic_slide
from mifprofile.io.tables import (
    read_csv,
    read_gates_used,
    read_parquet,
    write_table,
)
from mifprofile.panels import demo_panel_path
from mifprofile.stages.job import Job
from mifprofile.stages.quality import read_tissue
from mifprofile.stages.run import run_all
from mifprofile.synthetic import (
    DEMO_MARKERS,
    SynthOptions,
    synthetic_areas_mm2,
    synthetic_truth,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from mifprofile.core.agreement import Matches

SIZE_MM = (1.0, 1.0)
SEED = 1
MATCH_UM = 3.0
# Columns of gates.csv that say how many cells are positive, and their short names.
SIZES = {
    "corrected_pct": "population_pct",
    "corrected_low": "low",
    "corrected_high": "high",
}
# Below this many true cells a relative error says little.
MIN_TRUE = 50


def make_slide(
    path: Path,
    size_mm: tuple[float, float],
    seed: int,
    markers: tuple[str, ...] | None,
    look: str = "hard",
) -> list[Path]:
    """Write a synthetic slide and its truth; return the files."""
    options = SynthOptions.look(
        look, size_mm=size_mm, seed=seed, markers=markers or DEMO_MARKERS
    )
    files = write_synthetic_slide(path, options)
    return [files.slide, files.labels, files.table]


def run_demo(folder: Path, *, quiet: bool, look: str = "hard") -> str:
    """Make the demonstration slide, analyse it and compare with the truth.

    The comparison is also written, to ``accuracy.csv``.

    Parameters
    ----------
    folder : Path
    quiet : bool
        Show no progress.
    look : str
        Of `mifprofile.synthetic.LOOKS`.

    Returns
    -------
    str
        What to print: the comparison and where the report is.
    """
    options = SynthOptions.look(look, size_mm=SIZE_MM, seed=SEED)
    slide = folder / "slide.ome.tiff"
    table = slide.with_name("slide_truth.csv")
    truth = synthetic_truth(options)
    if not _tells(table, truth):
        write_synthetic_slide(slide, options)
    with demo_panel_path() as panel:
        results = Results(folder / "results")
        job = Job(results, read_panel(panel), slide=slide, quiet=quiet)
    run_all(job)
    areas = synthetic_areas_mm2(options)
    accuracy, lines = _compare(job, truth, areas["tumour"] + areas["stroma"])
    write_table(accuracy, folder / "accuracy.csv")
    return "\n".join([*lines, f"report: {results.report}"])


def _tells(table: Path, truth: pd.DataFrame) -> bool:
    """Whether a table holds this truth, not that of a slide drawn otherwise."""
    if not table.exists():
        return False
    known = read_csv(table, {"phenotype", "region"})
    numbers = truth.select_dtypes("number")
    return list(known) == list(truth) and bool(
        len(known) == len(truth)
        and np.allclose(known[list(numbers)], numbers, rtol=1e-6, atol=1e-3)
    )


def _compare(
    job: Job, truth: pd.DataFrame, true_mm2: float
) -> tuple[pd.DataFrame, list[str]]:
    """Counts and densities beside the truth, and what to say of them."""
    cells = read_parquet(job.results.cells)
    tissue, um = read_tissue(job.results)
    measured_mm2 = area_mm2(tissue, um)
    table = compare_counts(
        truth["phenotype"],
        cells["phenotype"],
        (true_mm2, measured_mm2),
        job.panel.categories,
    )
    known, found = (t[["x_um", "y_um"]].to_numpy(float) for t in (truth, cells))
    pairs = match_positions(known, found, MATCH_UM)
    ours = cells["phenotype"].astype(str).to_numpy()[pairs.found]
    right = (truth["phenotype"].to_numpy()[pairs.known] == ours).mean()
    counted = table[table["true"] >= MIN_TRUE]
    worst = counted[["count_error_pct", "density_error_pct"]].abs().max(axis=None)
    return table, [
        table.round(1).to_string(index=False),
        f"tissue: {measured_mm2:.3f} mm2 of true {true_mm2:.3f} mm2",
        f"cells within {MATCH_UM:g} um of a true one: F1 {pairs.f1:.3f}",
        f"of these with the true phenotype: {100 * right:.1f} %",
        f"largest error of a phenotype with {MIN_TRUE}+ true cells: {worst:.1f} %",
        "positive cells; how well the best possible gate would call them; and the size",
        "of the population with its 95 % interval, graded cells included:",
        _calls(job, truth, cells, pairs).round(2).to_string(index=False),
    ]


def _calls(
    job: Job, truth: pd.DataFrame, cells: pd.DataFrame, pairs: Matches
) -> pd.DataFrame:
    """What was called of every marker beside the truth, in the cells that pair."""
    columns = job.panel.level_columns
    calls, markers = [f"{marker}_positive" for marker in columns], list(columns)
    known, found = truth.iloc[pairs.known], cells.iloc[pairs.found]
    compared = compare_calls(
        known[calls].set_axis(markers, axis=1),
        found[calls].eq(True).set_axis(markers, axis=1),
        found[list(columns.values())].set_axis(markers, axis=1),
    )
    sizes = read_gates_used(job.results.gates)[["marker", "grade", *SIZES]]
    return compared.merge(sizes.rename(columns=SIZES), on="marker")
