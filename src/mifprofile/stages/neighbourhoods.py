"""``cells.parquet`` of several samples → the neighbourhoods of a cohort."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.arguments import APath, Converted, SomePaths, as_path, as_paths
from mifprofile.core.landscape import (
    TISSUE_NAMES,
    Makeup,
    makeup_table,
    neighbourhood_shares,
)
from mifprofile.core.spatial import (
    Neighbourhoods,
    assign_neighbourhoods,
    compositions,
    fit_neighbourhoods,
)
from mifprofile.errors import UsageError
from mifprofile.io.config import parse_panel, read_panel
from mifprofile.io.results import Results, write_json
from mifprofile.io.tables import read_parquet, write_table
from mifprofile.options import Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mifprofile.model import Panel

COLUMNS = ["cell_id", "x_um", "y_um", "phenotype", "region"]


@dataclass(frozen=True)
class NeighbourhoodsJob:
    """Samples whose neighbourhoods are fitted together.

    Attributes
    ----------
    folders : tuple of Path
        Finished result folders.
    out : Path
        Folder for the tables.
    panel : Path
        Their panel.
    options : Options
    """

    folders: SomePaths = Converted(as_paths)
    out: APath = Converted(as_path)
    panel: APath = Converted(as_path)
    options: Options = field(default_factory=Options)


def neighbourhoods(job: NeighbourhoodsJob) -> str:
    """Fit the neighbourhoods of all samples once, and write them; returns a summary.

    The order of the folders does not matter.
    """
    panel, options = read_panel(job.panel), job.options
    samples = _samples(job, panel)
    chosen = options.neighbourhoods
    # Samples are read twice, so that no more than one is held at a time.
    model = fit_neighbourhoods(
        (_around(_tissue_cells(one, panel), panel, options) for one in samples),
        chosen.clusters,
        max_cells=chosen.max_cells,
        seeds=chosen.seeds,
        seed=chosen.seed,
    )
    makeups, shares = zip(
        *(_assign(job, one, panel, model) for one in samples), strict=True
    )
    whole = sum(makeups[1:], makeups[0])
    write_table(makeup_table(whole, panel.categories), job.out / "neighbourhoods.csv")
    write_table(pd.concat(shares), job.out / "neighbourhood_shares.csv")
    names = [one.sample_id for one in samples]
    write_json(_record(job, panel, model, names), job.out / "neighbourhoods.json")
    return _summary(job, model)


def _samples(job: NeighbourhoodsJob, panel: Panel) -> list[Results]:
    """Result folders by the samples' names; raises UsageError or MissingError."""
    samples = {one.sample_id: one for one in map(Results, job.folders)}
    if len(samples) < len(job.folders):
        raise UsageError("two result folders have the same name, that of their sample")
    for one in samples.values():
        theirs = parse_panel(one.read_provenance()["panel"], one.provenance)
        if list(theirs.rules.items()) != list(panel.rules.items()):
            raise UsageError(
                f"{one.folder}: its cells were named by other phenotypes than those of "
                f"{job.panel}; neighbourhoods need one panel for all samples"
            )
    return [samples[name] for name in sorted(samples)]


def _tissue_cells(results: Results, panel: Panel) -> pd.DataFrame:
    """Cells on evaluable tissue, their phenotypes in the panel's order."""
    cells = read_parquet(results.cells, COLUMNS)
    unknown = set(cells["phenotype"].unique()) - set(panel.categories)
    if unknown:
        raise UsageError(
            f"{results.cells}: phenotype {min(unknown)!r} is not in the panel; "
            "run the stages again with --force"
        )
    cells = cells[cells["region"].isin(TISSUE_NAMES)].reset_index(drop=True)
    names = pd.Categorical(cells["phenotype"], panel.categories)
    return cells.assign(phenotype=names)


def _around(cells: pd.DataFrame, panel: Panel, options: Options) -> NDArray[np.float32]:
    """Compositions of the cells' windows."""
    points = cells[["x_um", "y_um"]].to_numpy(float)
    types = cells["phenotype"].cat.codes.to_numpy(np.int64)
    chosen = options.neighbourhoods
    return compositions(
        points, types, len(panel.categories), chosen.k, chosen.within_um
    )


def _assign(
    job: NeighbourhoodsJob, results: Results, panel: Panel, model: Neighbourhoods
) -> tuple[Makeup, pd.DataFrame]:
    """Write the neighbourhood of each cell of a sample; returns what they add up to."""
    cells = _tissue_cells(results, panel)
    around = _around(cells, panel, job.options)
    kind = assign_neighbourhoods(around, model)
    table = pd.DataFrame({"cell_id": cells["cell_id"], "neighbourhood": kind + 1})
    write_table(table, job.out / f"{results.sample_id}.parquet")
    count = len(model.centres)
    least = job.options.landscape.min_parent_cells
    shares = neighbourhood_shares(
        results.sample_id, cells["region"], kind, count, least
    )
    return Makeup.of(around, kind, count), shares


def _record(
    job: NeighbourhoodsJob, panel: Panel, model: Neighbourhoods, names: Sequence[str]
) -> dict[str, Any]:
    """What was fitted, and how."""
    return {
        "version": version("mifprofile"),
        "options": job.options.neighbourhoods.model_dump(mode="json"),
        "panel": panel.name,
        "phenotypes": list(panel.categories),
        "cells_fitted": dict(zip(names, model.cells, strict=True)),
        "silhouette": _or_none(model.silhouette),
        "seed_ari": _or_none(model.seed_ari),
        "centres": model.centres.tolist(),
    }


def _or_none(value: float) -> float | None:
    """JSON has no NaN."""
    return None if np.isnan(value) else value


def _summary(job: NeighbourhoodsJob, model: Neighbourhoods) -> str:
    return (
        f"{job.out}: {len(model.centres)} neighbourhoods, fitted on {sum(model.cells)} "
        f"cells of {len(model.cells)} samples; silhouette {model.silhouette:.2f}, "
        f"adjusted Rand index between seeds {model.seed_ari:.2f}"
    )
