"""A synthetic trial down to its slides: what each biopsy shows, and what is true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from mifprofile.core.statistics.model import CountModel
from mifprofile.errors import UsageError
from mifprofile.synthetic.options import Mixture, SynthOptions
from mifprofile.synthetic.trial import (
    BASELINE,
    ON_TREATMENT,
    SyntheticTrial,
    TrialOptions,
    synthetic_trial,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL = SynthOptions()
# A biopsy of median density has the CTL of the usual slide.
MEDIAN_PER_MM2 = USUAL.nest.ctl * USUAL.nest_cells_per_mm2
MOST_CTL = 0.5
HUMAN_PANEL, MOUSE_PANEL = "panels/human.yaml", "panels/mouse.yaml"
SMALLEST_MM = 0.2
NOT_APPLICABLE = "."
OF_HUMANS = (
    *("age", "sex", "er_status", "her2_ihc", "her2_ish", "prior_lines"),
    *("best_response_recist", "objective_response", "pfs_days", "pfs_event"),
    *("os_days", "os_event", "biopsy_site", "lesion_id", "same_lesion_as_baseline"),
)
OF_MICE = ("strain", "cage", "tumour_index", "dox_start", "dose")
FLAGS = ("same_lesion_as_baseline", "objective_response", "pfs_event", "os_event")
OF_BIOPSIES = ("acquisition", "fixation", "section_um", "block_id", "scanner")
COLUMNS = (
    *("sample_id", "patient_id", "species", "arm", "timepoint", "missing_reason"),
    *("slide", "panel", "batch", "days_from_treatment_start", "slide_id"),
    *(*OF_BIOPSIES, "drug_on_tissue", "pcr", *OF_HUMANS, *OF_MICE),
)


@dataclass(frozen=True)
class ExampleOptions:
    """What is planted in a trial of which the slides are drawn.

    Parameters
    ----------
    patients, mice : int
        Of each of two arms. Patients are biopsied twice, mice once, on treatment.
    size_mm : float
        Edge of every slide.
    seed : int
    fold_change : float
        Median change of the density of CD8+ cells in the treated arms.
    """

    patients: int = 12
    mice: int = 10
    size_mm: float = 0.6
    seed: int = 0
    fold_change: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if self.patients < 1 or self.mice < 0:
            raise UsageError("example: it takes a patient; mice may be none")
        if self.size_mm < SMALLEST_MM:
            raise UsageError(f"example: no slide is smaller than {SMALLEST_MM:g} mm")
        if self.fold_change <= 0:
            raise UsageError("example: a fold change is above 0")


class ExampleTrial(NamedTuple):
    """A trial and its slides.

    Attributes
    ----------
    samples : pandas.DataFrame
        The sample sheet; paths count from its folder.
    slides : dict
        Sample → the slide to draw.
    truth : pandas.DataFrame
        A row per patient: ``patient_id, species, arm``, ``log2_change`` (his own),
        and at each time the sample and ``nest_per_mm2``, the density of CD8+ cells
        that its slide is drawn with.
    """

    samples: pd.DataFrame
    slides: dict[str, SynthOptions]
    truth: pd.DataFrame


def example_trial(options: ExampleOptions | None = None) -> ExampleTrial:
    """Draw patients and mice, and say which slide each biopsy has.

    Parameters
    ----------
    options : ExampleOptions, optional

    Returns
    -------
    ExampleTrial
        The same for the same options.
    """
    chosen = options or ExampleOptions()
    rng = np.random.default_rng([chosen.seed, 1])
    parts = [_patients(chosen, rng)]
    if chosen.mice:
        parts.append(_mice(chosen, rng))
    samples = pd.concat([sheet for sheet, _ in parts], ignore_index=True)
    patients = pd.concat([patients for _, patients in parts], ignore_index=True)
    had = samples[samples["missing_reason"].isna()]
    seeds = rng.integers(2**32, size=len(had))
    slides = {
        str(name): _slide(chosen, float(density), int(seed))
        for name, density, seed in zip(
            had["sample_id"], had["log2_density"], seeds, strict=True
        )
    }
    return ExampleTrial(_as_sheet(samples), slides, _truth(patients, had, slides))


def _slide(options: ExampleOptions, log2_density: float, seed: int) -> SynthOptions:
    nest, stroma = mixtures_of(log2_density)
    size = (options.size_mm, options.size_mm)
    return SynthOptions(size_mm=size, seed=seed, nest=nest, stroma=stroma)


def _as_sheet(samples: pd.DataFrame) -> pd.DataFrame:
    """Columns in their order; yes and no as 1 and 0."""
    answers = {True: "1", False: "0", NOT_APPLICABLE: NOT_APPLICABLE}
    flags = {name: samples[name].map(answers) for name in FLAGS}
    return samples.assign(**flags)[[*COLUMNS]]


def mixtures_of(log2_density: float) -> tuple[Mixture, Mixture]:
    """Nest and stroma of a biopsy with so many CTL per mm² of nest, as log₂.

    Stroma changes by the same factor; Treg stay as they are, and the others make room.
    """
    fold = 2**log2_density / MEDIAN_PER_MM2
    return _with_ctl(USUAL.nest, fold), _with_ctl(USUAL.stroma, fold)


def _with_ctl(usual: Mixture, fold: float) -> Mixture:
    share = min(usual.ctl * fold, MOST_CTL)
    room = (1 - share - usual.treg) / (1 - usual.ctl - usual.treg)
    return Mixture(
        ctl=share,
        tumour=usual.tumour * room,
        treg=usual.treg,
        immune=usual.immune * room,
    )


def with_drawn(truth: pd.DataFrame, drawn: Mapping[str, float]) -> pd.DataFrame:
    """Truth with the densities that the slides were found to have when drawn.

    Parameters
    ----------
    truth : pandas.DataFrame
        Of an `ExampleTrial`.
    drawn : mapping of str to float
        Sample → CTL per mm² of true nest.

    Returns
    -------
    pandas.DataFrame
        With ``drawn_per_mm2`` of each time.
    """
    new = {
        f"drawn_per_mm2_{time}": truth[f"sample_{time}"].map(drawn)
        for time in (BASELINE, ON_TREATMENT)
    }
    return truth.assign(**new)


def _patients(
    options: ExampleOptions, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    design = replace(_design(options, options.patients, "control"), lost=0.04)
    trial = synthetic_trial(design, seed=2 * options.seed)
    names = trial.patients["patient_id"]
    facts = pd.DataFrame(
        {
            "patient_id": names,
            "sex": rng.choice(["F", "M"], len(names), p=[0.97, 0.03]),
            "er_status": rng.choice(["positive", "negative"], len(names)),
            "her2_ihc": rng.choice(["2+", "3+"], len(names), p=[0.3, 0.7]),
            "her2_ish": "positive",
            "prior_lines": rng.poisson(1.5, len(names)),
        }
    )
    sheet = _handled(trial, "core").merge(facts, on="patient_id")
    sheet[[*OF_MICE]] = NOT_APPLICABLE
    return sheet.assign(panel=HUMAN_PANEL), trial.patients


def _mice(
    options: ExampleOptions, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mice that were looked at once, on treatment."""
    design = _design(options, options.mice, "vehicle")
    # None progresses before it is looked at.
    design = replace(design, species="mouse", median_pfs_days=1e9)
    trial = _as_mice(synthetic_trial(design, seed=2 * options.seed + 1))
    sheet = _handled(trial, "resection")
    sheet = sheet[sheet["timepoint"] == ON_TREATMENT]
    sheet = sheet.assign(**dict.fromkeys(OF_HUMANS, NOT_APPLICABLE))
    return sheet.assign(
        panel=MOUSE_PANEL,
        strain="FVB",
        tumour_index="1",
        dox_start=-rng.integers(42, 57, len(sheet)),
        dose=np.where(sheet["arm"] == "treated", "10 mg/kg", "none"),
    ), trial.patients


