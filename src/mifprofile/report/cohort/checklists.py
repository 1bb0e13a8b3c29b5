"""REMARK and STORMI: what this report answers, and what the authors must add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mifprofile.core.cohort.analyse import Analysis, Part

AUTHORS = "for the authors"


@dataclass(frozen=True)
class Item:
    """An item of a checklist, and where it is answered."""

    number: str
    text: str
    answer: str


def checklists(
    analysis: Analysis, software: Mapping[str, str]
) -> dict[str, tuple[Item, ...]]:
    """Checklists by their name."""
    return {
        "REMARK (McShane et al. 2005; Altman et al. 2012)": remark(analysis),
        "Staining and image analysis, after STORMI": stormi(analysis, software),
    }


def remark(analysis: Analysis) -> tuple[Item, ...]:
    """The twenty items of the reporting recommendations for tumour markers."""
    endpoints = ", ".join(e.title for e in analysis.parts[0].endpoints)
    answers = (
        ("Marker, objectives, hypotheses", f"endpoints and estimands: {endpoints}"),
        ("Patients: source, stage, criteria", f"table 1; criteria {AUTHORS}"),
        ("Treatments and how they were chosen", f"arms of the sheet; rest {AUTHORS}"),
        ("Specimens, storage, controls", _given(analysis, "fixation", "acquisition")),
        ("Assay, protocol, blinding", f"panel in each sample's report; {AUTHORS}"),
        ("Case selection, follow-up, matching", f"flow; swimmer; rest {AUTHORS}"),
        ("Clinical endpoints defined", _ends(analysis)),
        ("All candidate variables", "patients.csv, endpoints.csv, exploratory.csv"),
        ("Rationale of sample size", f"mifprofile cohort power; {AUTHORS}"),
        ("Statistical methods, missing data", "methods; flow with reasons"),
        ("How marker values were handled", "methods; continuous, no cut-point sought"),
        ("Flow of patients", "flow; numbers in flow.csv"),
        ("Demographics, missing counts", "table 1"),
        ("Marker against standard variables", "table 1; exploratory.csv"),
        ("Univariable effect with interval", "endpoints; survival.csv"),
        ("Multivariable effect", _adjusted(analysis)),
        ("Estimates with intervals of all in the model", _adjusted(analysis)),
        ("Further analyses, sensitivity", "sensitivity; leave-one-out range"),
        ("Interpretation, limitations", AUTHORS),
        ("Implications", AUTHORS),
    )
    return tuple(
        Item(str(i), text, answer) for i, (text, answer) in enumerate(answers, start=1)
    )


def stormi(analysis: Analysis, software: Mapping[str, str]) -> tuple[Item, ...]:
    """What can be said of tissue, staining, images and analysis by machine."""
    markers = {
        marker: f"{marker} ({spec.clone})" if spec.clone else marker
        for part in analysis.parts
        for sample in part.samples.values()
        for marker, spec in sample.panel.markers.items()
    }
    rows = (
        ("Tissue", "species", ", ".join(p.species for p in analysis.parts)),
        (
            "Tissue",
            "acquisition, fixation",
            _given(analysis, "acquisition", "fixation"),
        ),
        ("Tissue", "section thickness", _given(analysis, "section_um")),
        ("Tissue", "sites, lesions", _given(analysis, "biopsy_site", "lesion_id")),
        ("Staining", "markers (clones)", ", ".join(markers.values())),
        ("Staining", "lots, dilutions, order, controls", AUTHORS),
        ("Staining", "batches", _given(analysis, "batch")),
        ("Imaging", "scanner", _given(analysis, "scanner")),
        ("Imaging", "pixel size, channels", "provenance.json of each sample"),
        ("Analysis", "software", ", ".join(f"{k} {v}" for k, v in software.items())),
        ("Analysis", "segmentation, gates", "report.html and gates.csv of each sample"),
        (
            "Analysis",
            "quality and exclusions",
            "flow; what did not enter, with reasons",
        ),
        ("Analysis", "unit of analysis", "patient, or mouse within its cage"),
        ("Data", "tables", "every figure's numbers as CSV beside it"),
    )
    return tuple(Item(topic, text, answer) for topic, text, answer in rows)


def _given(analysis: Analysis, *fields: str) -> str:
    """How often the sheet gives some columns."""
    rows = [s for part in analysis.parts for s in part.study.slides]
    said = []
    for name in fields:
        values = {getattr(row, name) for row in rows} - {None}
        count = sum(getattr(row, name) is not None for row in rows)
        label = name.replace("_", " ")
        known = (
            f"{len(values)} kinds"
            if len(values) > 4
            else ", ".join(sorted(map(str, values)))
        )
        said.append(
            f"{label}: {known} (given for {count} of {len(rows)})"
            if count
            else f"{label}: not in the sheet, {AUTHORS}"
        )
    return "; ".join(said)


def _ends(analysis: Analysis) -> str:
    def has(part: Part, end: str) -> bool:
        return any(p.survival(end) for p in part.study.patients.values())

    ends = [e for e in ("pfs", "os") if any(has(p, e) for p in analysis.parts)]
    given = ", ".join(ends) or "none in the sheet"
    return f"response by RECIST; survival: {given}; definitions {AUTHORS}"


def _adjusted(analysis: Analysis) -> str:
    names = ", ".join(analysis.options.adjust)
    if names:
        return f"survival adjusted for {names}; survival.csv"
    return "no covariate was asked for (cohort.adjust)"
