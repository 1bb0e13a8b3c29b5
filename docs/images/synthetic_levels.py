"""Make ``synthetic_levels.png``: levels of real cells beside those of synthetic ones.

python docs/images/synthetic_levels.py ../shared/data

Images are measured anew, which takes some minutes. The quantiles are printed.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.breast import PANEL, UM
from benchmarks.true_cells import demo_panel, true_cells
from mifprofile.core.agreement import compare_calls
from mifprofile.core.phenotype import marker_levels
from mifprofile.io.config import override_options, parse_panel, read_panel
from mifprofile.io.results import Results
from mifprofile.options import STAGES, Options
from mifprofile.stages import Job, run_stage
from mifprofile.synthetic import SynthOptions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from mifprofile.model import Panel

TARGET = Path(__file__).with_suffix(".png")
MARKERS = ("CD8", "FOXP3", "PD-L1", "CK")
BINS = np.linspace(-1.6, 2.8, 89)
NONE = -1.5
QUANTILES = (0.05, 0.5, 0.95, 0.99)
MIBI_EVERY = 2
COLOURS = 64
# Column of the level, and inForm's phenotype.
LUNG = {
    "CD8": ("Membrane CD8 (Opal 540)", "CD8+"),
    "FOXP3": ("Nucleus FoxP3 (Opal 570)", "FoxP3+"),
    "PD-L1": ("Membrane PDL1 (Opal 520)", ""),
    "CK": ("Entire Cell CK (Opal 690)", "CK+"),
}
HALO = {
    "CD8": ("CD8 (Opal 520)", "Cytoplasm"),
    "FOXP3": ("FOXP3 (Opal 620)", "Nucleus"),
    "PD-L1": ("PDL1 (Opal 540)", "Cytoplasm"),
}
MIBI = {
    "name": "mibi",
    "species": "human",
    "nucleus": "HH3",
    "membrane": ["ECAD"],
    "markers": {
        "CD8": {"channel": "CD8", "measure": "membrane"},
        "FOXP3": {"channel": "FOXP3", "measure": "nucleus"},
        "PD-L1": {"channel": "PDL1", "measure": "membrane"},
        "CK": {"channel": "PanKRT", "measure": "cytoplasm"},
    },
    "phenotypes": {"tumour": "CK+"},
}
# One pair of columns per marker: its level, and whether the cell is positive.
Cells = dict[str, tuple["NDArray[np.float64]", "NDArray[np.bool_] | None"]]


def main(data: Path) -> None:
    """Draw all rows, print their quantiles, and save the picture."""
    rows = {
        "lung, Opal\n(inForm's calls)": lung(data / "lung_inform"),
        "3 lung cores, Opal\n(people's gates)": halo(data / "halo_cores"),
        "breast, 7-plex": breast(data / "breast_b09"),
        "synthetic, hard": synthetic(SynthOptions.hard(seed=1)),
        "synthetic, easy": synthetic(SynthOptions(seed=1)),
        "breast, MIBI": mibi(data / "mibi_dcis"),
        "synthetic, sparse": synthetic(SynthOptions.sparse(seed=1)),
    }
    mpl.rcParams.update({"font.size": 8, "axes.spines.top": False})
    figure, axes = plt.subplots(
        len(rows), len(MARKERS), figsize=(8.6, 9.6), sharex=True, sharey=True
    )
    for line, (name, cells) in zip(axes, rows.items(), strict=True):
        line[0].set_ylabel(name)
        for axis, marker in zip(line, MARKERS, strict=True):
            draw(axis, name, marker, cells)
    for axis, marker in zip(axes[0], MARKERS, strict=True):
        axis.set_title(marker)
    figure.supxlabel("log10 of a cell's level over the median; left: no light at all")
    figure.supylabel("share of cells")
    figure.tight_layout()
    save(figure)


def draw(axis: Axes, name: str, marker: str, cells: Cells) -> None:
    """Draw one histogram, the positive cells in red."""
    axis.set(yscale="log", ylim=(1e-4, 1), xlim=(BINS[0], BINS[-1]))
    if marker not in cells:
        axis.text(0.5, 0.5, "not stained", transform=axis.transAxes, ha="center")
        return
    levels, positive = cells[marker]
    weights = np.full(levels.shape, 1 / levels.size)
    axis.hist(levels, BINS, weights=weights, color="0.75")
    if positive is not None:
        reds = levels[positive]
        axis.hist(reds, BINS, weights=weights[positive], color="tab:red", alpha=0.6)
    describe(name, marker, levels, positive)


def describe(
    name: str,
    marker: str,
    levels: NDArray[np.float64],
    positive: NDArray[np.bool_] | None,
) -> None:
    """Print share, quantiles of both kinds of cells, and the best gate's kappa."""
    line = f"{name!r} {marker} {levels.size} cells, dark {np.mean(levels == NONE):.2f}"
    groups = {"all": levels}
    if positive is not None and positive.any():
        groups = {"negative": levels[~positive], "positive": levels[positive]}
        truth, level = (pd.DataFrame({marker: v}) for v in (positive, levels))
        (best,) = compare_calls(truth, truth, level)["best_kappa"]
        line += f", {100 * positive.mean():.1f} % positive, best kappa {best:.2f}"
    for group, values in groups.items():
        found = " ".join(f"{q:.2f}" for q in np.quantile(values, QUANTILES))
        line += f"; {group} {found}"
    sys.stdout.write(line + "\n")


