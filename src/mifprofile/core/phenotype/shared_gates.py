"""Gates that several samples share: by patient, batch or cohort, and locked ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.core.phenotype.gates import (
    GATE_COLUMNS,
    GATE_FIGURES,
    Gate,
    find_gates,
    gate_figures,
    grade_of,
    method_of,
    pool,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mifprofile.model import Panel
    from mifprofile.options import Options

# A gate's own error is seen in so many parts of its sample's cells, if most have one.
PARTS = 8
MIN_PARTS = 4


@dataclass(frozen=True)
class Levels:
    """What the gates of one sample are found in.

    Attributes
    ----------
    levels : pandas.DataFrame
        A column per marker, a row per cell.
    cells : pandas.DataFrame or None
        The same cells as measured.
    """

    levels: pd.DataFrame
    cells: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.levels)

    def part(self, rows: slice) -> Levels:
        """Some of the cells."""
        cells = self.cells
        return Levels(self.levels[rows], None if cells is None else cells[rows])

    @classmethod
    def pooled(cls, samples: Sequence[Levels]) -> Levels:
        """Cells of several samples, no more of any than of the middle one."""
        tables = [s.cells for s in samples if s.cells is not None]
        cells = pool(tables) if len(tables) == len(samples) else None
        return cls(pool([s.levels for s in samples]), cells)


def shared_gates(
    samples: Mapping[str, Levels],
    groups: Mapping[str, str],
    timepoints: Mapping[str, str],
    panel: Panel,
    options: Options,
    control: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Gates of samples that are gated together.

    Every sample is gated alone first, and the group's gate is the median of theirs, so
    that neither a large sample nor an odd one decides for the others. Where none shows
    a population, the pooled cells are looked at. With ``options.gates.lock_to`` only
    the group's samples at that timepoint are fitted; the gates of the others are
    ``locked`` to them. Where these show no positive population, all of the group are
    fitted, so that cells which come with the treatment are not overlooked. A group
    without such a sample is gated slide by slide.

    Parameters
    ----------
    samples : mapping of str to Levels
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
        A row per sample and marker: `GATE_COLUMNS`, ``own``, the threshold that the
        sample's cells would have been given alone, and `GATE_FIGURES`.
    """
    rows: list[dict[str, Any]] = []
    for group in dict.fromkeys(groups.values()):
        members = {s: v for s, v in samples.items() if groups[s] == group}
        rows += _Group(members, timepoints, panel, options, control).rows()
    levels = {name: sample.levels for name, sample in samples.items()}
    return with_figures(pd.DataFrame(rows, columns=[*GATE_COLUMNS, "own"]), levels)


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
class _Shared:
    """A gate of a group, and of which samples it was made."""

    gate: Gate
    sources: tuple[str, ...]


