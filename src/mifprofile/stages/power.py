"""How many pairs and fields a change takes → a table with its assumptions."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pandas as pd

from mifprofile.arguments import APath, Converted, as_path
from mifprofile.core.statistics import (
    CountModel,
    pairs_needed,
    power_table,
    variance_parts,
)
from mifprofile.io.atomic import atomic_output
from mifprofile.io.results import write_json

if TYPE_CHECKING:
    from mifprofile.core.statistics import Power


@dataclass(frozen=True)
class PowerJob:
    """What is planned.

    Attributes
    ----------
    out : Path
        Folder for the tables.
    fold_changes : tuple of float
    pairs, fields : tuple of int
    power : float
        How often a change is to be found.
    model : CountModel
        What is assumed of the counts.
    runs, seed : int
        Simulated trials.
    """

    out: APath = Converted(as_path)
    fold_changes: tuple[float, ...] = (1.5, 2.0, 3.0)
    pairs: tuple[int, ...] = (6, 8, 10, 12, 15, 20, 30)
    fields: tuple[int, ...] = (1, 2, 3, 5, 10)
    power: float = 0.8
    model: CountModel = field(default_factory=CountModel)
    runs: int = 1000
    seed: int = 0


def power(job: PowerJob) -> str:
    """Write tables of power and of pairs needed; returns a summary."""
    asked: dict[str, Any] = {"model": job.model, "runs": job.runs, "seed": job.seed}
    table = power_table(job.pairs, job.fields, job.fold_changes, **asked)
    needed = [
        pairs_needed(n, fold, power=job.power, **asked)
        for fold in job.fold_changes
        for n in job.fields
    ]
    tables = {
        "power": table,
        "pairs_needed": pd.DataFrame([asdict(one) for one in needed]),
        "variance": variance_parts(job.fields, model=job.model),
    }
    with atomic_output(job.out) as partial:
        partial.mkdir()
        for name, one in tables.items():
            one.to_csv(partial / f"{name}.csv", index=False)
        write_json(_assumptions(job), partial / "assumptions.json")
    said = [f"assumed: {text}" for text in job.model.assumptions().values()]
    return "\n".join([*said, *map(_line, needed), f"tables: {job.out}"])


def _line(found: Power) -> str:
    fields = "1 field" if found.n_fields == 1 else f"{found.n_fields} fields"
    pairs = found.reason or (
        f"{found.n_pairs} pairs (power {found.power:.2f}, {found.low:.2f} to "
        f"{found.high:.2f})"
    )
    return f"fold change {found.fold_change:g}, {fields} a biopsy: {pairs}"


def _assumptions(job: PowerJob) -> dict[str, Any]:
    return {
        "mifprofile": version("mifprofile"),
        "test": "two-sided Wilcoxon signed-rank test of log2 change, level 0.05",
        "model": asdict(job.model),
        "assumed": job.model.assumptions(),
        **{"power": job.power, "runs": job.runs, "seed": job.seed},
    }