def relative(levels: pd.Series) -> NDArray[np.float64]:
    """Log10 over the median of the cells with any light; `NONE` for the others."""
    values = levels.to_numpy(float)
    lit = values > 0
    logs = np.log10(values, where=lit, out=np.full(values.shape, -np.inf))
    return np.where(lit, np.clip(logs - np.median(logs[lit]), BINS[1], None), NONE)


def lung(folder: Path) -> Cells:
    """Levels and phenotypes of inForm's table."""
    table = pd.read_csv(folder / "sample_cell_seg_data.csv.gz")
    cells: Cells = {}
    for marker, (column, phenotype) in LUNG.items():
        calls = (table["Phenotype"] == phenotype).to_numpy() if phenotype else None
        cells[marker] = relative(table[f"{column} Mean"]), calls
    return cells


def halo(folder: Path) -> Cells:
    """Levels and calls of three cores, each over its own median."""
    tables = [pd.read_csv(path) for path in sorted(folder.glob("*.csv.gz"))]
    cells: Cells = {}
    for marker, (stain, where) in HALO.items():
        levels = [relative(table[f"{stain} {where} Intensity"]) for table in tables]
        calls = [(table[f"{stain} Positive"] > 0).to_numpy() for table in tables]
        cells[marker] = np.concatenate(levels), np.concatenate(calls)
    return cells


def breast(folder: Path) -> Cells:
    """Levels of a fluorescence field, as this package measures them."""
    levels = measured(folder / "breast_b09.ome.tif", read_panel(PANEL), UM)
    return plain([levels.rename(columns={"PanCK": "CK"})])


def mibi(folder: Path) -> Cells:
    """Levels of some MIBI images, each over its own median."""
    images = sorted(folder.glob("*.ome.tif"))[::MIBI_EVERY]
    panel = parse_panel(MIBI, __file__)
    return plain([measured(image, panel, None) for image in images])


def plain(tables: list[pd.DataFrame]) -> Cells:
    """Levels without calls; a channel in which no cell has light counts as absent."""
    cells: Cells = {}
    for marker in MARKERS:
        lit = [table[marker] for table in tables if (table[marker] > 0).any()]
        if lit:
            cells[marker] = np.concatenate([relative(levels) for levels in lit]), None
    return cells


def measured(slide: Path, panel: Panel, um: float | None) -> pd.DataFrame:
    """Marker levels of a slide's cells."""
    given = {"ingest": {"pixel_size_um": um}} if um else {}
    options = override_options(Options(), given, __file__)
    with tempfile.TemporaryDirectory() as folder:
        job = Job(Results(Path(folder)), panel, options, slide=slide, quiet=True)
        for stage in STAGES[: STAGES.index("measure") + 1]:
            run_stage(job, stage)
        return marker_levels(pd.read_parquet(job.results.measurements), panel)


def synthetic(options: SynthOptions) -> Cells:
    """Levels and truth of a synthetic slide, in its true cells."""
    slide = true_cells(options)
    levels = marker_levels(slide.cells, demo_panel())
    return {
        marker: (relative(levels[marker]), slide.truth[f"{marker}_positive"].to_numpy())
        for marker in MARKERS
    }


def save(figure: plt.Figure) -> None:
    """Save a figure in few colours, which keeps the file small."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110)
    picture = Image.open(buffer).convert("RGB").quantize(COLOURS)
    picture.save(TARGET, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
