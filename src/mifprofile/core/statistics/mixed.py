"""Models of all slides or fields at once, as a check on the change of pooled pairs.

Patients who lack a time help to estimate what else is in the model. Errors are by
patient whatever the model believes of fields, with corrections for few patients.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import optimize, special

from mifprofile.core.statistics.paired import PSEUDO_CELLS, signs_of
from mifprofile.core.statistics.result import LEVEL, Estimate
from mifprofile.core.statistics.robust import Contrast, cluster_robust, full_rank
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MIN_PAIRS = 6
MIN_PAIRS_PER_ARM = 4
LEAST_AGGREGATION = 1e-3
# Logarithms of the beta-binomial's precision: from all-or-none to binomial.
PRECISIONS = (-4.0, 14.0)
TOO_FAR = 15.0
STEPS = 100
SMALLEST_SCORE = 1e-9
HALVINGS = 24
# On log₂: below this an error or an interval is rounding.
LEAST_ERROR = 1e-4
NO_VARIATION = "all patients change alike, which leaves no error to go by"


@dataclass(frozen=True, eq=False)
class _Layout:
    """Rows of a model, its design, and where the effect stands in it."""

    rows: pd.DataFrame
    design: Floats
    column: int
    nothing: Estimate
    freedom: int


def lognormal_mixed(
    table: pd.DataFrame,
    before: str,
    after: str,
    what: str,
    *,
    reference: str | None = None,
    site: str | None = None,
    pseudo_cells: float = PSEUDO_CELLS,
    level: float = LEVEL,
) -> Estimate:
    """Change of log₂ density, patients and biopsies random: log-normal mixed model.

    log₂((N + ½)/A) ~ time [× arm] [+ site] + (1 | patient) + (1 | patient : time),
    variances by REML. A random patient alone would take fields of one biopsy for
    independent readings of its time.

    Parameters
    ----------
    table : pandas.DataFrame
        ``patient_id, timepoint, n_num, area_mm2``, with ``reference`` also ``arm``: a
        row per slide or field. A row without area or with a NaN is left out.
    before, after : str
        Timepoints.
    what : str
        The value.
    reference : str, optional
        Arm to compare with: the effect is then the difference in change of the other
        arm, of which the table holds exactly one.
    site : str, optional
        Column of the biopsy site to adjust for.
    pseudo_cells : float
        Added to every row's count.
    level : float

    Raises
    ------
    UsageError
        If a column is missing, or there is not exactly one other arm.

    Notes
    -----
    Variances by MixedLM of statsmodels. Errors and degrees of freedom are CR2 with
    Satterthwaite by patient, after the estimated covariance is taken out (see
    `cluster_robust`): they hold where it is not the true one.
    """
    layout = _layout(table, before, after, what, "area_mm2", reference, site, level)
    found = replace(
        layout.nothing,
        what=f"log2 fold change of {layout.nothing.what}",
        test="log-normal mixed model, errors by patient (CR2, Satterthwaite)",
    )
    if found.reason:
        return found
    rows = layout.rows
    density = (rows["n_num"] + pseudo_cells) / rows["area_mm2"]
    outcome = np.log2(density.to_numpy(float))
    if _alike(layout, outcome):
        return replace(found, reason=NO_VARIATION)
    (patient, biopsy, row), note = _variances(layout, outcome)
    whitened = _whitened(layout, outcome, patient, biopsy, row)
    contrast = cluster_robust(*whitened, rows["patient_id"], layout.column)
    return _filled(found, contrast, note)


def negative_binomial(
    table: pd.DataFrame,
    before: str,
    after: str,
    what: str,
    *,
    reference: str | None = None,
    site: str | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Change of a density from counts with log-area offset: negative binomial GEE.

    log E[N] = log A + time [× arm] [+ site], patients as clusters, variance μ + α μ²
    with α by moments.

    Parameters
    ----------
    table, before, after, what, reference, site, level
        As for `lognormal_mixed`.
    seed : int
        Of the random signs beyond 13 patients.

    Notes
    -----
    The fold change is one of mean densities, to which dense tumours add most; that of
    `paired_change` is the typical patient's. A few dense tumours also make sandwich
    errors too small, even bias-reduced ones. P-value and limits come instead from
    flipping the sign of each patient's score, nuisance taken out (Hemerik, Goeman and
    Finos 2020, doi 10.1111/rssb.12369; a wild cluster bootstrap of the score, Kline and
    Santos 2012): the limits are the fold changes that this test does not reject.
    """
    layout = _layout(table, before, after, what, "area_mm2", reference, site, level)
    found = replace(
        layout.nothing,
        what=f"log2 fold change of mean {layout.nothing.what}",
        test="negative binomial GEE by patient, sign flips of patients' scores",
    )
    if found.reason:
        return found
    if reason := _no_counts(layout, before, after):
        return replace(found, reason=reason)
    fit, alpha = _gee(layout)
    p_of = _flipped(layout, alpha, signs_of(found.n_patients, seed))
    middle = float(fit.params[layout.column])
    low, high = (_edge(p_of, middle, side, 1 - level) for side in (-1, 1))
    if high - low < LEAST_ERROR:
        return replace(found, reason=NO_VARIATION)
    return replace(
        found,
        estimate=middle / np.log(2),
        low=low / np.log(2),
        high=high / np.log(2),
        p_value=p_of(0.0),
        reason=""
        if np.isfinite(low + high)
        else "no fold change is rejected on one side",
    )


