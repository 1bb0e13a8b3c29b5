"""A synthetic trial: patients, biopsies, fields with their counts, and what is true."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from mifprofile.core.statistics.model import CountModel
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BASELINE, ON_TREATMENT = "baseline", "on_tx"
# How skeletons that others made call the times.
TIMES = {"PreTx": BASELINE, "OnTx": ON_TREATMENT}
RESPONDERS = ("CR", "PR")
CELLS_PER_MM2 = 5000.0
PROGRESSION, DEATH = "progression", "death"
# Why a biopsy may be missing that has nothing to do with the disease.
CHANCE_REASONS = ("refused", "unsafe", "failed_stain", "lost")


@dataclass(frozen=True)
class TrialOptions:
    """What a synthetic trial is like.

    Parameters
    ----------
    patients_per_arm : int
        Of the balanced design; a skeleton brings its own patients.
    n_fields : int
        Fields of each biopsy of the balanced design.
    slides_per_biopsy : int
        Slides over which the fields of a biopsy are spread.
    changes : mapping of str to float
        Arm → median log₂ change of CD8 density on treatment. FOXP3 never changes.
    counts : CountModel
        Of CD8; FOXP3 has 0.3 times its density.
    site_sd, batch_sd : float
        SD of log₂ density between biopsy sites, and between staining batches.
    same_batch : bool
        Whether the biopsies of a patient are stained together.
    sites : tuple of str
    log_odds_of_response : float
        Per doubling of CD8 by treatment; at no change one in four responds.
    log_hazard_of_baseline, log_hazard_of_change : float
        Log hazard ratio of progression per doubling of CD8 density at baseline, and of
        the patient's own change. With the second, those who are biopsied again are
        those who did well.
    median_pfs_days, median_os_days : float
        Of a patient with median density; death follows progression.
    watched_days : (float, float)
        Earliest and latest end of follow-up.
    biopsy_day : float
        Of the biopsy on treatment. Whoever progressed before has none.
    lost : float
        Chance that a biopsy is missing for a reason other than the disease.
    species : str
        ``human`` or ``mouse``; mice live in cages.
    per_cage : int
    cage_sd : float
        SD of log₂ change between cages.
    """

    patients_per_arm: int = 12
    n_fields: int = 3
    slides_per_biopsy: int = 1
    changes: Mapping[str, float] = field(
        default_factory=lambda: {"control": 0.0, "treated": 1.0}
    )
    counts: CountModel = field(default_factory=CountModel)
    site_sd: float = 0.5
    batch_sd: float = 0.2
    same_batch: bool = True
    sites: tuple[str, ...] = ("liver", "lung", "skin")
    log_odds_of_response: float = 1.0
    log_hazard_of_baseline: float = -0.3
    log_hazard_of_change: float = 0.0
    median_pfs_days: float = 240.0
    median_os_days: float = 500.0
    watched_days: tuple[float, float] = (300.0, 900.0)
    biopsy_day: float = 21.0
    lost: float = 0.0
    species: str = "human"
    per_cage: int = 3
    cage_sd: float = 0.0


class SyntheticTrial(NamedTuple):
    """A trial and what is true of it.

    Attributes
    ----------
    samples : pandas.DataFrame
        Rows of a sample sheet: a row per slide, and one per missing biopsy with
        ``missing_reason``.
    fields : pandas.DataFrame
        ``sample_id, patient_id, arm, timepoint, slide_id, field, phenotype,
        log2_density, n_num, n_den, area_mm2``: a row per field and phenotype (CD8,
        FOXP3). ``log2_density`` is what its counts are drawn about, per mm².
    patients : pandas.DataFrame
        A row per patient: ``patient_id, arm``, outcomes, and the truth: ``log2_level``
        (median density per mm² at baseline), ``log2_change``.
    """

    samples: pd.DataFrame
    fields: pd.DataFrame
    patients: pd.DataFrame


def synthetic_trial(
    options: TrialOptions | None = None,
    *,
    skeleton: pd.DataFrame | None = None,
    seed: int = 0,
) -> SyntheticTrial:
    """Draw a trial.

    Parameters
    ----------
    options : TrialOptions, optional
    skeleton : pandas.DataFrame, optional
        A real, unbalanced design: ``patient_id, timepoint, biopsy_site, best_response,
        n_fields``, a row per biopsy that was had (times PreTx and OnTx, or ours). Its
        patients are dealt out to the arms; biopsies and responses are kept.
    seed : int

    Raises
    ------
    UsageError
        If a skeleton lacks a column or an option cannot be.
    """
    chosen = options or TrialOptions()
    rng = np.random.default_rng(seed)
    visits = _balanced(chosen, rng) if skeleton is None else _visits_of(skeleton)
    patients = _patients(chosen, visits, rng)
    planned = visits.merge(patients, on="patient_id")
    if skeleton is None:
        planned["missing_reason"] = _missing(chosen, planned, rng)
    else:
        planned["missing_reason"] = None
    slides = _slides(chosen, planned, rng)
    return SyntheticTrial(
        _sheet(chosen, planned, slides), _fields(chosen, slides, rng), patients
    )


def _balanced(options: TrialOptions, rng: np.random.Generator) -> pd.DataFrame:
    """Biopsies that are planned: two of every patient."""
    if min(options.patients_per_arm, options.n_fields, options.slides_per_biopsy) < 1:
        raise UsageError("synthetic trial: it takes a patient, a field and a slide")
    names = [f"P{nth + 1:03d}" for nth in range(_size(options))]
    return pd.DataFrame(
        {
            "patient_id": np.repeat(names, 2),
            "timepoint": [BASELINE, ON_TREATMENT] * len(names),
            "biopsy_site": np.repeat(rng.choice(options.sites, len(names)), 2),
            "n_fields": options.n_fields,
        }
    )


def _size(options: TrialOptions) -> int:
    return options.patients_per_arm * len(options.changes)


def _visits_of(skeleton: pd.DataFrame) -> pd.DataFrame:
    """Biopsies of a skeleton, with our names of the times."""
    needed = ["patient_id", "timepoint", "biopsy_site", "best_response", "n_fields"]
    lacking = [name for name in needed if name not in skeleton]
    if lacking:
        raise UsageError(f"synthetic trial: no column {', '.join(lacking)} in skeleton")
    return skeleton[needed].assign(timepoint=skeleton["timepoint"].replace(TIMES))


def _patients(
    options: TrialOptions, visits: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Who they are, what their tumours do, and how they fare."""
    names = visits["patient_id"].unique()
    arms = list(options.changes)
    dealt = rng.permutation(np.resize(arms, len(names)))
    model = options.counts
    median = np.array([options.changes[arm] for arm in dealt])
    # Mice of a cage get the same treatment.
    cages = pd.Series(dealt).groupby(dealt).cumcount() // options.per_cage
    cage = pd.factorize(pd.Series(dealt).str.cat(cages.astype(str)))[0]
    change = median + rng.normal(0, model.between_changes, len(names))
    change += rng.normal(0, options.cage_sd, len(names))[cage]
    deviation = rng.normal(0, model.between_patients, len(names))
    table = pd.DataFrame(
        {
            "patient_id": names,
            "species": options.species,
            "arm": dealt,
            "age": rng.normal(58, 11, len(names)).round(),
            "log2_level": np.log2(model.per_mm2) + deviation,
            "log2_change": change,
        }
    )
    if options.species == "mouse":
        table["cage"] = [f"C{nth + 1}" for nth in cage]
    table = table.join(_survival(options, deviation, change, rng))
    return table.join(_responses(options, visits, change, rng))


