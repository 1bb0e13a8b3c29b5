"""How often statistics of a cohort hold what is true, and how many pairs they take."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from mifprofile.core.statistics import (
    CountModel,
    Estimate,
    arm_effect,
    beta_binomial,
    cox,
    lognormal_mixed,
    negative_binomial,
    pair_times,
    paired_change,
    pairs_needed,
    pool_slides,
    variance_parts,
)
from mifprofile.synthetic.trial import (
    BASELINE,
    ON_TREATMENT,
    SyntheticTrial,
    TrialOptions,
    synthetic_trial,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUNS = 500
# The models of all fields are slower, and are fitted to the first trials only.
MODEL_RUNS = 200
TIMES = (BASELINE, ON_TREATMENT)
NULL = {"control": 0.0, "treated": 0.0}
COVERAGE = (
    "{runs} synthetic trials a line, the first {models} for mixed and negative "
    "binomial models: how often a nominal 95 % interval holds the planted effect, mean "
    "estimate less truth, how often p ≤ 0.05, and trials whose answer was refused in "
    "words. The Monte Carlo error of a coverage is 0.01 (0.015)."
)
CLAIMS = (
    "{runs} trials without any effect: 12 patients an arm, 2 biopsies of 5 slides and "
    "10 fields each, cells that aggregate, biopsies of a patient stained apart. How "
    "often p ≤ 0.05 by what is taken for a replicate:"
)
POWER = (
    "Pairs for 80 % power of the signed-rank test at 0.05, 1000 simulated trials a "
    "figure. Aggregation is the variance that clustering adds to a field's relative "
    "density; in brackets, by how much it multiplies the variance of a count."
)


class Answer(NamedTuple):
    """What a statistic found of a trial, and what is true."""

    found: Estimate
    truth: float


def figures(skeleton: Path, runs: int = RUNS) -> str:
    """Coverage, false positives and power, as tables."""
    read = pd.read_csv(skeleton) if skeleton.is_file() else None
    return "\n".join([*_coverage(read, runs), *_claims(runs), *_power(), *_parts()])


def effects(trial: SyntheticTrial, options: TrialOptions) -> dict[str, Answer]:
    """The main statistics of the planted effects of a trial."""
    fields = trial.fields.query("phenotype == 'CD8'")
    *others, last = options.changes
    pairs = _pairs(fields[fields["arm"] == last])
    change = paired_change(pairs["n_num"], pairs["area_mm2"])
    who = trial.patients
    hazard = cox(who["pfs_days"], who["pfs_event"], who["log2_level"], "CD8")
    # A ratio is judged by its logarithm.
    log_hazard = replace(
        hazard, **{n: np.log(getattr(hazard, n)) for n in ("estimate", "low", "high")}
    )
    found = {
        "paired change": Answer(change, options.changes[last]),
        "log hazard per doubling": Answer(log_hazard, options.log_hazard_of_baseline),
    }
    if others:
        difference = options.changes[last] - options.changes[others[0]]
        found["arms, covariance"] = Answer(_arms(fields, last), difference)
    return found


def models(trial: SyntheticTrial, options: TrialOptions) -> dict[str, Answer]:
    """The models of all fields, for the same effects."""
    fields = trial.fields.query("phenotype == 'CD8'")
    *others, last = options.changes
    treated, change = fields[fields["arm"] == last], options.changes[last]
    # The mean of a log-normal change is above its median.
    mean = options.counts.between_changes**2 * np.log(2) / 2
    counts = negative_binomial(treated, *TIMES, "CD8")
    found = {
        "log-normal mixed": Answer(lognormal_mixed(treated, *TIMES, "CD8"), change),
        "negative binomial": Answer(counts, change + mean),
    }
    if others:
        difference = change - options.changes[others[0]]
        mixed = lognormal_mixed(fields, *TIMES, "CD8", reference=others[0])
        found["arms, log-normal mixed"] = Answer(mixed, difference)
    return found


def claims(trial: SyntheticTrial) -> dict[str, float]:
    """P-values of arms and of a change, by what is taken for a replicate."""
    fields = trial.fields.query("phenotype == 'CD8'")
    treated = fields[fields["arm"] == "treated"]
    later = fields[fields["timepoint"] == ON_TREATMENT]
    slides = later.groupby(["slide_id", "patient_id", "arm"], as_index=False)
    patients = later.groupby(["patient_id", "arm"], as_index=False)
    sums = ["n_num", "n_den", "area_mm2"]
    pairs = _pairs(treated)
    change = paired_change(pairs["n_num"], pairs["area_mm2"])
    return {
        "arms on treatment: cells (χ²)": _cells(later, "arm"),
        "arms on treatment: fields (Mann–Whitney)": _ranks(later),
        "arms on treatment: slides (Mann–Whitney)": _ranks(slides[sums].sum()),
        "arms on treatment: patients (Mann–Whitney)": _ranks(patients[sums].sum()),
        "arms, change: patients (covariance)": _arms(fields, "treated").p_value,
        "change: cells (χ²)": _cells(treated, "timepoint"),
        "change: fields (signed rank)": _field_pairs(treated),
        "change: patients (signed rank)": change.p_value,
    }


def model_claims(trial: SyntheticTrial) -> dict[str, float]:
    """P-values of a change by the models of all fields, patients as replicates."""
    treated = trial.fields.query("phenotype == 'CD8' and arm == 'treated'")
    found = {
        "log-normal mixed": lognormal_mixed(treated, *TIMES, "CD8"),
        "negative binomial": negative_binomial(treated, *TIMES, "CD8"),
        "beta-binomial": beta_binomial(treated, *TIMES, "CD8"),
    }
    return {f"change: patients ({name})": e.p_value for name, e in found.items()}


def designs(skeleton: pd.DataFrame | None) -> Iterator[tuple[str, TrialOptions, bool]]:
    """Name and options of the trials, and whether they are on the skeleton."""
    one = {"treated": 1.0}
    yield "balanced, 2 × 12 patients, 3 fields", TrialOptions(lost=0.05), False
    yield "balanced, 2 × 20, 2 slides", TrialOptions(20, slides_per_biopsy=2), False
    if skeleton is not None:
        yield "skeleton, one arm, 15 pairs", TrialOptions(changes=one), True
        yield "skeleton, two arms", TrialOptions(), True
    yield (
        "progression by own change",
        TrialOptions(24, log_hazard_of_change=-0.5, median_pfs_days=60.0, changes=one),
        False,
    )


def _coverage(skeleton: pd.DataFrame | None, runs: int) -> list[str]:
    lines = [
        "## Cohorts: planted effects",
        "",
        COVERAGE.format(runs=runs, models=min(runs, MODEL_RUNS)),
        "",
        "| trial | statistic | coverage | bias | p ≤ 0.05 | refused |",
        "|---|---|---|---|---|---|",
    ]
    for name, options, real in designs(skeleton):
        answers: dict[str, list[Answer]] = {}
        for seed in range(runs):
            drawn = skeleton if real else None
            trial = synthetic_trial(options, skeleton=drawn, seed=seed)
            found = effects(trial, options)
            found |= models(trial, options) if seed < MODEL_RUNS else {}
            for statistic, answer in found.items():
                answers.setdefault(statistic, []).append(answer)
        lines += [f"| {name} | {what} | {_row(a)} |" for what, a in answers.items()]
    return [*lines, ""]


def _row(mine: list[Answer]) -> str:
    given = [(f, truth) for f, truth in mine if not f.reason]
    covered = np.mean([f.low <= truth <= f.high for f, truth in given])
    bias = np.mean([f.estimate - truth for f, truth in given])
    claimed = np.mean([f.p_value <= 0.05 for f, _ in given])
    refused = len(mine) - len(given)
    return f"{covered:.3f} | {bias:+.3f} | {claimed:.3f} | {refused}"


def _claims(runs: int) -> list[str]:
    options = TrialOptions(
        12, n_fields=10, slides_per_biopsy=5, changes=NULL, same_batch=False
    )
    trials = (synthetic_trial(options, seed=seed) for seed in range(runs))
    found = pd.DataFrame([claims(trial) | model_claims(trial) for trial in trials])
    shares = (found <= 0.05).mean()
    lines = [
        "## Cohorts: no effect, heavy pseudoreplication",
        "",
        CLAIMS.format(runs=runs),
        "",
        "| replicate | claimed |",
        "|---|---|",
    ]
    return [
        *lines,
        *(f"| {name} | {share:.3f} |" for name, share in shares.items()),
        "",
    ]


def _power() -> list[str]:
    lines = [
        "## Cohorts: pairs needed",
        "",
        POWER,
        "",
        "| fold change | aggregation | 1 field | 2 fields | 4 fields | 8 fields |",
        "|---|---|---|---|---|---|",
    ]
    for fold in (1.5, 2.0):
        for aggregation in (0.0, 0.4, 1.5):
            model = CountModel(aggregation=aggregation)
            found = [pairs_needed(n, fold, model=model) for n in (1, 2, 4, 8)]
            needed = [f"> {p.n_pairs}" if p.reason else f"{p.n_pairs}" for p in found]
            name = f"{aggregation:g} ({model.design_effect:.0f} ×)"
            lines.append(f"| {fold:g} | {name} | {' | '.join(needed)} |")
    return [*lines, ""]


def _parts() -> list[str]:
    table = variance_parts([1, 2, 4, 8])
    lines = [
        "Where the variance of a patient's log₂ change comes from (aggregation 0.4):",
        "",
        f"| {' | '.join(table.columns)} |",
        "|" + "---|" * len(table.columns),
    ]
    rows = table.round(2).to_numpy().tolist()
    return [*lines, *("| " + " | ".join(f"{x:g}" for x in row) + " |" for row in rows)]


def _pairs(fields: pd.DataFrame) -> pd.DataFrame:
    return pair_times(pool_slides(fields), *TIMES)


def _arms(fields: pd.DataFrame, treated: str) -> Estimate:
    pairs = _pairs(fields)
    log2 = np.log2((pairs["n_num"] + 0.5) / pairs["area_mm2"])
    arm = fields.groupby("patient_id")["arm"].first().reindex(pairs.index)
    return arm_effect(log2[BASELINE], log2[ON_TREATMENT], arm == treated, "CD8")


def _cells(fields: pd.DataFrame, by: str) -> float:
    sums = fields.groupby(by)[["n_num", "n_den"]].sum()
    table = np.column_stack([sums["n_num"], sums["n_den"] - sums["n_num"]])
    return float(stats.chi2_contingency(table).pvalue)


def _ranks(rows: pd.DataFrame) -> float:
    density, treated = rows["n_num"] / rows["area_mm2"], rows["arm"] == "treated"
    kinds = density[treated], density[~treated]
    return float(stats.mannwhitneyu(*kinds, method="asymptotic").pvalue)


def _field_pairs(fields: pd.DataFrame) -> float:
    """Fields of a patient's biopsies put side by side as they come."""
    keys = ["patient_id", "field"]
    wide = fields.pivot(index=keys, columns="timepoint", values="n_num").dropna()
    change = np.log2(wide[ON_TREATMENT] + 0.5) - np.log2(wide[BASELINE] + 0.5)
    return float(stats.wilcoxon(change, method="asymptotic").pvalue)
