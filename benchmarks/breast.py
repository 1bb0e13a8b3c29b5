"""A breast carcinoma field against two tables of reference cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from mifprofile.core.agreement import match_positions
from mifprofile.io.config import override_options, read_panel
from mifprofile.io.results import Results
from mifprofile.io.store import open_label_store
from mifprofile.options import Options
from mifprofile.stages import Job, run_all

if TYPE_CHECKING:
    from numpy.typing import NDArray

UM = 0.5
WITHIN_UM = 3.0
PANEL = Path(__file__).parent.parent / "config" / "panel.yaml"
LEVELS = {
    "CD8": "CD8_membrane_mean",
    "tumour": "PanCK_cytoplasm_mean",
    "Treg": "FOXP3_nucleus_mean",
}
# What the field is measured with, one after another.
VARIANTS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "local background": {"measure": {"correct": {"background": "local"}}},
    "spill-over": {"measure": {"spill_over": True}},
    "Otsu's gates": {"phenotype": {"method": "otsu"}},
}


def references(folder: Path) -> dict[str, pd.DataFrame]:
    """Both reference tables as ``x_um, y_um, CD8, tumour, Treg``."""
    crop = pd.read_csv(folder / "reference_cells_minicrop.csv")
    whole = pd.read_csv(folder / "reference_cells_publication.csv")
    return {
        "mini-crop": _reference(crop["X"], crop["Y"], crop["Phenotype"]),
        "publication": _reference(whole["x_crop"], whole["y_crop"], whole["Phenotype"]),
    }


def analyse(
    folder: Path, out: Path, **sections: dict[str, Any]
) -> tuple[pd.DataFrame, NDArray[np.integer[Any]]]:
    """Run everything on the field; return its cells and their labels."""
    given = {"ingest": {"pixel_size_um": UM}} | sections
    options = override_options(Options(), given, "benchmark")
    slide = folder / "breast_b09.ome.tif"
    job = Job(Results(out), read_panel(PANEL), options, slide=slide, quiet=True)
    run_all(job)
    labels = open_label_store(job.results.labels)["cells"].levels[0]
    return pd.read_parquet(job.results.cells), np.asarray(labels)


def compare(
    cells: pd.DataFrame, labels: NDArray[np.integer[Any]], reference: pd.DataFrame
) -> dict[str, float]:
    """Cells found and extra, kappa and AUC against one reference.

    ``found`` and ``extra`` pair centroids one to one; ``inside`` is the share of the
    reference's cells that lie in one of ours, ``empty`` the share of ours without any.
    """
    rows, cols = (_places(reference)[:, ::-1] / UM).astype(int).T
    hit = labels[
        np.minimum(rows, len(labels) - 1), np.minimum(cols, len(labels[0]) - 1)
    ]
    pairs = match_positions(_places(reference), _places(cells), WITHIN_UM)
    ours, theirs = cells.iloc[pairs.found], reference.iloc[pairs.known]
    calls = {
        "CD8": ours["CD8_positive"],
        "tumour": ours["phenotype_best"] == "tumour",
        "Treg": ours["phenotype_best"] == "Treg",
    }
    figures = {"found": pairs.recall, "extra": pairs.extra}
    figures["inside"] = float((hit > 0).mean())
    figures["empty"] = 1 - np.unique(hit[hit > 0]).size / len(cells)
    for name, call in calls.items():
        if theirs[name].any():
            figures[f"kappa_{name}"] = cohen_kappa_score(theirs[name], call)
            figures[f"auc_{name}"] = roc_auc_score(theirs[name], ours[LEVELS[name]])
    return figures


def figures(folder: Path, out: Path) -> str:
    """Markdown table of the agreement with each reference, and between them."""
    tables = references(folder)
    compared = pd.DataFrame(
        {
            (variant, name): values
            for variant, sections in VARIANTS.items()
            for name, values in _agreement(folder, out, tables, sections).items()
        }
    ).T
    # The first reference knows no Treg, so that their columns came last.
    compared.insert(len(compared.columns) - 1, "conflict", compared.pop("conflict"))
    rows = [
        f"| {' | '.join(map(str, names))} | {_row(values)} |"
        for names, values in compared.iterrows()
    ]
    cells = pd.read_parquet(Results(out).cells)
    return "\n".join(
        [
            f"## Breast carcinoma field: {len(cells)} cells",
            "",
            (
                f"Found, extra: centroids paired one to one within {WITHIN_UM:g} µm. "
                "Inside: reference cells that lie in one of ours. Empty: ours with "
                "none."
            ),
            "",
            "Conflict: share of our cells with an impossible combination, %.",
            "",
            "| measured | reference | " + " | ".join(compared) + " |",
            "|---" * (len(compared.columns) + 2) + "|",
            *rows,
            "",
            f"The references against each other: κ {_between(*tables.values())}.",
        ]
    )


def _agreement(
    folder: Path,
    out: Path,
    tables: dict[str, pd.DataFrame],
    sections: dict[str, dict[str, Any]],
) -> dict[str, dict[str, float]]:
    cells, labels = analyse(folder, out, **sections)
    conflict = {"conflict": 100 * float(cells["conflict"].mean())}
    return {n: compare(cells, labels, t) | conflict for n, t in tables.items()}


def _reference(x: pd.Series, y: pd.Series, phenotype: pd.Series) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "x_um": x * UM,
            "y_um": y * UM,
            "CD8": phenotype.str.startswith("CD8"),
            "tumour": phenotype.str.startswith("TUMOR"),
            "Treg": phenotype.str.startswith("TREG"),
        }
    )


def _places(table: pd.DataFrame) -> NDArray[np.float64]:
    return table[["x_um", "y_um"]].to_numpy(float)


def _row(values: pd.Series) -> str:
    return " | ".join("" if np.isnan(v) else f"{v:.3f}" for v in values)


def _between(one: pd.DataFrame, other: pd.DataFrame) -> str:
    pairs = match_positions(_places(one), _places(other), WITHIN_UM)
    a, b = one.iloc[pairs.known], other.iloc[pairs.found]
    agreed = ", ".join(
        f"{name} {cohen_kappa_score(a[name], b[name]):.3f}"
        for name in ("CD8", "tumour")
    )
    return f"{agreed}; found {pairs.recall:.3f}, extra {pairs.extra:.3f}"