def _as_mice(trial: SyntheticTrial) -> SyntheticTrial:
    """Names begin with M, so that they are not those of patients."""
    named = ("sample_id", "slide_id", "patient_id", "batch")

    def renamed(table: pd.DataFrame) -> pd.DataFrame:
        mine = [name for name in named if name in table]
        return table.assign(
            **{n: table[n].str.replace("^[PB]", "M", regex=True) for n in mine}
        )

    return SyntheticTrial(*map(renamed, trial))


def _design(options: ExampleOptions, per_arm: int, control: str) -> TrialOptions:
    """Patients differ less than real ones, since they are few and slides small."""
    return TrialOptions(
        patients_per_arm=per_arm,
        n_fields=1,
        changes={control: 0.0, "treated": float(np.log2(options.fold_change))},
        counts=CountModel(
            per_mm2=MEDIAN_PER_MM2,
            between_patients=0.5,
            between_changes=0.4,
            between_biopsies=0.3,
            field_mm2=options.size_mm**2,
        ),
        site_sd=0.2,
        batch_sd=0.1,
    )


def _handled(trial: SyntheticTrial, acquisition: str) -> pd.DataFrame:
    """Rows of the sheet with where a slide lies, how it was made, and its density."""
    cd8 = trial.fields.query("phenotype == 'CD8'").set_index("sample_id")
    sheet = trial.samples
    had = sheet["missing_reason"].isna()
    handling = {
        "slide": "slides/" + sheet["sample_id"] + ".ome.tiff",
        "acquisition": acquisition,
        "fixation": "FFPE",
        "section_um": 4,
        "block_id": sheet["sample_id"] + "_A",
        "scanner": "S1",
        "drug_on_tissue": "none",
    }
    sheet = sheet.assign(**handling, pcr=NOT_APPLICABLE)
    sheet.loc[~had, [*handling]] = None
    return sheet.assign(log2_density=sheet["sample_id"].map(cd8["log2_density"]))


def _truth(
    patients: pd.DataFrame, had: pd.DataFrame, slides: Mapping[str, SynthOptions]
) -> pd.DataFrame:
    truth = patients[["patient_id", "species", "arm", "log2_change"]]
    for time in (BASELINE, ON_TREATMENT):
        mine = had[had["timepoint"] == time].set_index("patient_id")["sample_id"]
        names = truth["patient_id"].map(mine)
        planted = {n: s.nest.ctl * s.nest_cells_per_mm2 for n, s in slides.items()}
        new = {f"sample_{time}": names, f"nest_per_mm2_{time}": names.map(planted)}
        truth = truth.assign(**new)
    return truth