def beta_binomial(
    table: pd.DataFrame,
    before: str,
    after: str,
    what: str,
    *,
    reference: str | None = None,
    site: str | None = None,
    level: float = LEVEL,
) -> Estimate:
    """Change of a share of cells, biopsies overdispersed: beta-binomial likelihood.

    logit E[N/M] = time [× arm] [+ site], a row per biopsy after its slides are pooled.

    Parameters
    ----------
    table : pandas.DataFrame
        As for `lognormal_mixed`, with ``n_den`` (cells of the whole) for the area.
    before, after, what, reference, site, level
        As for `lognormal_mixed`.

    Notes
    -----
    Errors by leaving out one patient after the other (jackknife), which needs no
    belief in how a patient's biopsies hang together, with Student's t of as many
    degrees of freedom as there are pairs less one for each arm.
    """
    layout = _layout(table, before, after, what, "n_den", reference, site, level)
    found = replace(
        layout.nothing,
        what=f"log2 odds ratio of {layout.nothing.what}",
        test="beta-binomial likelihood, errors by leaving out patients (jackknife)",
    )
    if found.reason:
        return found
    if reason := _no_shares(layout, before, after):
        return replace(found, reason=reason)
    patients = layout.rows["patient_id"].to_numpy()
    whole = _beta_binomial_effect(layout, np.ones(len(patients), bool))
    names = np.unique(patients)
    others = [_beta_binomial_effect(layout, patients != name) for name in names]
    spread = np.square(np.array(others) - whole).sum()
    error = float(np.sqrt(spread * (len(names) - 1) / len(names)))
    if not np.isfinite(error) or max(map(abs, [whole, *others])) > TOO_FAR:
        alone = "without one of the patients the share of a time is 0 or 1"
        return replace(found, reason=alone)
    return _filled(found, Contrast(whole, error, layout.freedom), "")


