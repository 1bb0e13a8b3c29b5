"""Gates that several samples share: by patient, batch or cohort, and locked ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.core.gates import (
    GATE_COLUMNS,
    GATE_FIGURES,
    Gate,
    find_gates,
    gate_figures,
    method_of,
    pool,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mifprofile.model import Panel
    from mifprofile.options import Options


def shared_gates(
    levels: Mapping[str, pd.DataFrame],
    groups: Mapping[str, str],
    timepoints: Mapping[str, str],
    panel: Panel,
    options: Options,
    control: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One gate per group and marker, given to every sample of the group.

    With ``options.gates.lock_to`` only the group's samples at that timepoint are
    fitted; the gates of the others are ``locked`` to them. Where these show no positive
    population, all of the group are fitted, so that cells which come with the treatment
    are not overlooked. A group without such a sample is gated slide by slide.

    Parameters
    ----------
    levels : mapping of str to pandas.DataFrame
        By sample: a column per marker, a row per cell.
    groups, timepoints : mapping of str to str
        By sample.
    panel : Panel
    options : Options
        Of which ``gates`` and ``phenotype`` matter.
    control : pandas.DataFrame or None
        Levels on a negative-control slide.

    Returns
    -------
    pandas.DataFrame
        A row per sample and marker: `GATE_COLUMNS` and `GATE_FIGURES`.
    """
    work = _Work(levels, timepoints, panel, options, control)
    rows: list[dict[str, Any]] = []
    for group in dict.fromkeys(groups.values()):
        rows += work.group([sample for sample in levels if groups[sample] == group])
    return with_figures(pd.DataFrame(rows, columns=list(GATE_COLUMNS)), levels)


def with_figures(
    gates: pd.DataFrame, levels: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """The same gates with what each does to the cells of its sample."""
    figures = [
        gate_figures(levels[row["sample"]][row["marker"]].to_numpy(), row["threshold"])
        for row in gates.to_dict("records")
    ]
    return gates.assign(
        **{name: [row[name] for row in figures] for name in GATE_FIGURES}
    )


@dataclass(frozen=True)
class _Work:
    """All that the gates of a group need."""

    levels: Mapping[str, pd.DataFrame]
    timepoints: Mapping[str, str]
    panel: Panel
    options: Options
    control: pd.DataFrame | None

    def group(self, members: list[str]) -> list[dict[str, Any]]:
        """Rows of all samples of a group."""
        lock_to = self.options.gates.lock_to
        fitted = [s for s in members if lock_to in (None, self.timepoints.get(s))]
        if not fitted:
            note = f"not locked: no sample at {lock_to}; "
            return [row for s in members for row in self._alone(s, note)]
        found = self._fit(fitted)
        missing = [
            m for m, (gate, _) in found.items() if not np.isfinite(gate.threshold)
        ]
        if missing and fitted != members:
            again = self._fit(members)
            found |= {m: again[m] for m in missing}
        scope = self.options.gates.scope
        return [
            self._row(sample, marker, gate, scope, sources)
            for sample in members
            for marker, (gate, sources) in found.items()
        ]

    def _alone(self, sample: str, note: str) -> list[dict[str, Any]]:
        return [
            self._row(sample, m, Gate(gate.threshold, note + gate.note), "slide", used)
            for m, (gate, used) in self._fit([sample]).items()
        ]

    def _fit(self, samples: list[str]) -> dict[str, tuple[Gate, Sequence[str]]]:
        """Gates of the pooled cells by marker, and whose cells they were."""
        least = self.options.gates.min_cells
        large = [s for s in samples if len(self.levels[s]) >= least] or samples
        found = find_gates(
            pool([self.levels[s] for s in large]),
            self.panel,
            self.options.phenotype,
            control=self.control,
        )
        return {marker: (gate, large) for marker, gate in found.items()}

    def _row(
        self, sample: str, marker: str, gate: Gate, scope: str, sources: Sequence[str]
    ) -> dict[str, Any]:
        method = method_of(marker, self.options.phenotype)
        locked = self.options.gates.lock_to is not None and sample not in sources
        return {
            "sample": sample,
            "marker": marker,
            "threshold": gate.threshold,
            "method": "locked" if locked else method,
            "scope": scope,
            "note": f"{gate.note}; from {', '.join(sources)}",
        }
