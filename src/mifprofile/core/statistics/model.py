"""How cell counts of fields come about: what power rests on, and synthetic trials."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

PER_LOG2 = np.log(2)


@dataclass(frozen=True)
class CountModel:
    """Counts of one phenotype: patients differ, biopsies differ, cells aggregate.

    A field of area A holds Poisson(A · D · G) cells. D is the biopsy's density, whose
    log₂ is the patient's plus his own change plus the biopsy's deviation, all normal; G
    is the field's share of it, gamma with mean 1. Counts are then negative binomial.

    Parameters
    ----------
    per_mm2 : float
        Median density before treatment.
    between_patients : float
        SD of log₂ density between patients.
    between_changes : float
        SD of log₂ change between patients: who answers more, who less.
    between_biopsies : float
        SD of log₂ density between biopsies of one lesion at one time.
    aggregation : float
        Variance of G, what cells that cluster add to a field: a field of n expected
        cells varies 1 + n · aggregation times as much as independent cells would.
    field_mm2 : float
        Area of a field.
    """

    per_mm2: float = 120.0
    between_patients: float = 1.0
    between_changes: float = 0.5
    between_biopsies: float = 0.4
    aggregation: float = 0.4
    field_mm2: float = 0.33

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        wrong = [name for name, value in asdict(self).items() if value < 0]
        wrong += [n for n in ("per_mm2", "field_mm2") if getattr(self, n) == 0]
        if wrong:
            raise UsageError(f"count model: {', '.join(wrong)} must be above 0")

    @property
    def cells_per_field(self) -> float:
        """Expected cells of a field before treatment."""
        return self.per_mm2 * self.field_mm2

    @property
    def design_effect(self) -> float:
        """By how much a field's count varies more than that of independent cells."""
        return 1 + self.cells_per_field * self.aggregation

    def assumptions(self) -> dict[str, str]:
        """What the model takes for granted, in words with its numbers."""
        return {
            "density": f"median {self.per_mm2:g} cells per mm² before treatment",
            "patients": f"log2 density differs by SD {self.between_patients:g}",
            "changes": f"own log2 changes differ by SD {self.between_changes:g}",
            "biopsies": f"biopsies of a lesion differ by SD {self.between_biopsies:g}",
            "fields": f"{self.field_mm2:g} mm² each, {self.cells_per_field:.3g} cells",
            "aggregation": (
                f"{self.aggregation:g}: counts of a field vary "
                f"{self.design_effect:.3g} times as much as those of cells that do not "
                "cluster"
            ),
            "shape": "normal on log2, gamma between fields, Poisson within",
        }

    def variance_of_change(self, n_fields: int, fold_change: float = 1.0) -> Floats:
        """Variance of a patient's measured log₂ change, by where it comes from.

        Parameters
        ----------
        n_fields : int
            Fields of either biopsy.
        fold_change : float

        Returns
        -------
        (4,) float64 array
            Of own changes, biopsies, aggregation and counting, to first order. Fields
            lower the last two only, and their number, not their cells, the third.
        """
        cells = self.cells_per_field * n_fields * np.array([1, fold_change])
        return np.array(
            [
                self.between_changes**2,
                2 * self.between_biopsies**2,
                2 * self.aggregation / n_fields / PER_LOG2**2,
                (1 / cells).sum() / PER_LOG2**2,
            ]
        )

    def draw_counts(
        self, rng: np.random.Generator, log2_per_mm2: Floats, areas_mm2: Floats | float
    ) -> NDArray[np.int64]:
        """Cells of fields.

        Parameters
        ----------
        rng : numpy.random.Generator
        log2_per_mm2 : array of any shape
            log₂ density of the biopsy that each field is of.
        areas_mm2 : array or float
            Area of each field.
        """
        shape = np.shape(log2_per_mm2)
        if self.aggregation:
            share = rng.gamma(1 / self.aggregation, self.aggregation, shape)
        else:
            share = np.ones(shape)
        return np.asarray(rng.poisson(2.0**log2_per_mm2 * share * areas_mm2))

    def draw_pairs(
        self,
        rng: np.random.Generator,
        runs: int,
        n_pairs: int,
        n_fields: int,
        fold_change: float,
    ) -> NDArray[np.int64]:
        """Cells of all fields of paired biopsies, (run, patient, time, field)."""
        level = np.log2(self.per_mm2) + rng.normal(
            0, self.between_patients, (runs, n_pairs, 1)
        )
        change = np.log2(fold_change) + rng.normal(
            0, self.between_changes, (runs, n_pairs)
        )
        times = np.stack([np.zeros_like(change), change], axis=-1)
        biopsy = rng.normal(0, self.between_biopsies, times.shape)
        density = np.repeat((level + times + biopsy)[..., None], n_fields, axis=-1)
        return self.draw_counts(rng, density, self.field_mm2)


def aggregation_of(biopsies: ArrayLike, counts: ArrayLike) -> float:
    """Aggregation of cells, from fields of one size in biopsies that have several.

    Parameters
    ----------
    biopsies : (n,) array
        Biopsy of each field.
    counts : (n,) array
        Its cells.

    Returns
    -------
    float
        Variance of a field's relative density, by moments: what fields of a biopsy vary
        beyond Poisson, Σ(s² − m), over their squared mean, Σ(m² − s²/k); at least 0,
        and NaN where no biopsy has two fields and a cell.
    """
    codes = np.unique(np.asarray(biopsies), return_inverse=True)[1]
    values = np.asarray(counts, float)
    fields = np.bincount(codes)
    several = fields > 1
    means = np.bincount(codes, values)[several] / fields[several]
    squares = np.bincount(codes, values**2)[several] - fields[several] * means**2
    variances = squares / (fields[several] - 1)
    whole = (means**2 - variances / fields[several]).sum()
    return max(0.0, float((variances - means).sum() / whole)) if whole > 0 else np.nan