def _layout(
    table: pd.DataFrame,
    before: str,
    after: str,
    what: str,
    size: str,
    reference: str | None,
    site: str | None,
    level: float,
) -> _Layout:
    """Rows that can be used, and the model's design."""
    beside = [] if site is None else [site]
    needed = ["patient_id", "timepoint", "n_num", size, *beside]
    needed += [] if reference is None else ["arm"]
    lacking = [name for name in needed if name not in table]
    if lacking:
        raise UsageError(f"mixed model: no column {', '.join(lacking)}")
    asked = table[table["timepoint"].isin([before, after])]
    seen = asked[asked[["n_num", size]].notna().all(axis=1) & (asked[size] > 0)]
    rows = seen[needed].assign(after=(seen["timepoint"] == after).astype(float))
    if size == "n_den":
        keys = [n for n in rows if n not in {"n_num", size}]
        rows = rows.groupby(keys, as_index=False)[["n_num", size]].sum()
    rows = rows.sort_values(["patient_id", "after"], kind="stable").reset_index(
        drop=True
    )
    effect, design = _design(rows, reference, site, asked)
    paired = rows.groupby("patient_id")["after"].nunique() == 2
    pairs = paired.index[paired]
    nothing = Estimate(
        what=f"{what}, {effect}" if effect else what,
        test="",
        n_patients=rows["patient_id"].nunique(),
        n_pairs=len(pairs),
        n_missing=asked["patient_id"].nunique() - len(pairs),
        level=level,
        reason=_why_not(rows[rows["patient_id"].isin(pairs)], reference, design),
    )
    column, arms = (1, 1) if reference is None else (3, 2)
    return _Layout(rows, design, column, nothing, len(pairs) - arms)


def _design(
    rows: pd.DataFrame, reference: str | None, site: str | None, asked: pd.DataFrame
) -> tuple[str, Floats]:
    """What the effect is of, and mean, time, arm, arm × time and sites."""
    columns, effect = {"mean": 1.0, "after": rows["after"]}, ""
    if reference is not None:
        others = sorted(set(asked["arm"]) - {reference})
        if len(others) != 1:
            listed = ", ".join(others) or "none"
            raise UsageError(
                f"mixed model: give one arm beside {reference}, not {listed}"
            )
        treated = (rows["arm"] != reference).astype(float)
        columns |= {"arm": treated, "both": treated * rows["after"]}
        effect = f"{others[0]} against {reference}"
    design = pd.DataFrame(columns, index=rows.index)
    if site is not None:
        kinds = pd.get_dummies(rows[site], prefix="site", drop_first=True, dtype=float)
        design = design.join(kinds)
    return effect, design.to_numpy(float)


def _why_not(paired: pd.DataFrame, reference: str | None, design: Floats) -> str:
    pairs = paired["patient_id"].nunique()
    if pairs < MIN_PAIRS:
        return f"{pairs} patients with both times; this model takes {MIN_PAIRS}"
    if reference is not None:
        own = paired.groupby(paired["arm"] == reference)["patient_id"].nunique()
        least = int(own.reindex([True, False], fill_value=0).min())
        if least < MIN_PAIRS_PER_ARM:
            return f"an arm has {least} pairs; this model takes {MIN_PAIRS_PER_ARM}"
    told = full_rank(design)
    return "" if told else "time, arm and site cannot be told apart"


def _filled(found: Estimate, contrast: Contrast, note: str) -> Estimate:
    if contrast.error < LEAST_ERROR:
        return replace(found, reason=NO_VARIATION)
    low, high = contrast.limits(found.level)
    return replace(
        found,
        estimate=contrast.estimate,
        low=low,
        high=high,
        p_value=contrast.p_value,
        note=note,
    )


def _alike(layout: _Layout, outcome: Floats) -> bool:
    """Whether nothing is left once every patient has a level of his own."""
    own = pd.get_dummies(layout.rows["patient_id"], dtype=float).to_numpy()
    model = np.column_stack([layout.design, own])
    rest = outcome - model @ np.linalg.lstsq(model, outcome)[0]
    return bool(np.abs(rest).max() < LEAST_ERROR)