def _survival(
    options: TrialOptions, deviation: Floats, change: Floats, rng: np.random.Generator
) -> pd.DataFrame:
    """Progression by an exponential hazard, death after it, both until the cut."""
    log_hazard = options.log_hazard_of_baseline * deviation
    log_hazard = log_hazard + options.log_hazard_of_change * change
    pfs = rng.exponential(options.median_pfs_days / np.log(2) * np.exp(-log_hazard))
    later = max(options.median_os_days - options.median_pfs_days, 1.0) / np.log(2)
    death = pfs + rng.exponential(later, len(pfs))
    watched = rng.uniform(*options.watched_days, len(pfs))
    return pd.DataFrame(
        {
            "pfs_days": np.minimum(pfs, watched).round(1),
            "pfs_event": pfs <= watched,
            "os_days": np.minimum(death, watched).round(1),
            "os_event": death <= watched,
        }
    )


def _responses(
    options: TrialOptions,
    visits: pd.DataFrame,
    change: Floats,
    rng: np.random.Generator,
) -> pd.DataFrame:
    if "best_response" in visits:
        best = visits.groupby("patient_id", sort=False)["best_response"].first()
        seen = best.to_numpy(object)
    else:
        log_odds = np.log(1 / 3) + options.log_odds_of_response * change
        responded = rng.random(len(change)) < 1 / (1 + np.exp(-log_odds))
        others = rng.choice(["SD", "PD"], len(change))
        seen = np.where(responded, "PR", others).astype(object)
    return pd.DataFrame(
        {
            "best_response_recist": seen,
            "objective_response": np.isin(seen.astype(str), RESPONDERS),
        }
    )


