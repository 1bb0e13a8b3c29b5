"""When a row has no value, and what is to be said of one that has."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.landscape.estimates import NO_SHAPE, lineage_labels
from mifprofile.core.landscape.metrics import METRICS
from mifprofile.core.landscape.regions import needs_tumour
from mifprofile.core.landscape.rows import RATIOS, asking_for, immune_phenotypes
from mifprofile.core.landscape.scores import HAS_VALUE, adequacy
from mifprofile.core.panel.capability import NESTS, TREGS, Capability, capabilities
from mifprofile.core.panel.targets import marker_of
from mifprofile.core.phenotype.gates import KnownGates
from mifprofile.model import OTHER, UNCERTAIN
from mifprofile.options import LandscapeOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mifprofile.core.landscape.estimates import Row
    from mifprofile.core.landscape.metrics import Metric
    from mifprofile.core.landscape.scores import Status
    from mifprofile.model import Panel

Markers = frozenset[str]
Objection = tuple["Status", str]

NO_NEST: Objection = "NO_TUMOUR", "no tumour nest was found"
NO_TUMOUR_CELL: Objection = "NO_TUMOUR", "no tumour cell was found"
NO_TUMOUR_NAMED: Objection = "NOT_COMPUTABLE", "the panel names no tumour phenotype"
NO_IMMUNE = "the panel names no lymphocyte and no macrophage"
NO_LEVELS = "neither landscape.her2_levels nor a gate says where 1+, 2+ and 3+ begin"
RELATIVE = "bins from ½, 1 and 2 times the gate of HER2, not by controls"
BY_GATE = "by the gate of HER2, not by calibrated levels"
# What a region without tumour can still be said to have none of.
COUNTED = frozenset({"area", "count"})


@dataclass(frozen=True)
class Sight:
    """What could be seen of a sample, beside its panel and gates.

    Attributes
    ----------
    mapped : bool
        Whether the shape of the tissue is known.
    nests : bool
        Whether there is a tumour nest.
    tumour_cells : int
    bed_mm2 : float
        Area of the tumour bed, NaN if it is not known.
    columns : frozenset of str
        Of the cell table.
    absent : dict
        Regions that are not there → status and reason.
    """

    mapped: bool = True
    nests: bool = True
    tumour_cells: int = 1_000_000
    bed_mm2: float = np.inf
    columns: frozenset[str] = frozenset()
    absent: Mapping[str, Objection] = field(default_factory=dict)


@dataclass(frozen=True)
class Guard:
    """Whether anybody could have seen what a row says.

    Each metric declares in `mifprofile.core.landscape.metrics` what it asks for. What
    is missing takes the value away; what is poor is said beside it.
    """

    panel: Panel
    gates: KnownGates = field(default_factory=KnownGates)
    sight: Sight = field(default_factory=Sight)
    options: LandscapeOptions = field(default_factory=LandscapeOptions)

    def judge(self, row: Row) -> Row:
        """A row without its numbers if nobody could look, and marked if it is poor."""
        metric = METRICS[row.metric]
        row = replace(row, grade=self.gates.worst(self.needed(row)))
        found = self._objection(row, metric)
        return _emptied(row, *found) if found else self._marked(row, metric)

    def needed(self, row: Row) -> Markers:
        """Markers without whose gate the row's number means nothing."""
        metric, (carried, _) = METRICS[row.metric], self._signs
        names = {row.phenotype, row.phenotype_b}
        states = names & set(self.panel.states)
        needed = frozenset(states).union(*(carried.get(n, ()) for n in names))
        needed |= {m for t in metric.asks if (m := marker_of(t, self.panel))}
        if metric.of_tumour or metric.nests or self._lacks_tumour(row):
            needed |= carried.get(self.panel.tumour or "", frozenset())
        if metric.of_all:
            needed |= self.every
        # Calibrated levels stand for the gate.
        if metric.her2 and self._calibrated:
            needed -= {marker_of("HER2", self.panel) or ""}
        return needed

    def gated_by(self, row: Row) -> Markers:
        """Markers whose gates decide which cells a row counts."""
        unnamed = {row.phenotype, row.phenotype_b} & {OTHER, UNCERTAIN}
        return self.needed(row) | (self.every if unnamed else frozenset())

    def _objection(self, row: Row, metric: Metric) -> Objection | None:
        """Why nobody could look, or what there was to look at; None if all is there."""
        everywhere = self.sight.absent.get("tissue")
        if everywhere:
            return everywhere
        blind = self.needed(row) & self.gates.undecided
        if missing := self._unanswered(row, metric):
            return "NOT_COMPUTABLE", missing
        if blind:
            return "NOT_COMPUTABLE", f"undecided: {', '.join(sorted(blind))}"
        if metric.mapped and not self.sight.mapped:
            return "NOT_COMPUTABLE", NO_SHAPE
        return self._no_place(row, metric) or self._no_columns(metric)

    def _unanswered(self, row: Row, metric: Metric) -> str:
        """What the panel lacks."""
        lacking = [t for t in (row.phenotype, row.phenotype_b) if t in self._unnamed]
        if lacking:
            return f"the panel has no {' and no '.join(t[:-1] for t in lacking)}"
        if metric.of_tumour and self.panel.tumour is None:
            return NO_TUMOUR_NAMED[1]
        if metric.of_immune and not self._immune:
            return NO_IMMUNE
        return next(
            (c.reason for c in self._answers(metric) if c.answer == "NOT_COMPUTABLE"),
            "",
        )

    def _no_place(self, row: Row, metric: Metric) -> Objection | None:
        """Whether the region, the nests or the tumour are there."""
        found = self.sight.absent.get(row.region)
        if found and not (metric.name == "adequacy" and found[0] == "NO_TUMOUR"):
            return found
        if metric.nests and not self.sight.nests:
            return NO_NEST if self.panel.tumour else NO_TUMOUR_NAMED
        if (
            metric.of_tumour
            and metric.name != "adequacy"
            and not self.sight.tumour_cells
        ):
            return NO_TUMOUR_CELL
        return None

    def _no_columns(self, metric: Metric) -> Objection | None:
        """Whether the cells hold what the metric is made of."""
        for column in self._columns(metric):
            if column not in self.sight.columns:
                return "NOT_COMPUTABLE", f"the cells have no {column}"
        her2 = marker_of("HER2", self.panel)
        unknown = self.options.her2_levels is None and her2 not in self.gates.thresholds
        return (
            ("NOT_COMPUTABLE", NO_LEVELS) if metric.her2 == "bins" and unknown else None
        )

    def _columns(self, metric: Metric) -> list[str]:
        names = {t: marker_of(t, self.panel) or "" for t in ("HER2", "PD-L1")}
        pdl1 = self.panel.markers.get(names["PD-L1"])
        part = pdl1.measure if pdl1 else "cell"
        columns = [c.format(**names, part=part) for c in metric.columns]
        if metric.her2 == "bins" and self.options.her2_levels is not None:
            columns.insert(0, f"{names['HER2']}_membrane_mean")
        if metric.her2 == "gate" and not self._calibrated:
            columns.append(f"{names['HER2']}_positive")
        if names["PD-L1"] and "PD-L1" in metric.asks:
            columns.append(f"{names['PD-L1']}_positive")
        return columns

    def _marked(self, row: Row, metric: Metric) -> Row:
        """Say of a value what it rests on."""
        if row.status not in HAS_VALUE:
            return row
        small, loose = self._small(metric), self._loose(row)
        answers = self._answers(metric, row)
        rough = [c.reason for c in answers if c.answer == "APPROX"]
        rough += [text for text in (loose, self._uncalibrated(metric)) if text]
        caveats = [c.reason for c in self._answers(metric) if c.answer == "OK"]
        graded = ", ".join(sorted(self.needed(row) & self.gates.graded))
        said = [small, row.reason, *rough, *caveats, f"graded: {graded}" * bool(graded)]
        status: Status = "APPROX" if rough and row.status == "OK" else row.status
        return replace(
            row,
            status="SMALL" if small else status,
            reason="; ".join(dict.fromkeys(text for text in said if text)),
        )

    def _small(self, metric: Metric) -> str:
        """Why a score is of little tumour."""
        if metric.least == "min_tumour_cells_ic":
            least = self.options.min_tumour_cells_ic
            few = self.sight.tumour_cells < least
            return f"fewer than {least} tumour cells" if few else ""
        level, reason = self.adequacy
        return reason if metric.least and level == "INADEQUATE" else ""

    @cached_property
    def adequacy(self) -> tuple[str, str]:
        """Level and reason, as of `mifprofile.core.landscape.scores.adequacy`."""
        return adequacy(
            self.sight.bed_mm2,
            self.sight.tumour_cells,
            adequate_mm2=self.options.adequate_bed_mm2,
            limited_mm2=self.options.limited_bed_mm2,
            min_tumour_cells=self.options.min_tumour_cells,
        )

    def _loose(self, row: Row) -> str:
        """Why cells may be among those counted that should not be."""
        names, (_, excluded) = {row.phenotype, row.phenotype_b}, self._signs
        kept = frozenset[str]().union(*(excluded.get(n, ()) for n in names))
        if names & {OTHER, UNCERTAIN}:
            kept |= self.every
        loose = ", ".join(sorted(kept & self.gates.undecided))
        return f"undecided, and so not left out: {loose}" if loose else ""

    def _uncalibrated(self, metric: Metric) -> str:
        if not metric.her2 or self._calibrated:
            return ""
        return RELATIVE if metric.her2 == "bins" else BY_GATE

    def _answers(self, metric: Metric, row: Row | None = None) -> list[Capability]:
        """What the panel can tell of the questions behind a metric, and of a row."""
        asked = [metric.question] if metric.question else []
        if metric.nests or (row and needs_tumour(row.region)):
            asked.append(NESTS)
        if row and {row.phenotype, row.phenotype_b} & self._tregs:
            asked.append(TREGS)
        return [self._known[question] for question in asked]

    @cached_property
    def _known(self) -> dict[str, Capability]:
        return {c.question: c for c in capabilities(self.panel)}

    @cached_property
    def _calibrated(self) -> bool:
        """Whether HER2 is read by levels of controls, not by its gate."""
        column = f"{marker_of('HER2', self.panel)}_membrane_mean"
        return self.options.her2_levels is not None and column in self.sight.columns

    def _lacks_tumour(self, row: Row) -> bool:
        return self.sight.absent.get(row.region, ("OK", ""))[0] == "NO_TUMOUR"

    @cached_property
    def _signs(self) -> tuple[dict[str, Markers], dict[str, Markers]]:
        """What rows count → markers that its cells must carry, and must not."""
        rules = self.panel.rules
        labels = lineage_labels(self.panel)
        rules |= {label: rules[name] for label, name in labels.items()}
        carried, excluded = (
            {
                name: frozenset(marker for marker, asked in rule.signs if asked == sign)
                for name, rule in rules.items()
            }
            for sign in (True, False)
        )
        named = {f"{t}+": m for t, m in self._ratio_markers.items() if m is not None}
        return carried | {name: frozenset({m}) for name, m in named.items()}, excluded

    @cached_property
    def _ratio_markers(self) -> dict[str, str | None]:
        return {t: marker_of(t, self.panel) for pair in RATIOS for t in pair}

    @cached_property
    def _unnamed(self) -> Markers:
        """Sides of ratios of which the panel stains nothing."""
        return frozenset(f"{t}+" for t, m in self._ratio_markers.items() if m is None)

    @cached_property
    def every(self) -> Markers:
        """Markers that any phenotype asks for."""
        return frozenset().union(*(self._signs[0][name] for name in self.panel.rules))

    @cached_property
    def _tregs(self) -> Markers:
        return frozenset({"FOXP3+", *asking_for(self.panel, "FOXP3")})

    @cached_property
    def _immune(self) -> tuple[str, ...]:
        return immune_phenotypes(self.panel)


def no_tumour(panel: Panel, nest_mm2: float) -> Objection | None:
    """Why the regions that need a tumour are not there, None if they are."""
    if nest_mm2 > 0:
        # People can draw what the panel cannot tell.
        return None
    if panel.tumour is None:
        return NO_TUMOUR_NAMED
    return NO_NEST if nest_mm2 == 0 else None


def _emptied(row: Row, status: Status, reason: str) -> Row:
    """Row without its value; where nobody could look, without any number.

    A zero would say that somebody had looked.
    """
    if row.metric in COUNTED and status == "NO_TUMOUR":
        return replace(row, status=status, reason=reason)
    row = replace(row, value=np.nan, status=status, reason=reason)
    if status == "NOT_COMPUTABLE":
        return replace(row, n_num=np.nan, n_den=np.nan)
    return row
