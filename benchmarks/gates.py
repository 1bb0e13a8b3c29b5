"""Gates on synthetic slides: locking, markers that are not there, and every method."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.true_cells import demo_panel, f1, true_cells
from mifprofile.core.phenotype import marker_levels
from mifprofile.core.phenotype.gates import find_gate, find_gates, gate_alone
from mifprofile.core.phenotype.shared_gates import Levels, shared_gates
from mifprofile.io.results import Results
from mifprofile.io.synthetic import write_synthetic_slide
from mifprofile.io.tables import read_gates_used
from mifprofile.options import STAGES, GatesOptions, Options, PhenotypeOptions
from mifprofile.stages import Job, run_stage
from mifprofile.synthetic import SynthOptions
from mifprofile.synthetic.options import Mixture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.options import GateMethod

SIZE_MM = (0.6, 0.6)
# The methods were tuned on other seeds (100 to 114), and on the breast field.
EMPTY_SEEDS = range(20)
SEEDS = range(20, 25)
RUN_SEEDS = range(3)
RUN_MM = (0.4, 0.4)
MODERATE: dict[str, Any] = {
    "autofluorescence": 0.08,
    "bleed_through": 0.03,
    "spill_over": 0.12,
    "illumination": 0.1,
    "noise": 1.5,
    "blur_um": 0.5,
}
SLIDES: dict[str, dict[str, Any]] = {"clean": {}, "moderate faults": MODERATE}
NO_TREG = {
    "nest": Mixture(tumour=0.895, ctl=0.05, immune=0.035),
    "stroma": Mixture(ctl=0.14, immune=0.28),
}
RARE_TREG = {
    "nest": Mixture(tumour=0.88, ctl=0.05, treg=0.01, immune=0.035),
    "stroma": Mixture(ctl=0.14, treg=0.02, immune=0.27),
}
METHODS: tuple[GateMethod, ...] = ("evidence", "gmm", "li", "otsu", "triangle")


def figures() -> str:
    """Tables on gates, measured with the true masks."""
    faults = ", ".join(f"{k} {v:g}" for k, v in MODERATE.items())
    text = (
        "## Gates\n\nSynthetic slides of 0.36 mm² (some 2,100 cells), measured with "
        f"the true masks unless said otherwise. Moderate faults: {faults}."
    )
    return "\n\n".join([text, _absent(), _whole_way(), _methods(), _locking()])


def _absent() -> str:
    """How often a positive population is invented, or a rare one missed."""
    rows = []
    for name, faults in SLIDES.items():
        without = [_foxp3(seed, NO_TREG | faults) for seed in EMPTY_SEEDS]
        rare = [_foxp3(seed, RARE_TREG | faults) for seed in SEEDS]
        found = [
            f1(positive, levels > threshold) for threshold, levels, positive in rare
        ]
        shares = [100 * positive.mean() for *_, positive in rare]
        invented = sum(bool(np.isfinite(threshold)) for threshold, *_ in without)
        rows.append(
            f"| {name} | {invented} of {len(without)} | "
            f"{min(shares):.1f}–{max(shares):.1f} % | {min(found):.3f} |"
        )
    return _table(
        f"FOXP3 on slides without a FOXP3+ cell (seeds {_span(EMPTY_SEEDS)}) and with "
        f"few (seeds {_span(SEEDS)}):",
        ["slides", "FOXP3 gates invented", "true FOXP3+ where rare", "lowest F1"],
        rows,
    )


def _whole_way() -> str:
    """The same with the cells that our own segmentation finds."""
    rows = []
    for name, faults in SLIDES.items():
        grades = [
            _run(SynthOptions(size_mm=RUN_MM, seed=seed, **NO_TREG, **faults))
            for seed in RUN_SEEDS
        ]
        invented = sum(grade in ("clear", "graded") for grade in grades)
        rows.append(f"| {name} | {invented} of {len(grades)} |")
    return _table(
        f"The same without FOXP3+ cells, as found by our own segmentation (seeds "
        f"{_span(RUN_SEEDS)}, {RUN_MM[0]:g} mm):",
        ["slides", "FOXP3 gates invented"],
        rows,
    )


def _run(options: SynthOptions) -> str:
    """Grade of the gate of FOXP3 after a run."""
    with tempfile.TemporaryDirectory() as folder:
        slide = write_synthetic_slide(Path(folder) / "slide.ome.tiff", options).slide
        job = Job(Results(Path(folder) / "out"), demo_panel(), slide=slide, quiet=True)
        for stage in STAGES[: STAGES.index("phenotype") + 1]:
            run_stage(job, stage)
        gates = read_gates_used(job.results.gates).set_index("marker")
    return str(gates.at["FOXP3", "grade"])


def _foxp3(
    seed: int, changes: dict[str, Any]
) -> tuple[float, NDArray[np.float64], NDArray[np.bool_]]:
    levels, positive = _measured(SynthOptions(size_mm=SIZE_MM, seed=seed, **changes))
    values = levels["FOXP3"].to_numpy()
    gate = gate_alone(values, PhenotypeOptions())
    return gate.threshold, values, positive["FOXP3"].to_numpy()


def _methods() -> str:
    """Lowest F1 of the calls over the seeds, by marker and method."""
    markers = list(demo_panel().markers)
    rows = []
    for name, faults in SLIDES.items():
        scores: dict[str, list[dict[str, float]]] = {}
        for seed in SEEDS:
            options = SynthOptions(size_mm=SIZE_MM, seed=seed, **faults)
            for method, row in _scores(*_measured(options)).items():
                scores.setdefault(method, []).append(row)
        for method, found in scores.items():
            lowest = pd.DataFrame(found, columns=markers).min()
            cells = " | ".join("" if np.isnan(v) else f"{v:.3f}" for v in lowest)
            rows.append(f"| {name} | {method} | {cells} |")
    return _table(
        f"Positivity, lowest F1 of seeds {_span(SEEDS)}; `control` takes CK+ cells as "
        "negatives of CD8 and FOXP3, and CD8+ cells as those of HER2:",
        ["slides", "method", *markers],
        rows,
    )


def _scores(
    levels: pd.DataFrame, positive: pd.DataFrame
) -> dict[str, dict[str, float]]:
    """F1 by method and marker."""
    found: dict[str, dict[str, float]] = {}
    for method in METHODS:
        found[method] = {
            marker: f1(
                positive[marker],
                levels[marker]
                > find_gate(
                    levels[marker].to_numpy(), method, PhenotypeOptions()
                ).threshold,
            )
            for marker in levels
        }
    rules = {"CD8": "CK+", "FOXP3": "CK+", "HER2": "CD8+"}
    anchored = find_gates(levels, demo_panel(), PhenotypeOptions(negatives=rules))
    found["control"] = {
        marker: f1(positive[marker], levels[marker] > anchored[marker].threshold)
        for marker in rules
    }
    return found


def _locking() -> str:
    """Two biopsies of a patient in which the true share of CD8+ cells doubles."""
    rows = []
    for name, faults in SLIDES.items():
        for seed in SEEDS:
            pair = [
                _measured(
                    SynthOptions(
                        size_mm=SIZE_MM,
                        seed=seed + 1000 * visit,
                        nest=Mixture(tumour=0.8 - ctl, ctl=ctl, immune=0.1),
                        stroma=Mixture(ctl=ctl, treg=0.07, immune=0.24),
                        **faults,
                    )
                )
                for visit, ctl in enumerate((0.06, 0.12))
            ]
            rows.append(f"| {name} | {seed} | {_change(pair)} |")
    return _table(
        "Two biopsies of one patient in which the CD8+ share doubles, stained alike "
        "(the second has the seed plus 1000):",
        [
            *("slides", "seed", "true change", "locked to baseline", "error"),
            *("slide by slide", "error"),
        ],
        rows,
    )


def _change(pair: list[tuple[pd.DataFrame, pd.DataFrame]]) -> str:
    levels = {f"visit{i}": Levels(table) for i, (table, _) in enumerate(pair)}
    truth = float(np.divide(*[p["CD8"].mean() for _, p in reversed(pair)]))
    cells = [f"{truth:.3f} ×"]
    for gates in (GatesOptions(scope="patient", lock_to="visit0"), GatesOptions()):
        groups = {
            name: name if gates.scope == "slide" else "patient" for name in levels
        }
        table = shared_gates(
            levels, groups, {n: n for n in levels}, demo_panel(), Options(gates=gates)
        )
        share = table[table["marker"] == "CD8"].set_index("sample")["positive_pct"]
        change = share["visit1"] / share["visit0"]
        cells += [f"{change:.3f} ×", f"{100 * (change / truth - 1):+.1f} %"]
    return " | ".join(cells)


def _measured(options: SynthOptions) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Levels of every cell and its true positivity, a column per marker."""
    slide = true_cells(options)
    known = slide.truth[[f"{m}_positive" for m in options.markers]]
    known.columns = list(options.markers)
    return marker_levels(slide.cells, demo_panel()), known


def _table(title: str, names: list[str], rows: list[str]) -> str:
    head = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join([title, "", *head, *rows])


def _span(seeds: range) -> str:
    return f"{seeds[0]}–{seeds[-1]}"