def _missing(
    options: TrialOptions, planned: pd.DataFrame, rng: np.random.Generator
) -> NDArray[np.object_]:
    """Why each biopsy is missing, None if it was had."""
    later = (planned["timepoint"] == ON_TREATMENT).to_numpy()
    fell = later & (planned["pfs_days"] < options.biopsy_day).to_numpy()
    fell &= planned["pfs_event"].to_numpy()
    died = fell & (planned["os_days"] < options.biopsy_day).to_numpy()
    lost = rng.random(len(planned)) < options.lost
    reasons = np.full(len(planned), None, object)
    reasons[lost] = rng.choice(CHANCE_REASONS, int(lost.sum()))
    reasons[fell] = PROGRESSION
    reasons[died & planned["os_event"].to_numpy()] = DEATH
    return reasons


def _slides(
    options: TrialOptions, planned: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """A row per field of the biopsies that were had, with its slide and density."""
    had = planned[planned["missing_reason"].isna()].reset_index(drop=True)
    biopsy_sd = options.counts.between_biopsies
    site, batch = _nuisance(options, had, rng)
    treated = (had["timepoint"] == ON_TREATMENT).to_numpy()
    own = had["log2_level"].to_numpy() + np.where(treated, had["log2_change"], 0.0)
    had = had.assign(
        batch=[f"B{nth}" for nth in batch["which"]],
        shift=site + batch["shift"],
        CD8=own + rng.normal(0, biopsy_sd, len(had)),
        FOXP3=had["log2_level"] + np.log2(0.3) + rng.normal(0, biopsy_sd, len(had)),
    )
    rows = had.loc[had.index.repeat(had["n_fields"].astype(int))]
    nth = rows.groupby(level=0).cumcount().to_numpy()
    slide = nth % options.slides_per_biopsy + 1
    stem = rows["patient_id"].astype(str) + "_" + rows["timepoint"]
    ids = stem + ("_" + pd.Series(slide, rows.index).astype(str))
    return rows.assign(field=nth + 1, slide_id=ids, sample_id=ids)


def _nuisance(
    options: TrialOptions, had: pd.DataFrame, rng: np.random.Generator
) -> tuple[Floats, dict[str, NDArray[np.float64]]]:
    """What site and staining batch add to log₂ density."""
    codes, names = pd.factorize(had["biopsy_site"])
    site = rng.normal(0, options.site_sd, len(names))[codes]
    whole = pd.factorize(had["patient_id"])[0]
    key = whole if options.same_batch else rng.permutation(len(had))
    # Six patients, or biopsies, are stained together.
    which = key // 6
    shift = rng.normal(0, options.batch_sd, int(which.max(initial=0)) + 1)[which]
    return site, {"which": which + 1, "shift": shift}


def _fields(
    options: TrialOptions, slides: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Counts of every field and phenotype, as a landscape would give them."""
    area = options.counts.field_mm2
    keys = ["sample_id", "patient_id", "arm", "timepoint", "slide_id", "field"]
    cells = rng.poisson(CELLS_PER_MM2 * area, len(slides))
    parts = []
    for phenotype in ("CD8", "FOXP3"):
        log2 = (slides[phenotype] + slides["shift"]).to_numpy(float)
        found = options.counts.draw_counts(rng, log2, area)
        part = slides[keys].assign(
            phenotype=phenotype,
            log2_density=log2,
            n_num=found,
            n_den=np.maximum(cells, found),
            area_mm2=area,
        )
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _sheet(
    options: TrialOptions, planned: pd.DataFrame, slides: pd.DataFrame
) -> pd.DataFrame:
    """Rows of a sample sheet, in the order of patients and times."""
    missing = planned[planned["missing_reason"].notna()].assign(
        sample_id=None, slide_id=None, batch=None
    )
    had = slides.drop_duplicates("sample_id")
    rows = pd.concat([part for part in (had, missing) if len(part)])
    on_treatment = rows["timepoint"] == ON_TREATMENT
    rows = rows.assign(
        days_from_treatment_start=np.where(on_treatment, options.biopsy_day, -7.0),
        lesion_id=rows["biopsy_site"],
        same_lesion_as_baseline=True,
        _order=on_treatment,
    ).sort_values(["patient_id", "_order", "sample_id"], kind="stable")
    columns = [
        *("sample_id", "patient_id", "species", "arm", "timepoint", "missing_reason"),
        *("batch", "days_from_treatment_start", "biopsy_site", "lesion_id"),
        *("same_lesion_as_baseline", "slide_id", "age", "best_response_recist"),
        *("objective_response", "pfs_days", "pfs_event", "os_days", "os_event"),
        *(["cage"] if "cage" in rows else []),
    ]
    return rows[columns].reset_index(drop=True)
