"""Scores as rows: what they are asked of, and what the panel lets them say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.capability import NESTS, Capability, capability
from mifprofile.core.landscape.estimates import Estimate, Row, Scope
from mifprofile.core.landscape.regions import REGION_NAMES, TUMOUR
from mifprofile.core.landscape.rows import asking
from mifprofile.core.metrics import LYMPHOCYTES, MACROPHAGES
from mifprofile.core.scores import HAS_VALUE, adequacy
from mifprofile.core.targets import marker_of
from mifprofile.core.uncertainty import effective_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from mifprofile.core.scores import Status
    from mifprofile.model import Panel
    from mifprofile.options import LandscapeOptions

ADEQUACY_CODES = {"INADEQUATE": 0, "LIMITED": 1, "ADEQUATE": 2}


@dataclass(frozen=True)
class Sample:
    """What the scores of one sample share.

    Attributes
    ----------
    scopes : dict
        Region → its cells and areas.
    regions : (h, w) uint8 array or None
        None if only areas are known.
    um : float
        Its pixel size, µm.
    undecided : frozenset of str
        Markers of which nobody can tell whether they are there.
    thresholds : mapping of str to float
        Gates by marker, as far as they are known; NaN: no cell is positive.
    """

    scopes: dict[str, Scope]
    regions: NDArray[np.uint8] | None
    um: float
    undecided: frozenset[str]
    thresholds: Mapping[str, float]

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

    def positive(self, scope: Scope, target: str) -> NDArray[np.bool_]:
        """Which cells of a region are positive for a molecule."""
        name = marker_of(target, self.panel)
        return scope.cells[f"{name}_positive"].to_numpy(bool)

    def of_lineage(self, scope: Scope, targets: Iterable[str]) -> NDArray[np.bool_]:
        """Cells whose phenotype asks for one of some molecules; never tumour cells."""
        markers = [marker_of(target, self.panel) for target in targets]
        names = asking(self.panel, *(m for m in markers if m is not None))
        chosen = scope.cells["phenotype"].isin(names).to_numpy()
        return chosen & ~tumour_cells(scope)

    def sample_adequacy(self) -> tuple[str, str]:
        """Level and reason, as of `mifprofile.core.scores.adequacy`."""
        return adequacy(
            self.scopes["tumour_bed"].area_mm2,
            int(self.tumour.sum()),
            adequate_mm2=self.options.adequate_bed_mm2,
            limited_mm2=self.options.limited_bed_mm2,
            min_tumour_cells=self.options.min_tumour_cells,
        )

    def on_enough_tumour(self, row: Row) -> Row:
        """Mark a score that is of little tumour."""
        level, reason = self.sample_adequacy()
        if level != "INADEQUATE" or row.status not in {"OK", "APPROX"}:
            return row
        return replace(row, status="SMALL", reason=_joined(reason, row.reason))

    def answered(self, row: Row, question: str) -> Row:
        """Mark a row by what the panel can tell of a question."""
        found = capability(self.panel, question)
        if found.answer == "NOT_COMPUTABLE":
            return without_value(row, "NOT_COMPUTABLE", found.reason)
        if row.status not in HAS_VALUE:
            return row
        rough = row.status == "OK" and found.answer == "APPROX"
        reason = _joined(row.reason, found.reason)
        return replace(row, status="APPROX" if rough else row.status, reason=reason)


def _joined(*reasons: str) -> str:
    return "; ".join(reason for reason in reasons if reason)


def adequacy_row(sample: Sample) -> Iterator[Estimate]:
    """Whether there is enough tumour to speak for the lesion."""
    scope = sample.scopes["tumour_bed"]
    row = scope.row(sample.panel.tumour or "", "adequacy", np.nan, "class")
    found = nests_of(sample.panel)
    if found.answer == "NOT_COMPUTABLE":
        yield Estimate(without_value(row, "NOT_COMPUTABLE", found.reason))
        return
    level, reason = sample.sample_adequacy()
    yield Estimate(
        replace(
            row,
            value=ADEQUACY_CODES[level],
            n_num=int(sample.tumour.sum()),
            reason=f"{level}: {reason}" if reason else level,
        )
    )


def immune_phenotypes(panel: Panel) -> tuple[str, ...]:
    """Lymphocytes and macrophages by their rules, in the panel's order."""
    markers = [marker_of(target, panel) for target in (*LYMPHOCYTES, *MACROPHAGES)]
    asked = asking(panel, *(m for m in markers if m is not None))
    return tuple(name for name in asked if name not in panel.tumour_phenotypes)


def tumour_cells(scope: Scope) -> NDArray[np.bool_]:
    """Which cells are of the panel's tumour phenotype, or of one within it."""
    return scope.cells["phenotype"].isin(scope.panel.tumour_phenotypes).to_numpy()


def nests_of(panel: Panel) -> Capability:
    """What the panel can tell of tumour nests."""
    return capability(panel, NESTS)


def without_value(row: Row, status: Status, reason: str) -> Row:
    """Row whose value could not be had."""
    return replace(row, value=np.nan, status=status, reason=reason)


def needs_column(row: Row, scope: Scope, column: str) -> Row:
    """Row that cannot be computed if the cells lack a column."""
    if column in scope.cells:
        return row
    return without_value(row, "NOT_COMPUTABLE", f"the cells have no {column}")


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
