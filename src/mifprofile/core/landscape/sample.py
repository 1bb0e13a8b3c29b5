"""One sample as the scores see it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.landscape.estimates import Estimate, Row, Scope, without_value
from mifprofile.core.landscape.guard import Guard, Objection, Sight
from mifprofile.core.landscape.regions import REGION_NAMES, TUMOUR
from mifprofile.core.landscape.rows import asking_for
from mifprofile.core.landscape.uncertainty import effective_blocks
from mifprofile.core.panel.targets import marker_of
from mifprofile.core.phenotype.gates import KnownGates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from mifprofile.model import Panel
    from mifprofile.options import LandscapeOptions

ADEQUACY_CODES = {"INADEQUATE": 0, "LIMITED": 1, "ADEQUATE": 2}


@dataclass(frozen=True)
class SampleScopes:
    """What the scores of one sample share.

    Attributes
    ----------
    scopes : dict
        Region → its cells and areas.
    regions : (h, w) uint8 array or None
        None if only areas are known.
    um : float
        Its pixel size, µm.
    gates : KnownGates
    """

    scopes: dict[str, Scope]
    regions: NDArray[np.uint8] | None
    um: float
    gates: KnownGates = field(default_factory=KnownGates)

    @property
    def panel(self) -> Panel:
        """Panel of the sample."""
        return self.scopes["tissue"].panel

    @property
    def options(self) -> LandscapeOptions:
        """Options of the landscape."""
        return self.scopes["tissue"].options

    @property
    def tumour(self) -> NDArray[np.bool_]:
        """Which cells of the tissue are tumour cells."""
        return tumour_cells(self.scopes["tissue"])

    @property
    def nests(self) -> bool:
        """Whether there is a tumour nest; one of unknown area shows by its cells."""
        tumour = self.scopes["tumour"]
        return tumour.area_mm2 > 0 or (
            bool(np.isnan(tumour.area_mm2)) and len(tumour.cells) > 0
        )

    def guard(self, absent: Mapping[str, Objection]) -> Guard:
        """What decides which rows have a value; ``absent``: regions not there, why."""
        sight = Sight(
            self.regions is not None,
            self.nests,
            int(self.tumour.sum()),
            self.scopes["tumour_bed"].area_mm2,
            frozenset(self.scopes["tissue"].cells.columns),
            absent,
        )
        return Guard(self.panel, self.gates, sight, self.options)

    def called(self, calls: pd.DataFrame, gates: KnownGates) -> SampleScopes:
        """The same cells, called by other gates.

        Parameters
        ----------
        calls : pandas.DataFrame
            Columns to put in the place of those of the cells, indexed as these.
        gates : KnownGates
        """
        scopes = {
            region: replace(
                scope, cells=scope.cells.assign(**calls.loc[scope.cells.index])
            )
            for region, scope in self.scopes.items()
        }
        return replace(self, scopes=scopes, gates=gates)

    def positive(self, scope: Scope, target: str) -> NDArray[np.bool_]:
        """Which cells of a region are positive for a molecule; none if unknown."""
        column = f"{marker_of(target, self.panel)}_positive"
        if column not in scope.cells:
            return np.zeros(len(scope.cells), bool)
        return scope.cells[column].to_numpy(bool)

    def of_lineage(self, scope: Scope, targets: Iterable[str]) -> NDArray[np.bool_]:
        """Cells whose phenotype asks for one of some molecules; never tumour cells."""
        names = asking_for(self.panel, *targets)
        chosen = scope.cells["phenotype"].isin(names).to_numpy()
        return chosen & ~tumour_cells(scope)


def adequacy_row(sample: SampleScopes) -> Iterator[Estimate]:
    """Whether there is enough tumour to speak for the lesion."""
    scope = sample.scopes["tumour_bed"]
    level, reason = sample.guard({}).adequacy
    row = scope.row(sample.panel.tumour or "", "adequacy", ADEQUACY_CODES[level])
    said = f"{level}: {reason}" if reason else level
    row = replace(row, n_num=int(sample.tumour.sum()), reason=said)
    if np.isnan(scope.area_mm2):
        said = f"{level} by tumour cells alone: the area of the bed is not known"
        row = replace(row, status="APPROX", reason=said)
    yield Estimate(row)


def tumour_cells(scope: Scope) -> NDArray[np.bool_]:
    """Which cells are of the panel's tumour phenotype, or of one within it."""
    return scope.cells["phenotype"].isin(scope.panel.tumour_phenotypes).to_numpy()


def from_blocks(row: Row, denominators: NDArray[np.float64], least: int) -> Row:
    """Note the blocks that a bootstrap draws from; with few it says nothing."""
    blocks = int(effective_blocks(denominators[:, None])[0])
    row = replace(row, n_blocks=blocks)
    if blocks >= least or not np.isfinite(row.value):
        return row
    return without_value(row, "LOW_AREA", f"fewer than {least} blocks to draw from")


def in_nest(scope: Scope) -> NDArray[np.bool_]:
    """Which cells lie in a tumour nest."""
    return (scope.cells["region"] == REGION_NAMES[TUMOUR]).to_numpy()
