"""The methods paragraph, written from what was run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mifprofile.core.cohort.findings import PREDECLARED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from mifprofile.core.cohort.analyse import Analysis, Part

QUESTIONS = {
    "change": "Changes between two biopsies of a patient",
    "arms": "Arms",
    "response": "Responders and the others",
    "odds": "The odds of a response",
    "survival": "Survival",
}


def methods(analysis: Analysis, software: Mapping[str, str]) -> list[str]:
    """Paragraphs for the methods section of a paper."""
    return [
        *(_patients(part) for part in analysis.parts),
        _values(analysis),
        *_tests(analysis),
        _families(analysis),
        _software(software, analysis),
    ]


def _patients(part: Part) -> str:
    people = "patients" if part.species == "human" else "mice"
    good = part.states[part.states["kind"] == "evaluable"]
    at = good["timepoint"].value_counts()
    counts = [f"{at.get(time, 0)} at {time}" for time in part.study.timepoints]
    return (
        f"The sheet lists {len(part.study.patients)} {people} in "
        f"{len(part.study.arms)} arm{'s' if len(part.study.arms) > 1 else ''} "
        f"({', '.join(part.study.arms)}). Evaluable biopsies were had of "
        f"{', '.join(counts)}, on {len(part.samples)} slides or fields."
    )


def _values(analysis: Analysis) -> str:
    half = analysis.options.pseudo_cells
    return (
        "The patient is the unit of every test. Counts and areas were summed over the "
        "slides and fields of a lesion before anything was divided; of several lesions "
        f"the one biopsied at most times was taken. {_scales(analysis)} "
        f"{half:g} cells were added to each count. A value whose gate is undecided, of "
        "a sample that failed quality, or without enough cells or area did not enter; "
        "values of graded gates entered, and were read again with counts corrected for "
        "the gates' errors."
    )


def _scales(analysis: Analysis) -> str:
    """On which scale each predeclared variable was compared."""
    words = {"log2": "as log2", "logit": "as log2 odds", "identity": "as they are"}
    by_scale: dict[str, list[str]] = {}
    for endpoint in analysis.parts[0].endpoints:
        by_scale.setdefault(endpoint.scale, []).append(endpoint.title)
    said = [f"{', '.join(names)} {words[scale]}" for scale, names in by_scale.items()]
    return f"Compared were {'; '.join(said)}."


def _tests(analysis: Analysis) -> Iterator[str]:
    """A sentence per question, naming the tests that gave a number."""
    for question, words in QUESTIONS.items():
        names = dict.fromkeys(
            test for part in analysis.parts for test in _used(part.findings, question)
        )
        if names:
            yield f"{words}: {'; '.join(names)}."


def _used(findings: pd.DataFrame, question: str) -> list[str]:
    mine = findings[(findings["question"] == question) & (findings["endpoint"] != "")]
    return [str(test) for test in mine.loc[mine["estimate"].notna(), "test"].unique()]


def _families(analysis: Analysis) -> str:
    chosen = analysis.protocol.regimens[analysis.options.regimen]
    findings = [part.findings for part in analysis.parts]
    families = {
        str(family)
        for table in findings
        for family in table["family"]
        if family != PREDECLARED
    }
    options, percent = analysis.options, f"{100 * analysis.options.level:g} %"
    return (
        f"Predeclared in the regimen {options.regimen!r}: {len(chosen)}; their p is "
        "adjusted by Holm in each species. Everything else is exploratory, adjusted by "
        f"Benjamini and Hochberg in {len(families)} families. Intervals cover "
        f"{percent}. No cut-point was sought: groups for survival curves are split at "
        "the median."
    )


def _software(software: Mapping[str, str], analysis: Analysis) -> str:
    names = ", ".join(f"{name} {version}" for name, version in software.items())
    return f"Software: {names}; random seed {analysis.options.seed}."
