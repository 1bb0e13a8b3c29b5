"""A study from its landscapes to its tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import pandas as pd

from mifprofile.core.study import questions
from mifprofile.core.study.classes import class_table
from mifprofile.core.study.correction import PREDECLARED, corrected
from mifprofile.core.study.findings import as_table
from mifprofile.core.study.flow import biopsy_states, flow_table, table_one
from mifprofile.core.study.observe import exploratory_variables, kind_of, observe
from mifprofile.core.study.pooling import place, pool
from mifprofile.core.study.questions import Asked, Values, values_of
from mifprofile.core.study.sensitivity import sensitivity_rows
from mifprofile.core.study.time_to_event import survival

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mifprofile.core.study.endpoints import Endpoint, Protocol, Scale, Variable
    from mifprofile.core.study.findings import Finding
    from mifprofile.core.study.observe import SampleResult
    from mifprofile.core.study.sheet import Study
    from mifprofile.options import CohortOptions


# How exploratory variables are compared, and the unit of their changes.
SCALES: dict[str, tuple[Scale, str]] = {
    "rate": ("log2", "log2 ratio"),
    "ratio": ("log2", "log2 ratio"),
    "share": ("logit", "log2 odds ratio"),
    "mean": ("identity", "as measured"),
}


@dataclass(frozen=True)
class Part:
    """The patients, or the mice, of a study.

    Attributes
    ----------
    species : str
    study : Study
    samples : dict
        Sample → its result.
    endpoints : tuple of Endpoint
        The predeclared ones.
    values : dict
        Endpoint → its values.
    observations : pandas.DataFrame
        Of the endpoints, a row per slide.
    findings : pandas.DataFrame
        All answers, p-values corrected.
    sensitivity, states, classes : pandas.DataFrame
    """

    species: str
    study: Study
    samples: Mapping[str, SampleResult]
    endpoints: tuple[Endpoint, ...]
    values: Mapping[str, Values]
    observations: pd.DataFrame
    findings: pd.DataFrame
    sensitivity: pd.DataFrame
    states: pd.DataFrame
    classes: pd.DataFrame


@dataclass(frozen=True)
class Analysis:
    """What a study found.

    Attributes
    ----------
    parts : tuple of Part
        One per species.
    protocol : Protocol
    options : CohortOptions
    tables : dict
        Name of the file, without its suffix → table.
    """

    parts: tuple[Part, ...]
    protocol: Protocol
    options: CohortOptions
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def analyse(
    study: Study,
    samples: Mapping[str, SampleResult],
    protocol: Protocol,
    options: CohortOptions,
    features: pd.DataFrame | None = None,
) -> Analysis:
    """Answer what the protocol asks, and everything else in its families.

    Parameters
    ----------
    study : Study
    samples : mapping of str to SampleResult
        Those of the study that have results.
    protocol : Protocol
    options : CohortOptions
    features : pandas.DataFrame, optional
        From elsewhere, as `mifprofile.io.tables.read_features` has them.

    Raises
    ------
    UsageError
        If the options name a regimen, an arm or a column that is not there.
    """
    endpoints = protocol.predeclared(options.regimen)
    parts = tuple(
        _part(study.of_species(species), samples, endpoints, protocol, options)
        for species in study.species
    )
    return Analysis(parts, protocol, options, _tables(parts))


def _part(
    study: Study,
    samples: Mapping[str, SampleResult],
    endpoints: tuple[Endpoint, ...],
    protocol: Protocol,
    options: CohortOptions,
) -> Part:
    names = [s.sample_id for s in study.slides]
    mine = {n: samples[n] for n in names if n is not None and n in samples}
    primary = [asked_of(endpoint) for endpoint in endpoints]
    observations = _observations(study, mine, {a.name: a.variable for a in primary})
    pooled = pool(observations)
    values = {a.name: values_of(pooled, a, study) for a in primary}
    answers = chain(
        *(_answers(values[one.id], study, options, one) for one in endpoints),
        _explored(study, mine, protocol, endpoints, options),
    )
    return Part(
        species=study.species[0],
        study=study,
        samples=mine,
        endpoints=endpoints,
        values=values,
        observations=observations,
        findings=corrected(as_table(answers)),
        sensitivity=sensitivity_rows(observations, values, study),
        states=biopsy_states(study, mine),
        classes=class_table(study, mine),
    )


def asked_of(endpoint: Endpoint) -> Asked:
    """What is asked of a predeclared endpoint."""
    return Asked(
        name=endpoint.id,
        title=endpoint.title,
        variable=endpoint.variable,
        scale=endpoint.scale,
        unit=endpoint.unit,
        family=PREDECLARED,
        before=endpoint.before,
        after=endpoint.after,
        end=endpoint.end,
        endpoint=endpoint.id,
    )


def _observations(
    study: Study, samples: Mapping[str, SampleResult], variables: dict[str, Variable]
) -> pd.DataFrame:
    return place(observe(samples.values(), variables), study)


def _answers(
    values: Values, study: Study, options: CohortOptions, endpoint: Endpoint
) -> Iterator[Finding]:
    """All answers of an endpoint; only the primary one keeps its family."""
    primary = questions.primary_question(values.asked, study, endpoint.question)
    seen = False
    for finding in _asked(values, study, options):
        first = finding.question == primary and not seen
        seen |= first
        yield finding if first else finding.secondary()


def _asked(values: Values, study: Study, options: CohortOptions) -> Iterator[Finding]:
    yield from questions.ask(values, study, options)
    yield from survival(values, study, options)


def _explored(
    study: Study,
    samples: Mapping[str, SampleResult],
    protocol: Protocol,
    endpoints: tuple[Endpoint, ...],
    options: CohortOptions,
) -> Iterator[Finding]:
    """Answers of everything that the families hold and no endpoint asks."""
    if not options.exploratory:
        return
    known = {endpoint.variable.name for endpoint in endpoints}
    found = exploratory_variables(samples.values(), protocol.families, known)
    observations = _observations(study, samples, {n: v for n, (_, v) in found.items()})
    pooled = pool(observations)
    for name, (family, variable) in found.items():
        asked = _exploratory(name, family, variable, options)
        values = values_of(pooled[pooled["variable"] == name], asked, study)
        for finding in _asked(values, study, options):
            if finding.status != "NOT_COMPUTABLE":
                yield finding.secondary()


def _exploratory(
    name: str, family: str, variable: Variable, options: CohortOptions
) -> Asked:
    kind = kind_of(variable.metric)
    scale, unit = SCALES[kind]
    return Asked(
        name=name,
        title=name.replace("__", ", ").replace("_", " "),
        variable=variable,
        scale=scale,
        unit=unit,
        family=family,
        before=options.baseline,
        after=options.on_treatment,
    )


def _tables(parts: tuple[Part, ...]) -> dict[str, pd.DataFrame]:
    """Every table that is written, by the name of its file."""

    def joined(frames: Iterator[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
        rows = [frame.assign(species=species) for species, frame in frames]
        return pd.concat(rows, ignore_index=True)

    def of(name: str) -> pd.DataFrame:
        return joined((part.species, getattr(part, name)) for part in parts)

    findings = of("findings")
    predeclared = findings["endpoint"] != ""
    return {
        "flow": joined((p.species, flow_table(p.states)) for p in parts),
        "table_one": joined((p.species, table_one(p.study, p.states)) for p in parts),
        "biopsies": of("states"),
        "observations": of("observations"),
        "patients": joined((p.species, patient_table(p)) for p in parts),
        "endpoints": findings[predeclared],
        "exploratory": findings[~predeclared],
        "survival": findings[findings["question"] == "survival"],
        "sensitivity": of("sensitivity"),
        "classes": of("classes"),
    }


def patient_table(part: Part) -> pd.DataFrame:
    """Every value of every patient and time, and the change."""
    rows = [
        pd.DataFrame(
            {
                "patient_id": values.table.index,
                "arm": [part.study.patients[n].arm for n in values.table.index],
                "endpoint": name,
                "scale": values.asked.scale,
                **{f"value_{time}": values.table[time] for time in values.table},
                "change": values.changes,
            }
        )
        for name, values in part.values.items()
    ]
    return pd.concat(rows, ignore_index=True)
