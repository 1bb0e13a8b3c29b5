"""What a reader of a report must know before its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mifprofile.core.facts import (
    IngestFacts,
    PhenotypeFacts,
    QualityFacts,
    SegmentFacts,
)
from mifprofile.core.panel.capability import traps
from mifprofile.core.phenotype.conflict_rates import judge_rate
from mifprofile.core.quality import NO_TISSUE, QualityVerdict
from mifprofile.model import PLAUSIBLE_UM, UNCERTAIN
from mifprofile.report.wording import number

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from mifprofile.report.content import ReportContent

Level = Literal["fail", "warn", "note"]

# Blurred and noisy synthetic slides stay below 2 %.
MAX_UNCERTAIN_PERCENT = 5.0
# Of a field within the tissue, tissue lies on more of the border.
MAX_BORDER = 0.5
# Share of cells that have a straight edge along a line by chance.
MIN_STRAIGHT = 0.005


@dataclass(frozen=True)
class Finding:
    """One sentence, and how much it matters."""

    level: Level
    text: str


def find(content: ReportContent) -> tuple[Finding, ...]:
    """All findings, the gravest first."""
    found = [
        *_about_quality(content),
        *_about_tissue(content),
        *_about_cells(content),
        *_about_gates(content),
        *_about_combinations(content),
        *_about_antibodies(content),
        *_about_borders(content),
        *_about_pixels(content),
        *_about_seams(content),
        *_about_sources(content),
    ]
    order: tuple[Level, ...] = ("fail", "warn", "note")
    return tuple(sorted(found, key=lambda finding: order.index(finding.level)))


def _about_tissue(content: ReportContent) -> Iterator[Finding]:
    if content.value("area", "tissue").get("value", 0.0) == 0:
        yield Finding("fail", "No tissue was found: there is nothing to count on.")
    elif content.panel.tumour is None:
        text = "The panel names no tumour, so tumour and stroma are not told apart."
        yield Finding("note", text)
    elif content.value("area", "tumour").get("value", 0.0) == 0:
        text = "No tumour nest was found: tumour and stroma have no densities."
        yield Finding("warn", text)


def _about_borders(content: ReportContent) -> Iterator[Finding]:
    share = QualityFacts.of(content.records.get("quality")).border_share
    if share is not None and share > MAX_BORDER:
        text = (
            f"The tissue goes on beyond {number(100 * share)} % of the image's border: "
            "areas and numbers are those of the field, not of the whole tissue."
        )
        yield Finding("note", text)


def _about_quality(content: ReportContent) -> Iterator[Finding]:
    verdict = content.verdict or QualityVerdict("pass")
    # Of these other findings tell, with more.
    told = (NO_TISSUE, *(f"{name} is" for name in content.impossible["combination"]))
    for reason in verdict.reasons:
        if not reason.startswith(told):
            level: Level = "fail" if verdict.word == "fail" else "warn"
            yield Finding(level, f"{reason[:1].upper()}{reason[1:]}.")


def _about_cells(content: ReportContent) -> Iterator[Finding]:
    counts = PhenotypeFacts.of(content.records.get("phenotype")).cells
    if content.levels.empty:
        none = "No cell was found."
        text = "Every cell is excluded." if any(counts.values()) else none
        yield Finding("fail", text)
    percent = 100 * counts.get(UNCERTAIN, 0) / max(sum(counts.values()), 1)
    if percent > MAX_UNCERTAIN_PERCENT:
        text = f"{number(percent)} % of the cells lie too near a gate to be named."
        yield Finding("warn", text)


def _about_gates(content: ReportContent) -> Iterator[Finding]:
    if content.levels.empty:
        return
    told = _told_undecided(content)
    for gate in content.gates.to_dict("records"):
        if gate["grade"] == "undecided" and gate["marker"] not in told:
            note = f" ({gate['note']})" if gate["note"] else ""
            text = (
                f"{gate['marker']} is undecided: its cells were not told apart, which "
                f"is no zero{note}. Set its gate in napari, or in gates.csv."
            )
            yield Finding("warn", text)
        if gate["drift"]:
            text = f"The gate of {gate['marker']} may not fit here: {gate['drift']}."
            yield Finding("warn", text)


def _told_undecided(content: ReportContent) -> set[str]:
    """Undecided markers that the verdict names: those that a phenotype asks for."""
    verdict = content.verdict or QualityVerdict("pass")
    if not any(" undecided, and " in reason for reason in verdict.reasons):
        return set()
    return {marker for rule in content.panel.rules.values() for marker, _ in rule.signs}


def _about_combinations(content: ReportContent) -> Iterator[Finding]:
    for row in content.impossible.to_dict("records"):
        text, rate, of = str(row["combination"]), row["percent"], int(row["of"])
        verdict = judge_rate(text, rate, of, content.panel)
        if verdict.word in {"warn", "fail"}:
            limit = verdict.fail if verdict.word == "fail" else verdict.warn
            yield Finding(
                verdict.word,
                f"{text}: {number(rate)} % of {number(of)} cells, above the limit of "
                f"{number(limit)} %; {_cause(row)}.",
            )


def _cause(row: dict[Hashable, Any]) -> str:
    if not row["reading"]:
        return "look for spill-over or a gate set too low"
    return (
        f"{number(row['touching_percent'])} % of them touch an opposite cell, "
        f"{number(row['expected_percent'])} % would by chance: {row['reading']}"
    )


def _about_antibodies(content: ReportContent) -> Iterator[Finding]:
    for trap in traps(content.panel):
        yield Finding("warn", f"{trap.text}.")


def _about_pixels(content: ReportContent) -> Iterator[Finding]:
    um = content.pixel_size_um
    if um is not None and not PLAUSIBLE_UM[0] <= um <= PLAUSIBLE_UM[1]:
        low, high = PLAUSIBLE_UM
        text = f"The pixel size of {um:g} µm is outside the usual {low}–{high} µm."
        yield Finding("warn", text)
    source = IngestFacts.of(content.records.get("ingest")).pixel_size_from
    if source == "--pixel-size":
        text = f"The pixel size of {um:g} µm was given by hand, not read from the file."
        yield Finding("note", text)


def _about_seams(content: ReportContent) -> Iterator[Finding]:
    """Cells whose outline follows a line where blocks meet, against other lines."""
    seams = SegmentFacts.of(content.records.get("segment")).seams
    if seams is None:
        return
    cells, straight = seams.cells_on_block_lines, seams.straight_on_block_lines
    others, chance = seams.cells_elsewhere, seams.straight_elsewhere
    if not cells:
        yield Finding("note", "No cell lies on a line where blocks meet.")
        return
    text = (
        f"Of {number(cells)} cells on the lines where blocks meet {number(straight)} "
        f"have an outline straight along the line; of {number(others)} on lines "
        f"half-way between, {number(chance)}."
    )
    expected = max(chance / others if others else 0.0, MIN_STRAIGHT) * cells
    cut = straight > expected + 3 * np.sqrt(expected) + 3
    yield Finding("warn" if cut else "note", text)


def _about_sources(content: ReportContent) -> Iterator[Finding]:
    if SegmentFacts.of(content.records.get("segment")).model == "masks":
        yield Finding("note", "Cells come from masks made elsewhere.")
    by_hand = content.gates[content.gates["method"] == "manual"]["marker"]
    if len(by_hand):
        yield Finding("note", f"Gates set by hand: {', '.join(by_hand)}.")
    shared = content.gates[content.gates["scope"] != "slide"]
    for scope, rows in shared.groupby("scope", sort=False):
        text = f"Gates of the whole {scope}, not this slide's: "
        yield Finding("note", f"{text}{', '.join(rows['marker'])}.")
