"""``measurements.parquet`` and gates → ``phenotypes.parquet`` and ``gates.csv``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.core import phenotype as core
from mifprofile.core.quality import EVALUABLE, flag_cells
from mifprofile.errors import UsageError
from mifprofile.io.tables import read_gates, read_parquet, write_table
from mifprofile.model import nearest
from mifprofile.stages.quality import read_exclusion_masks

if TYPE_CHECKING:
    from mifprofile.stages.job import Job


def phenotype(job: Job) -> dict[str, Any]:
    """Gate every marker, by hand where a table says so, and name every cell."""
    table = read_parquet(job.results.measurements)
    levels = core.marker_levels(table, job.panel)
    flags = flag_cells(table, *read_exclusion_masks(job.results))
    evaluable = flags[EVALUABLE]
    gates = make_gates(job, levels[evaluable])
    thresholds = dict(zip(gates["marker"], gates["threshold"], strict=True))
    positive = core.call_positive(levels, thresholds)
    names = core.call_phenotypes(positive, job.panel)
    sure = core.confidence(levels, thresholds, names, job.panel)
    conflict = core.call_conflicts(positive, job.panel)
    parts = [table[["cell_id"]], positive, names, sure, conflict, flags]
    calls = pd.concat(parts, axis=1)
    write_table(gates, job.results.gates)
    write_table(calls, job.results.phenotypes)
    rates = core.impossible_rates(positive[evaluable], job.panel)
    return {
        "cells": {str(k): int(v) for k, v in names.value_counts(sort=False).items()},
        "evaluable": int(evaluable.sum()),
        "impossible": rates.replace({np.nan: None}).to_dict("records"),
    }


def make_gates(job: Job, levels: pd.DataFrame) -> pd.DataFrame:
    """One gate per marker of the panel with its figures: the rows of ``gates.csv``."""
    by_hand = _gates_by_hand(job)
    rows = [
        by_hand[marker]
        if marker in by_hand
        else _automatic(job, marker, levels[marker])
        for marker in job.panel.markers
    ]
    figures = [
        core.gate_figures(levels[row["marker"]].to_numpy(), row["threshold"])
        for row in rows
    ]
    columns = [*core.GATE_COLUMNS, *core.GATE_FIGURES]
    pairs = zip(rows, figures, strict=True)
    return pd.DataFrame([row | more for row, more in pairs], columns=columns)


def _gates_by_hand(job: Job) -> dict[str, dict[str, Any]]:
    if job.gates is None:
        return {}
    table = read_gates(job.gates, job.results.sample_id)
    for marker in table["marker"]:
        if marker not in job.panel.markers:
            raise UsageError(
                f"{job.gates}: no marker {marker!r} in panel {job.panel.name}"
                f"{nearest(str(marker), job.panel.markers)}"
            )
    table = table.assign(
        sample=job.results.sample_id,
        method=table["method"].fillna("manual"),
        scope=table["scope"].fillna("slide"),
        note=table["note"].fillna(""),
    )
    return {str(row["marker"]): row for row in table.to_dict("records")}


def _automatic(job: Job, marker: str, levels: pd.Series) -> dict[str, Any]:
    options = job.options.phenotype
    gate = core.fit_gate(
        levels.to_numpy(float),
        min_cells=options.min_cells,
        min_separation_sd=options.min_separation_sd,
        min_share=options.min_share,
        max_share=options.max_share,
        seed=options.seed,
    )
    return {
        "sample": job.results.sample_id,
        "marker": marker,
        "threshold": gate.threshold,
        "method": "gmm",
        "scope": "slide",
        "note": gate.note,
    }
