"""The page of a cohort."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FunctionLoader, StrictUndefined

from mifprofile.core.cohort.findings import PREDECLARED
from mifprofile.report import wording
from mifprofile.report.cohort import changes, checklists, courses
from mifprofile.report.cohort.methods import methods
from mifprofile.report.cohort.species import mirrored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from mifprofile.core.cohort.analyse import Analysis, Part
    from mifprofile.report.cohort.drawing import Drawing

FIRST_OF_FAMILY = 5


@dataclass(frozen=True)
class CohortContent:
    """What the page tells.

    Attributes
    ----------
    title : str
    analysis : Analysis
    drawings : dict
        Name → figure, as from `drawings_of`.
    software : dict
        Package → version.
    inputs : dict
        File → what tells it from others.
    """

    title: str
    analysis: Analysis
    drawings: Mapping[str, Drawing]
    software: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def drawings_of(analysis: Analysis) -> dict[str, Drawing]:
    """All figures, by name."""
    found = {d.name: d for part in analysis.parts for d in _drawings(part)}
    if analysis.mirror is not None:
        found["concordance"] = mirrored(analysis.mirror)
    return found


def render_cohort(content: CohortContent) -> str:
    """Write the page, which needs no other file; the same content, the same page."""
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = wording.number
    environment.filters["p"] = p_text
    environment.filters["named"] = named
    template = environment.get_template("cohort.html.j2")
    return template.render(_context(content)) + "\n"


def p_text(value: float) -> str:
    """A p-value as journals write it."""
    if not np.isfinite(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def named(text: str) -> str:
    """A name of a column or a fact as words."""
    return str(text).replace("_", " ")


def _template(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _drawings(part: Part) -> Iterator[Drawing]:
    yield courses.flow(part)
    yield changes.forest(part)
    for values in part.values.values():
        yield changes.patients_of_endpoint(part, values)
    yield changes.heat_map(part)
    yield changes.sensitivity(part)
    yield courses.swimmer(part)
    yield from courses.survival(part)
    yield courses.classes(part)


def _context(content: CohortContent) -> dict[str, Any]:
    analysis = content.analysis
    return {
        "content": content,
        "options": analysis.options,
        "parts": [_part(part, content) for part in analysis.parts],
        "methods": methods(analysis, content.software),
        "checklists": checklists.checklists(analysis, content.software),
        "mirror": _mirror(analysis),
        "files": sorted(analysis.tables),
    }


def _mirror(analysis: Analysis) -> dict[str, Any] | None:
    """Human and mouse side by side, where there are both."""
    if analysis.mirror is None or analysis.concordance is None:
        return None
    return {"rows": _records(analysis.mirror), "found": analysis.concordance}


def _part(part: Part, content: CohortContent) -> dict[str, Any]:
    findings = part.findings
    primary = findings[findings["family"] == PREDECLARED]
    beside = findings[
        (findings["endpoint"] != "") & (findings["family"] != PREDECLARED)
    ]
    mine = {
        name.removeprefix(f"{part.species}_"): drawing
        for name, drawing in content.drawings.items()
        if name.startswith(f"{part.species}_")
    }
    return {
        "species": part.species,
        "people": courses.PEOPLE[part.species],
        "n": len(part.study.patients),
        "slides": len(part.samples),
        "endpoints": part.endpoints,
        "primary": _records(primary),
        "secondary": _records(beside),
        "families": list(_families(findings)),
        "table_one": _shown(content.analysis.tables["table_one"], part.species),
        "left_out": _left_out(part),
        "sensitivity": _records(part.sensitivity),
        "moves": _records(part.moves),
        "resistance": _records(findings[findings["question"] == "resistance"]),
        "drawings": mine,
        "survival": [d for n, d in mine.items() if n.startswith(("pfs_", "os_"))],
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _shown(table: pd.DataFrame, species: str) -> dict[str, Any]:
    """Rows of a table of one species, without columns that none of them fills."""
    mine = table[table["species"] == species].drop(columns="species")
    mine = mine.dropna(axis="columns", how="all").fillna("")
    return {"columns": list(mine.columns), "rows": mine.to_numpy().tolist()}


def _families(findings: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Exploratory families: how many were tested, and the least p-values of each."""
    explored = findings[findings["endpoint"] == ""]
    explored = explored[explored["question"] != "resistance"]
    for family, rows in explored.groupby("family", sort=False):
        tested = rows[rows["p_value"].notna()]
        yield {
            "family": family,
            "tested": len(tested),
            "found": int((tested["p_adjusted"] < 0.05).sum()),
            "rows": _records(tested.nsmallest(FIRST_OF_FAMILY, "p_value")),
        }


def _left_out(part: Part) -> list[dict[str, Any]]:
    """Values that did not enter, counted by endpoint and reason."""
    out = part.observations[~part.observations["enters"].astype(bool)]
    counts = out.groupby(["variable", "status", "reason"], sort=False).agg(
        slides=("sample_id", "size"), patients=("patient_id", "nunique")
    )
    return _records(counts.reset_index())
