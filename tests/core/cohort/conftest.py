"""A study small enough to be read: one row of landscape per sample."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import pandas as pd
import pytest

from mifprofile.core.cohort.analyse import Analysis, analyse
from mifprofile.core.cohort.endpoints import Protocol
from mifprofile.core.cohort.observe import SampleResult
from mifprofile.core.cohort.sheet import parse_study
from mifprofile.core.landscape import COLUMNS, Row
from mifprofile.model import Panel
from mifprofile.options import CohortOptions

PANEL = Panel.model_validate(
    {
        "name": "small",
        "species": "human",
        "nucleus": "DAPI",
        "markers": {
            "CD8": {"channel": "CD8", "measure": "membrane"},
            "CK": {"channel": "CK", "measure": "cytoplasm"},
        },
        "phenotypes": {"CTL": "CD8+/CK-", "tumour": "CK+/CD8-"},
        "tumour": "tumour",
    }
)
PROTOCOL = Protocol.model_validate(
    {
        "endpoints": [
            {
                "id": "cd8",
                "title": "CD8+ cells",
                "variable": {
                    "metric": "density",
                    "region": "tissue",
                    "phenotype": "CD8+",
                },
                "estimand": {
                    "population": "all",
                    "treatment": "as started",
                    "intercurrent_events": "none",
                    "summary": "Hodges-Lehmann",
                },
            }
        ],
        "regimens": {"core": ["cd8"]},
    }
)


def landscape(count: float, area_mm2: float = 1.0, **more: object) -> pd.DataFrame:
    """Landscape of one density of CD8+ cells."""
    row = Row(
        "s",
        "tissue",
        "CTL",
        "",
        "density",
        "",
        count / area_mm2,
        "cells/mm2",
        n_num=count,
        area_mm2=area_mm2,
    )
    table = pd.DataFrame([asdict(row)], columns=list(COLUMNS))
    return table.assign(**more)


@dataclass
class Cohort:
    """Rows of a sheet and results, added one by one."""

    rows: list[dict[str, str]] = field(default_factory=list)
    samples: dict[str, SampleResult] = field(default_factory=dict)

    def add(
        self,
        patient: str,
        timepoint: str,
        count: float | None,
        *,
        area_mm2: float = 1.0,
        verdict: str = "pass",
        more: dict[str, object] | None = None,
        **columns: str,
    ) -> None:
        """Add a slide, or a biopsy that is missing if there is no count."""
        name = "" if count is None else f"{patient}_{timepoint}_{len(self.rows)}"
        known = {"patient_id": patient, "timepoint": timepoint, "sample_id": name}
        self.rows.append(known | columns)
        if count is not None:
            table = landscape(count, area_mm2, **(more or {}))
            reasons = ("out of focus",) if verdict == "fail" else ()
            found = SampleResult(name, table, PANEL, verdict, reasons)
            self.samples[name] = found

    def pairs(self, before: list[float], after: list[float], **columns: str) -> None:
        """Add a patient per pair of counts."""
        first = len({row["patient_id"] for row in self.rows})
        for i, counts in enumerate(zip(before, after, strict=True), start=first):
            for time, count in zip(("baseline", "on_tx"), counts, strict=True):
                self.add(f"P{i}", time, count, **columns)

    def analyse(self, **options: object) -> Analysis:
        """Ask the cohort."""
        names = dict.fromkeys(name for row in self.rows for name in row)
        start = {"species": "human", "arm": "A", "missing_reason": ""}
        filled = [{**start, **dict.fromkeys(names, ""), **row} for row in self.rows]
        filled = [
            row | {k: row[k] or start[k] for k in ("species", "arm")} for row in filled
        ]
        study = parse_study(enumerate(filled, start=2), "sheet")
        chosen = CohortOptions.model_validate(options)
        return analyse(study, self.samples, PROTOCOL, chosen)


@pytest.fixture
def cohort() -> Cohort:
    """An empty cohort."""
    return Cohort()
