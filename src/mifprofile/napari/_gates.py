"""Gates of one sample while someone moves them; knows nothing of a viewer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile import STAGES, open_results, run_stage
from mifprofile.viewer import (
    marker_levels,
    read_gates_used,
    read_manual_gates,
    read_parquet,
    write_table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

COLUMNS = (
    "sample",
    "marker",
    "threshold",
    "method",
    "scope",
    "note",
    "author",
    "time",
)
EVALUABLE = "qc_evaluable"
# Share of positive cells with the graded ones and its interval, %, in gates.csv.
SIZE = ("corrected_pct", "corrected_low", "corrected_high")
AFTER_GATES = STAGES[STAGES.index("phenotype") :]


class GateEditor:
    """The gates of a finished result folder, as they are and as they are moved.

    Cells in excluded areas are left out: gates do not rest on them.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    MifprofileError
        The folder is not finished, or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._job = open_results(folder)
        results, panel = self._job.results, self._job.panel
        columns = ["cell_id", *panel.level_columns.values()]
        table = read_parquet(results.measurements, columns)
        calls = read_parquet(results.phenotypes, ["cell_id", EVALUABLE])
        table = table.merge(calls, on="cell_id").query(EVALUABLE)
        self.cell_ids: NDArray[np.uint32] = table["cell_id"].to_numpy(np.uint32)
        self._levels = marker_levels(table, panel)
        self.reload()

    def reload(self) -> None:
        """Read the gates again; what was moved and not saved is forgotten."""
        results = self._job.results
        self._in_use = _rows(read_gates_used(results.gates))
        self._by_hand = _rows(read_manual_gates(results))
        # A new threshold, or None for "no longer set by hand".
        self._moved: dict[str, float | None] = {}

    @property
    def folder(self) -> Path:
        """The result folder."""
        return self._job.results.folder

    @property
    def markers(self) -> tuple[str, ...]:
        """Markers of the panel."""
        return tuple(self._job.panel.markers)

    @property
    def nucleus(self) -> str:
        """Channel of the nuclear stain."""
        return self._job.panel.nucleus

    @property
    def is_moved(self) -> bool:
        """Whether there is something to save."""
        return bool(self._moved)

    def channel(self, marker: str) -> str:
        """Channel in which a marker is seen."""
        return self._job.panel.markers[marker].channel

    def levels(self, marker: str) -> NDArray[np.float64]:
        """Level of every evaluable cell, as the panel reads the marker."""
        return self._levels[marker].to_numpy(float)

    def in_use(self, marker: str) -> dict[str, Any]:
        """Row of ``gates.csv`` that the present phenotypes rest on."""
        return self._in_use[marker]

    def threshold(self, marker: str) -> float:
        """The gate as it stands; NaN if there is none."""
        given = self._given(marker)
        return float(self._in_use[marker]["threshold"]) if given is None else given

    def is_decided(self, marker: str) -> bool:
        """Whether a person or the stage has said which cells are positive."""
        found = self._in_use[marker]["grade"] != "undecided"
        return found or self._given(marker) is not None

    def move(self, marker: str, threshold: float) -> None:
        """Set a gate; NaN says that no cell is positive."""
        self._moved[marker] = threshold

    def reset(self, marker: str) -> None:
        """Take a gate out of people's hands: it is found anew when applied."""
        self._moved.pop(marker, None)
        if marker in self._by_hand:
            self._moved[marker] = None

    def above(self, marker: str) -> NDArray[np.bool_]:
        """Whether each cell lies above the gate."""
        return self.levels(marker) > self.threshold(marker)

    def describe(self, marker: str) -> str:
        """Count and share of the cells above the gate, beside those in use.

        Of a marker that nobody has decided there is no number.
        """
        now = f"{marker}+: {_share(self.above(marker))}"
        if not self.is_decided(marker):
            now = f"{marker} is undecided: nobody can tell how many cells are positive"
        return f"{now}\nin use: {self._describe_in_use(marker)}"

    def describe_grade(self, marker: str) -> str:
        """How firm the gate in use is, and the size of the population if known."""
        row = self.in_use(marker)
        size, low, high = (float(row.get(name, np.nan)) for name in SIZE)
        if np.isnan(size):
            return str(row["grade"])
        return (
            f"{row['grade']}; {size:.1f} % ({low:.1f} to {high:.1f} %) "
            "with the graded cells"
        )

    def describe_origin(self, marker: str) -> str:
        """Who or what set the gate, and whether it is saved."""
        if marker in self._moved:
            if self._moved[marker] is None:
                return "will be found automatically when applied"
            return "moved by hand, not saved"
        row = self._by_hand.get(marker)
        if row is not None:
            return f"set by hand by {row['author']}, {row['time']}"
        row = self.in_use(marker)
        return f"{row['method']}: {row['note']}" if row["note"] else str(row["method"])

    def shown_values(self, marker: str) -> NDArray[np.uint32]:
        """Values for `PaintedLabels` that show the cells above the gate alone."""
        values = np.zeros(int(self.cell_ids.max(initial=0)) + 1, np.uint32)
        chosen = self.cell_ids[self.above(marker)]
        values[chosen] = chosen
        return values

    def save(self, author: str, note: str) -> Path:
        """Write the gates set by hand to the folder's ``gates_manual.csv``.

        Rows that were not moved keep their author and time. With no row left, the file
        is removed.
        """
        results = self._job.results
        signed = {
            "sample": results.sample_id,
            "method": "manual",
            "scope": "slide",
            "note": note,
            "author": author,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        rows = {k: row for k, row in self._by_hand.items() if k not in self._moved}
        for marker, threshold in self._moved.items():
            if threshold is not None:
                rows[marker] = signed | {"marker": marker, "threshold": threshold}
        path = results.gates_manual
        if rows:
            write_table(pd.DataFrame(list(rows.values()), columns=list(COLUMNS)), path)
        else:
            path.unlink(missing_ok=True)
        self._by_hand, self._moved = rows, {}
        return path

    def apply(self) -> Iterator[str]:
        """Run every stage that rests on the gates; yields each one's name before."""
        for stage in AFTER_GATES:
            yield stage
            run_stage(self._job, stage)

    def _given(self, marker: str) -> float | None:
        """The gate that a person has set, saved or not; None if nobody has."""
        if marker in self._moved:
            return self._moved[marker]
        row = self._by_hand.get(marker)
        return None if row is None else float(row["threshold"])

    def _describe_in_use(self, marker: str) -> str:
        row = self.in_use(marker)
        if row["grade"] == "undecided":
            return "undecided"
        gate = float(row["threshold"])
        return "no gate" if np.isnan(gate) else _share(self.levels(marker) > gate)


def _share(above: NDArray[np.bool_]) -> str:
    percent = 100 * float(above.mean()) if above.size else 0.0
    return f"{int(above.sum()):,} of {above.size:,} evaluable cells ({percent:.1f} %)"


def _rows(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Gate rows by marker; an empty text is ``""``."""
    text = [name for name in COLUMNS if name != "threshold"]
    table = table.assign(**table[text].astype(object).fillna(""))
    return {str(row["marker"]): row for row in table.to_dict("records")}
