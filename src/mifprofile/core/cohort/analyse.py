"""A study from its landscapes to its tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import pandas as pd

from mifprofile.core.cohort.answers import answers, sorted_answers
from mifprofile.core.cohort.classes import class_table
from mifprofile.core.cohort.findings import COVARIATES, PREDECLARED, as_table
from mifprofile.core.cohort.flow import biopsy_states, flow_table, table_one
from mifprofile.core.cohort.intervals import biopsy_values
from mifprofile.core.cohort.mirror import mirror
from mifprofile.core.cohort.observe import exploratory_variables, kind_of, observe
from mifprofile.core.cohort.outside import outside, placed_features
from mifprofile.core.cohort.pooling import Reading, place, pool
from mifprofile.core.cohort.questions import Asked, Values, values_of
from mifprofile.core.cohort.resistance import resistance
from mifprofile.core.cohort.sensitivity import sensitivity_rows
from mifprofile.core.statistics import adjust_families

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mifprofile.core.cohort.endpoints import Endpoint, Protocol, Scale, Variable
    from mifprofile.core.cohort.findings import Finding
    from mifprofile.core.cohort.observe import SampleResult
    from mifprofile.core.cohort.sheet import Study
    from mifprofile.core.statistics import Concordance
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
    biopsy_values : pandas.DataFrame
        Of the endpoints, a row per biopsy, with intervals.
    findings : pandas.DataFrame
        All answers, p-values corrected.
    sensitivity, states, classes, moves : pandas.DataFrame
    """

    species: str
    study: Study
    samples: Mapping[str, SampleResult]
    endpoints: tuple[Endpoint, ...]
    values: Mapping[str, Values]
    observations: pd.DataFrame
    biopsy_values: pd.DataFrame
    findings: pd.DataFrame
    sensitivity: pd.DataFrame
    states: pd.DataFrame
    classes: pd.DataFrame
    moves: pd.DataFrame


@dataclass(frozen=True)
class Analysis:
    """What a study found.

    Attributes
    ----------
    parts : tuple of Part
        One per species.
    protocol : Protocol
    options : CohortOptions
    mirror : pandas.DataFrame or None
        Effects of both species, if there are both.
    concordance : Concordance or None
    tables : dict
        Name of the file, without its suffix → table.
    """

    parts: tuple[Part, ...]
    protocol: Protocol
    options: CohortOptions
    mirror: pd.DataFrame | None = None
    concordance: Concordance | None = None
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
        If options or features name something that is not there.
    """
    endpoints = protocol.predeclared(options.regimen)
    placed = None if features is None else placed_features(features, study)
    parts = tuple(
        _part(study.of_species(one), samples, endpoints, protocol, options, placed)
        for one in study.species
    )
    both = {part.species: part for part in parts}
    table, found = None, None
    if {"human", "mouse"} <= set(both):
        human, mouse = both["human"], both["mouse"]
        studies = human.study, mouse.study
        sides = list(human.values.values()), list(mouse.values.values())
        table, found = mirror(*sides, studies, options)
    return Analysis(parts, protocol, options, table, found, _tables(parts, table))


def _part(
    study: Study,
    samples: Mapping[str, SampleResult],
    endpoints: tuple[Endpoint, ...],
    protocol: Protocol,
    options: CohortOptions,
    features: pd.DataFrame | None,
) -> Part:
    names = [s.sample_id for s in study.slides]
    mine = {n: samples[n] for n in names if n is not None and n in samples}
    primary = [asked_of(endpoint) for endpoint in endpoints]
    placed = _observations(study, mine, {a.name: a.variable for a in primary})
    reading = Reading(pseudo_cells=options.pseudo_cells)
    pooled = pool(placed, reading)
    values = {a.name: values_of(pooled, a, study, reading) for a in primary}
    classes = class_table(study, mine)
    escapes, moves = resistance(classes, study, options.baseline, options.level)
    found = chain(
        *(sorted_answers(one, study, options) for one in values.values()),
        escapes,
        () if features is None else outside(features, values, study, options),
        _explored(study, mine, protocol, endpoints, options),
    )
    return Part(
        species=study.species[0],
        study=study,
        samples=mine,
        endpoints=endpoints,
        values=values,
        observations=placed,
        biopsy_values=biopsy_values(placed, pooled, options),
        findings=_corrected(as_table(found)),
        sensitivity=sensitivity_rows(placed, values, study, options),
        states=biopsy_states(study, mine),
        classes=classes,
        moves=moves,
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
        question=endpoint.question,
        end=endpoint.end,
        endpoint=endpoint.id,
    )


def _observations(
    study: Study, samples: Mapping[str, SampleResult], variables: dict[str, Variable]
) -> pd.DataFrame:
    return place(observe(samples.values(), variables), study)


def _explored(
    study: Study,
    samples: Mapping[str, SampleResult],
    protocol: Protocol,
    endpoints: tuple[Endpoint, ...],
    options: CohortOptions,
) -> Iterator[Finding]:
    """Answers of everything that the families hold and no endpoint asks."""
    known = {endpoint.variable.name for endpoint in endpoints}
    families = protocol.families if options.exploratory else {}
    found = exploratory_variables(samples.values(), families, known)
    observations = _observations(study, samples, {n: v for n, (_, v) in found.items()})
    reading = Reading(pseudo_cells=options.pseudo_cells)
    by_name = dict(list(pool(observations, reading).groupby("variable")))
    for name, (family, variable) in found.items():
        if name not in by_name:
            continue
        asked = _exploratory(name, family, variable, options)
        values = values_of(by_name[name], asked, study, reading)
        for finding in answers(values, study, options):
            if finding.status != "NOT_COMPUTABLE":
                yield finding.secondary()


def _exploratory(
    name: str, family: str, variable: Variable, options: CohortOptions
) -> Asked:
    scale, unit = SCALES[kind_of(variable.metric)]
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


def _corrected(findings: pd.DataFrame) -> pd.DataFrame:
    """Findings with p-values corrected in their family; covariates are not tested."""
    beside = findings["family"] == COVARIATES
    tested = findings.assign(predeclared=findings["family"] == PREDECLARED)
    tested["p_value"] = tested["p_value"].mask(beside)
    done = adjust_families(tested.drop(columns=["p_adjusted", "adjustment"]))
    columns = ["p_adjusted", "adjustment", "n_tests"]
    return findings.drop(columns=columns[:2]).join(done[columns])


def _tables(
    parts: tuple[Part, ...], mirrored: pd.DataFrame | None
) -> dict[str, pd.DataFrame]:
    """Every table that is written, by the name of its file."""

    def of(table: Callable[[Part], pd.DataFrame]) -> pd.DataFrame:
        rows = [table(part).assign(species=part.species) for part in parts]
        return pd.concat([r for r in rows if len(r)] or rows, ignore_index=True)

    findings = of(lambda part: part.findings)
    predeclared = findings["endpoint"] != ""
    tables = {
        "flow": of(lambda part: flow_table(part.states)),
        "table_one": of(lambda part: table_one(part.study, part.states)),
        "biopsies": of(lambda part: part.states),
        "observations": of(lambda part: part.observations),
        "biopsy_values": of(lambda part: part.biopsy_values),
        "patients": of(patient_table),
        "endpoints": findings[predeclared],
        "exploratory": findings[~predeclared],
        "survival": findings[findings["question"] == "survival"],
        "sensitivity": of(lambda part: part.sensitivity),
        "classes": of(lambda part: part.classes),
        "transitions": of(lambda part: part.moves),
    }
    return tables if mirrored is None else tables | {"concordance": mirrored}


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
