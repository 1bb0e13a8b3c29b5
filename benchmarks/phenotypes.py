"""Confidence, uncertain cells and conflicts in the true cells of synthetic slides."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.true_cells import demo_panel, true_cells
from mifprofile.core.phenotype import call_cells, marker_levels
from mifprofile.core.phenotype.conflicts import impossible_combinations
from mifprofile.core.phenotype.gates import find_gates
from mifprofile.model import UNCERTAIN
from mifprofile.options import PhenotypeOptions
from mifprofile.synthetic import SynthOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mifprofile.model import Panel

SLIDES: dict[str, dict[str, Any]] = {
    "hard": {},
    "strong spill-over": {"spill_over": 0.2},
    "dim": {"positive_level": 5000.0},
    "broad levels": {"level_spread": 0.8},
    "blurred": {"blur_um": 1.0},
    "dim, noisy": {"positive_level": 5000.0, "noise": 4.0, "spill_over": 0.12},
    "single events": {"look": "sparse"},
    "easy": {"look": "easy"},
}
SEED = 1
EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
LOW_GATE = 0.7


@dataclass(frozen=True)
class Slide:
    """A synthetic slide as measured in its true cells, and the truth about them."""

    levels: pd.DataFrame
    truth: pd.DataFrame
    contacts: pd.DataFrame
    gates: dict[str, float]
    undecided: frozenset[str]

    def calls(self, panel: Panel, gate_factor: float = 1.0) -> pd.DataFrame:
        """Every cell's calls with the fitted gates, or with multiples of them."""
        gates = {marker: gate * gate_factor for marker, gate in self.gates.items()}
        least = PhenotypeOptions().min_confidence
        calls = call_cells(self.levels, gates, panel, least, undecided=self.undecided)
        return calls.assign(cell_id=self.truth["cell_id"])


def figures() -> str:
    """Markdown: how often cells of a confidence are right, and what conflicts show."""
    panel = demo_panel()
    slides = {name: make(panel, **faults) for name, faults in SLIDES.items()}
    judged = {name: _judged(slide, panel) for name, slide in slides.items()}
    judged["all"] = pd.concat(judged.values())
    bins = (*(f"{low:g}-{high:g}" for low, high in pairwise(EDGES)), "unknown")
    parts = [
        "## Phenotypes in the true cells of synthetic slides",
        "Right cells by confidence, % (cells):",
        _table(
            ("slide", *bins),
            [(name, *_calibration(cells)) for name, cells in judged.items()],
        ),
        f"Uncertain below {PhenotypeOptions().min_confidence:g}:",
        _table(
            ("slide", "uncertain, %", "wrong of these, %", "wrong of others, %"),
            [(name, *_uncertain(cells)) for name, cells in judged.items()],
        ),
        f"Conflicts, with gates at {LOW_GATE:g} of what was fitted:",
        _table(
            ("slide", "pair", "cells", "touching, %", "by chance, %", "reading"),
            [row for name in slides for row in _conflicts(name, slides[name], panel)],
        ),
    ]
    return "\n\n".join(parts)


def make(panel: Panel, look: str = "hard", **faults: Any) -> Slide:
    """Draw a slide of 1 mm² and measure it in its true cells."""
    slide = true_cells(SynthOptions.look(look, seed=SEED, **faults))
    levels = marker_levels(slide.cells, panel)
    gates = find_gates(levels, panel, PhenotypeOptions(), cells=slide.cells)
    thresholds = {m: gate.threshold for m, gate in gates.items()}
    unknown = frozenset(m for m, gate in gates.items() if gate.grade == "undecided")
    return Slide(levels, slide.truth, slide.contacts, thresholds, unknown)


def _judged(slide: Slide, panel: Panel) -> pd.DataFrame:
    calls = slide.calls(panel)
    return pd.DataFrame(
        {
            "sure": calls["phenotype_confidence"],
            "right": calls["phenotype_best"] == slide.truth["phenotype"],
            "uncertain": calls["phenotype"] == UNCERTAIN,
        }
    )


def _calibration(cells: pd.DataFrame) -> list[str]:
    known = cells["sure"].notna()
    bins = np.where(known, np.digitize(cells["sure"], EDGES[1:-1]), len(EDGES) - 1)
    groups = [cells["right"][bins == i] for i in range(len(EDGES))]
    return [f"{100 * g.mean():.0f} ({len(g)})" if len(g) else "- (0)" for g in groups]


def _uncertain(cells: pd.DataFrame) -> list[str]:
    wrong = ~cells["right"]
    parts = wrong[cells["uncertain"]], wrong[~cells["uncertain"]]
    shares = [cells["uncertain"].mean(), *(part.mean() for part in parts)]
    return [f"{100 * share:.2f}" for share in shares]


def _conflicts(name: str, slide: Slide, panel: Panel) -> Iterator[tuple[str, ...]]:
    calls = slide.calls(panel, LOW_GATE)
    found = impossible_combinations(calls, slide.levels, panel, slide.contacts)
    for row in found.to_dict("records"):
        percents = (row["touching_percent"], row["expected_percent"])
        yield (
            name,
            row["combination"],
            str(row["cells"]),
            *(f"{percent:.0f}" for percent in percents),
            row["reading"],
        )


def _table(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [names, ("---",) * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(figures())