@dataclass(frozen=True)
class _Group:
    """Samples that share their gates."""

    members: Mapping[str, Levels]
    timepoints: Mapping[str, str]
    panel: Panel
    options: Options
    control: pd.DataFrame | None

    def rows(self) -> list[dict[str, Any]]:
        """One row per sample and marker."""
        lock_to = self.options.gates.lock_to
        fitted = [s for s in self.members if lock_to in (None, self.timepoints.get(s))]
        if self.options.gates.scope == "slide" or not fitted:
            note = "" if fitted else f"not locked: no sample at {lock_to}; "
            return [row for s in self.members for row in self._alone(s, note)]
        shared = {m: self._shared(m, fitted) for m in self.own[fitted[0]]}
        if len(fitted) < len(self.members):
            everyone = list(self.members)
            shared = {
                m: found if found.gate.found else self._shared(m, everyone)
                for m, found in shared.items()
            }
        return [
            self._row(sample, marker, found)
            for sample in self.members
            for marker, found in shared.items()
        ]

    @cached_property
    def own(self) -> dict[str, dict[str, Gate]]:
        """Gates of every sample from its own cells."""
        return {name: self._find(sample) for name, sample in self.members.items()}

    def _find(self, sample: Levels) -> dict[str, Gate]:
        return find_gates(
            sample.levels,
            self.panel,
            self.options.phenotype,
            control=self.control,
            cells=sample.cells,
        )

    def _alone(self, sample: str, note: str) -> list[dict[str, Any]]:
        return [
            self._fields(sample, m, gate.threshold)
            | {
                "grade": gate.grade,
                "method": method_of(m, self.options.phenotype),
                "scope": "slide",
                "note": f"{note}{gate.note}; from {sample}",
            }
            for m, gate in self.own[sample].items()
        ]

    def _shared(self, marker: str, fitted: list[str]) -> _Shared:
        """Median of the samples' own gates, else the gate of their pooled cells."""
        least = self.options.gates.min_cells
        large = [s for s in fitted if len(self.members[s]) >= least] or fitted
        found = [s for s in large if self.own[s][marker].found]
        if len(found) == 1:
            return _Shared(self.own[found[0]][marker], tuple(large))
        if found:
            middle = _median([self.own[s][marker].threshold for s in found])
            note = f"median of the gates of {len(found)} of {len(large)} samples"
            return _Shared(Gate(middle, note, "graded"), tuple(large))
        return _Shared(self._pooled(tuple(large))[marker], tuple(large))

    def _pooled(self, names: tuple[str, ...]) -> dict[str, Gate]:
        if len(names) == 1:
            return self.own[names[0]]
        if names not in self._of_pools:
            cells = Levels.pooled([self.members[s] for s in names])
            self._of_pools[names] = self._find(cells)
        return self._of_pools[names]

    @cached_property
    def _of_pools(self) -> dict[tuple[str, ...], dict[str, Gate]]:
        return {}

    def _row(self, sample: str, marker: str, shared: _Shared) -> dict[str, Any]:
        gates, sources = self.options.gates, shared.sources
        method = method_of(marker, self.options.phenotype)
        locked = gates.lock_to is not None and sample not in sources
        threshold = shared.gate.threshold
        if gates.sharing == "shrunk" and not locked:
            threshold = self._shrunk(sample, marker, shared)
        levels = self.members[sample].levels[marker].to_numpy(float)
        own = self.own[sample][marker]
        given = own.grade if own.threshold == threshold else ""
        known = shared.gate.found or np.isfinite(threshold)
        return self._fields(sample, marker, threshold) | {
            "grade": grade_of(levels, threshold, given) if known else shared.gate.grade,
            "method": "locked" if locked else method,
            "scope": gates.scope,
            "note": f"{shared.gate.note}; from {', '.join(sources)}",
        }

    def _fields(self, sample: str, marker: str, threshold: float) -> dict[str, Any]:
        own = self.own[sample][marker].threshold
        return {
            "sample": sample,
            "marker": marker,
            "threshold": threshold,
            "own": own,
        }

    def _shrunk(self, sample: str, marker: str, shared: _Shared) -> float:
        """A sample's own gate, drawn to the group's as far as it is uncertain.

        Both are weighted by their precision on the logarithm: of the own gate as seen
        in parts of the sample, of the group's as the samples differ beyond that error
        (DerSimonian and Laird 1986).
        """
        middle, gate = shared.gate.threshold, self.own[sample][marker]
        if not (gate.found and middle > 0 and gate.threshold > 0):
            return middle
        own = [s for s in shared.sources if self.own[s][marker].found]
        errors = np.array([self._variance(s, marker) for s in own])
        logs = np.log([self.own[s][marker].threshold for s in own])
        between = _between_samples(logs, errors)
        error = self._variance(sample, marker)
        if between + error == 0 or not np.isfinite(error):
            return middle
        weight = between / (between + error)
        return float(
            np.exp(weight * np.log(gate.threshold) + (1 - weight) * np.log(middle))
        )

    def _variance(self, sample: str, marker: str) -> float:
        """Variance of the logarithm of a sample's own gate; infinite if unknown."""
        logs = [
            np.log(gates[marker].threshold)
            for gates in self._parts(sample)
            if gates[marker].found and gates[marker].threshold > 0
        ]
        return float(np.var(logs, ddof=1)) / PARTS if len(logs) >= MIN_PARTS else np.inf

    def _parts(self, sample: str) -> list[dict[str, Gate]]:
        if sample not in self._of_parts:
            cells = self.members[sample]
            parts = [cells.part(slice(k, None, PARTS)) for k in range(PARTS)]
            self._of_parts[sample] = [self._find(part) for part in parts]
        return self._of_parts[sample]

    @cached_property
    def _of_parts(self) -> dict[str, list[dict[str, Gate]]]:
        return {}


def _between_samples(logs: NDArray[np.float64], errors: NDArray[np.float64]) -> float:
    """Variance between samples beyond their own errors (DerSimonian and Laird 1986)."""
    known = np.isfinite(errors) & (errors > 0)
    if known.sum() < 2:
        return 0.0
    y, w = logs[known], 1 / errors[known]
    q = float((w * (y - (w * y).sum() / w.sum()) ** 2).sum())
    scale = float(w.sum() - (w**2).sum() / w.sum())
    return max(0.0, (q - (known.sum() - 1)) / scale)


def _median(thresholds: list[float]) -> float:
    """Median on the logarithm, where there is one."""
    if min(thresholds) <= 0 or len(thresholds) % 2:
        return float(np.median(thresholds))
    return float(np.exp(np.median(np.log(thresholds))))