def _variances(layout: _Layout, outcome: Floats) -> tuple[tuple[float, ...], str]:
    """Variance between patients, biopsies and rows by REML, and a note."""
    from statsmodels.regression.mixed_linear_model import MixedLM
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    rows = layout.rows.assign(outcome=outcome)
    names = [f"x{nth}" for nth in range(layout.design.shape[1])]
    rows[names] = layout.design
    several = rows.groupby(["patient_id", "after"]).size().max() > 1
    with warnings.catch_warnings():
        # A variance of 0 lies on the boundary; the errors do not rest on it.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Random effects covariance is singular")
        fit = MixedLM.from_formula(
            f"outcome ~ 0 + {' + '.join(names)}",
            rows,
            groups="patient_id",
            re_formula="1",
            vc_formula={"biopsy": "0 + C(after)"} if several else None,
        ).fit(reml=True)
    biopsy = float(fit.vcomp[0]) if several else 0.0
    found = float(np.asarray(fit.cov_re)[0, 0]), biopsy, float(fit.scale)
    unsure = (
        "the variances between patients and biopsies did not converge; they weight the "
        "rows only"
    )
    return found, "" if fit.converged else unsure


def _whitened(
    layout: _Layout, outcome: Floats, patient: float, biopsy: float, row: float
) -> tuple[Floats, Floats]:
    """Design and outcome with the covariance of each patient's rows taken out."""
    design, out = np.empty_like(layout.design), np.empty_like(outcome)
    for index in layout.rows.groupby("patient_id").indices.values():
        times = layout.rows["after"].to_numpy()[index]
        same = times[:, None] == times
        covariance = patient + biopsy * same + row * np.eye(len(index))
        root = np.linalg.cholesky(covariance)
        design[index] = np.linalg.solve(root, layout.design[index])
        out[index] = np.linalg.solve(root, outcome[index])
    return design, out


def _no_counts(layout: _Layout, before: str, after: str) -> str:
    """Why a fold change of means is not finite."""
    groups = [
        layout.rows["after"],
        *([layout.rows["arm"]] if "arm" in layout.rows else []),
    ]
    sums = layout.rows.groupby(groups)["n_num"].sum()
    return "" if (sums > 0).all() else f"no cell at all at {before} or {after}"


def _no_shares(layout: _Layout, before: str, after: str) -> str:
    if reason := _no_counts(layout, before, after):
        return reason
    rows = layout.rows
    full = (rows["n_num"] >= rows["n_den"]).groupby(rows["after"]).all()
    return f"every cell at {before} or {after}" if full.any() else ""


def _gee(layout: _Layout) -> tuple[Any, float]:
    """The fitted GEE, and the aggregation that its variance takes for granted."""
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    counts = layout.rows["n_num"].to_numpy(float)
    offset = np.log(layout.rows["area_mm2"].to_numpy(float))
    poisson = sm.GLM(counts, layout.design, sm.families.Poisson(), offset=offset)
    with warnings.catch_warnings():
        # Counts that are all as expected are no reason to stop.
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        mean = poisson.fit().mu
        alpha = (np.square(counts - mean) - mean).sum() / np.square(mean).sum()
        alpha = float(max(alpha, LEAST_AGGREGATION))
        model = sm.GEE(
            counts,
            layout.design,
            groups=layout.rows["patient_id"].to_numpy(),
            family=sm.families.NegativeBinomial(alpha=alpha),
            offset=offset,
        )
        return model.fit(), alpha


def _flipped(
    layout: _Layout, alpha: float, signs: NDArray[np.int8]
) -> Callable[[float], float]:
    """P-value of any effect, by flipping the signs of patients' scores."""
    counts = layout.rows["n_num"].to_numpy(float)
    log_area = np.log(layout.rows["area_mm2"].to_numpy(float))
    effect = layout.design[:, layout.column]
    others = np.delete(layout.design, layout.column, axis=1)
    patients = pd.factorize(layout.rows["patient_id"])[0]

    def p_of(at: float) -> float:
        mean = _nuisance_mean(counts, others, log_area + at * effect, alpha)
        weight = 1 / (1 + alpha * mean)
        weighted = others * (weight * mean)[:, None]
        shared = np.linalg.solve(others.T @ weighted, weighted.T @ effect)
        rest = effect - others @ shared
        scores = np.bincount(patients, rest * weight * (counts - mean))
        # What is left of counts that are just as expected is rounding.
        scores[np.abs(scores) < SMALLEST_SCORE * counts.sum()] = 0.0
        seen = abs(scores.sum())
        return float(np.mean(np.abs(signs @ scores) >= seen * (1 - 1e-9)))

    return p_of


def _nuisance_mean(
    counts: Floats, others: Floats, offset: Floats, alpha: float
) -> Floats:
    """Expected counts when all but the effect are fitted, by Fisher scoring."""
    rate = counts.sum() / np.exp(offset).sum()
    coefficients = np.linalg.lstsq(others, np.full(len(counts), np.log(rate)))[0]
    for _ in range(STEPS):
        mean = np.exp(offset + others @ coefficients)
        weight = 1 / (1 + alpha * mean)
        information = others.T @ (others * (weight * mean)[:, None])
        step = np.linalg.solve(information, others.T @ (weight * (counts - mean)))
        coefficients = coefficients + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-9:
            break
    return np.exp(offset + others @ coefficients)


def _edge(
    p_of: Callable[[float], float], middle: float, side: int, alpha: float
) -> float:
    """Farthest effect on one side that is not rejected; NaN if all are not."""
    inside, reach = 0.0, 0.25
    while p_of(middle + side * reach) > alpha:
        inside, reach = reach, 2 * reach
        if reach > TOO_FAR:
            return np.nan
    for _ in range(HALVINGS):
        between = (inside + reach) / 2
        if p_of(middle + side * between) > alpha:
            inside = between
        else:
            reach = between
    return middle + side * inside


def _beta_binomial_effect(layout: _Layout, kept: NDArray[np.bool_]) -> float:
    """Effect as log₂ odds ratio, of the rows that are kept."""
    rows, design = layout.rows[kept], layout.design[kept]
    # A site that only the patient who is left out had says nothing of the others.
    there = (design != 0).any(axis=0)
    positive, cells = rows["n_num"].to_numpy(float), rows["n_den"].to_numpy(float)
    start = np.zeros(int(there.sum()) + 1)
    start[0] = special.logit(np.clip(positive.sum() / cells.sum(), 1e-6, 1 - 1e-6))
    start[-1] = np.log(20.0)
    bounds = [(-3 * TOO_FAR, 3 * TOO_FAR)] * (len(start) - 1) + [PRECISIONS]
    fit = optimize.minimize(
        beta_binomial_loss,
        start,
        (design[:, there], positive, cells),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-12, "gtol": 1e-7},
    )
    place = int(there[: layout.column].sum())
    return float(fit.x[place] / np.log(2))


def beta_binomial_loss(
    parameters: Floats, design: Floats, positive: Floats, cells: Floats
) -> tuple[float, Floats]:
    """Negative log-likelihood of a beta-binomial model, and its gradient.

    Parameters
    ----------
    parameters : (p + 1,) array
        Coefficients of the logit, and the log of the precision a + b.
    design : (n, p) array
    positive, cells : (n,) arrays
    """
    share = special.expit(design @ parameters[:-1])
    share = np.clip(share, 1e-12, 1 - 1e-12)
    precision = np.exp(parameters[-1])
    a, b = share * precision, (1 - share) * precision
    negative = cells - positive
    likelihood = special.betaln(positive + a, negative + b) - special.betaln(a, b)
    common = special.digamma(precision) - special.digamma(cells + precision)
    by_a = special.digamma(positive + a) - special.digamma(a)
    by_b = special.digamma(negative + b) - special.digamma(b)
    by_line = (by_a - by_b) * precision * share * (1 - share)
    by_precision = a * (by_a + common) + b * (by_b + common)
    gradient = np.append(design.T @ by_line, by_precision.sum())
    return -float(likelihood.sum()), -gradient
