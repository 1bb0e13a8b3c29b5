"""Calls on real stains against people's, nulls and power, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from benchmarks.breast import UM, WITHIN_UM, analyse, compare, references
from benchmarks.true_cells import demo_panel, f1, true_cells
from mifprofile.core.agreement import match_positions
from mifprofile.core.phenotype import call_cells, marker_levels
from mifprofile.core.phenotype.gates import Gate, find_gate, find_gates, gate_figures
from mifprofile.core.phenotype.shared_gates import Levels, shared_gates
from mifprofile.io.cell_tables import read_cell_table
from mifprofile.io.config import override_options, read_panel
from mifprofile.io.results import Results
from mifprofile.options import STAGES, GatesOptions, Options, PhenotypeOptions
from mifprofile.stages import Job, run_stage
from mifprofile.stages.phenotype import evaluable_cells
from mifprofile.synthetic import SynthOptions
from mifprofile.synthetic.options import Mixture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from mifprofile.model import Panel
    from mifprofile.options import GateMethod

PANELS = Path(__file__).parent / "panels"
# Before: the default of old. Li: a dozen lines that need no tuning.
METHODS: dict[str, GateMethod] = {"before": "gmm", "Li": "li", "now": "evidence"}
LUNG = {"CK": "CK+", "CD8": "CD8+", "FOXP3": "FoxP3+", "CD68": "CD68+"}
HARD_MM = (0.8, 0.8)
# The hard slide and its gates were looked at on other seeds.
HARD_SEEDS = range(300, 320)
SERIAL_SEEDS = range(300, 304)
CORES = ("core_a", "core_b", "core_c")
# Marker of the breast field: what it tells, and what it can be gated by.
STATISTICS = {
    "CD8": (
        "CD8",
        ("membrane_mean", "membrane_p95", "membrane_positive_fraction", "cell_mean"),
    ),
    "PanCK": (
        "tumour",
        ("cytoplasm_mean", "cytoplasm_p95", "cytoplasm_positive_fraction", "cell_mean"),
    ),
    "FOXP3": ("Treg", ("nucleus_mean", "nucleus_p95", "nc_ratio", "cell_mean")),
}
# Published figure of an image: the marker that is called, among all or tumour cells.
MIBI: dict[str, tuple[str, bool]] = {
    "CD8": ("CD8", False),
    "immune": ("CD45", False),
    "tumour": ("tumour", False),
    "HER2+": ("HER2", True),
    "HER2 intense": ("HER2", True),
    "Ki67": ("Ki67", True),
    "ER": ("ER", True),
    "PD-L1": ("PD-L1", True),
}


@dataclass(frozen=True)
class Known:
    """Cells of a sample, and which markers people call positive on each."""

    sample: Levels
    positive: pd.DataFrame


def panel_of(name: str) -> Panel:
    """Panel of one of the real sets."""
    return read_panel(PANELS / f"{name}.yaml")


def lung_field(data: Path) -> Known:
    """The field of `lung_inform`, with inForm's own phenotypes."""
    panel = panel_of("lung")
    folder = data / "lung_inform"
    read = read_cell_table(folder / "sample_cell_seg_data.csv.gz", panel, UM)
    called = {m: read.cells["phenotype_given"] == name for m, name in LUNG.items()}
    return Known(_levels(read.cells, panel), pd.DataFrame(called))


def halo_cores(data: Path) -> dict[str, Known]:
    """The cores of `halo_cores`, with people's calls."""
    panel = panel_of("halo")
    cores = {}
    for core in CORES:
        path = data / "halo_cores" / f"{core}.csv.gz"
        cells = read_cell_table(path, panel, UM).cells
        called = {m: cells[f"{m}_positive"].astype(bool) for m in panel.markers}
        hidden = cells.drop(columns=[f"{m}_positive" for m in panel.markers])
        cores[core] = Known(_levels(hidden, panel), pd.DataFrame(called))
    return cores


def _levels(cells: pd.DataFrame, panel: Panel) -> Levels:
    return Levels(marker_levels(cells, panel), cells)


def measured(slide: Path, panel: Panel, out: Path, um: float | None = None) -> Levels:
    """Run a slide up to its measured cells, with defaults."""
    given: dict[str, Any] = {"ingest": {"pixel_size_um": um}} if um else {}
    options = override_options(Options(), given, "benchmark")
    job = Job(Results(out), panel, options, slide=slide, quiet=True)
    for stage in STAGES[: STAGES.index("phenotype")]:
        run_stage(job, stage)
    return evaluable_cells(job.results, panel)


def mibi_images(data: Path, out: Path) -> dict[str, Levels]:
    """Every image of `mibi_dcis`, measured, by its number."""
    slides = sorted((data / "mibi_dcis").glob("point_*.ome.tif"))
    panel = panel_of("mibi")
    return {
        path.name.split("_")[1].split(".")[0]: measured(path, panel, out / path.name)
        for path in slides
    }


def published(data: Path) -> pd.DataFrame:
    """The authors' figures of each image, a column per key of `MIBI`."""
    table = pd.read_csv(data / "mibi_dcis" / "published_per_image.csv")
    table = table.set_index(table["PointNumber"].astype(str))
    cd8 = sum(
        table[f"{place}mask_density_CD8T"] * table[f"{area}_area"]
        for place, area in (("E", "epi"), ("S", "stroma"))
    )
    states = ("HER2", "HER2intense", "Ki67", "ER", "PDL1")
    shares = [table[f"Status_tumor_{state}_freq"] for state in states]
    whole = [table["Total_immune_cells"], table["Total_tumor_cells"]]
    parts = [part / table["Total_cells"] for part in (cd8, *whole)]
    return pd.DataFrame(dict(zip(MIBI, [*parts, *shares], strict=True)))


def own_gates(
    sample: Levels, panel: Panel, method: GateMethod = "evidence"
) -> dict[str, Gate]:
    """Gates of one sample alone."""
    options = PhenotypeOptions(method=method)
    return find_gates(sample.levels, panel, options, cells=sample.cells)


def cohort_gates(
    samples: Mapping[str, Levels], panel: Panel, method: GateMethod = "evidence"
) -> dict[str, dict[str, float]]:
    """One threshold per marker for all samples, by sample and marker."""
    options = Options(
        gates=GatesOptions(scope="cohort"), phenotype=PhenotypeOptions(method=method)
    )
    table = shared_gates(samples, dict.fromkeys(samples, "all"), {}, panel, options)
    return {
        str(name): dict(zip(rows["marker"], rows["threshold"], strict=True))
        for name, rows in table.groupby("sample")
    }


def thresholds(gates: Mapping[str, Gate]) -> dict[str, float]:
    """Threshold by marker."""
    return {marker: gate.threshold for marker, gate in gates.items()}


def best_kappa(levels: pd.Series, truth: pd.Series) -> float:
    """Kappa of the best single threshold."""
    ordered = levels.to_numpy(float)
    cuts = np.unique(np.quantile(ordered, np.linspace(0.01, 0.999, 400)))
    return max(float(cohen_kappa_score(truth, ordered > cut)) for cut in cuts)


def lung_kappas(data: Path, method: GateMethod = "evidence") -> pd.DataFrame:
    """Kappa with inForm's calls, and of the best threshold, by marker."""
    field = lung_field(data)
    gates = own_gates(field.sample, panel_of("lung"), method)
    rows = {}
    for marker, truth in field.positive.items():
        levels = field.sample.levels[marker]
        kappa = cohen_kappa_score(truth, levels > gates[str(marker)].threshold)
        rows[marker] = {"kappa": kappa, "best": best_kappa(levels, truth)}
    return pd.DataFrame(rows).T


def halo_calls(
    data: Path, method: GateMethod = "evidence", *, together: bool = False
) -> pd.DataFrame:
    """People's positive cells, cells called in %, and F1, by core and marker."""
    cores = halo_cores(data)
    panel = panel_of("halo")
    samples = {name: core.sample for name, core in cores.items()}
    cuts = (
        cohort_gates(samples, panel, method)
        if together
        else {n: thresholds(own_gates(s, panel, method)) for n, s in samples.items()}
    )
    rows = [
        {
            "core": name,
            "marker": marker,
            "positive": int(truth.sum()),
            "called_pct": 100 * float((levels > cuts[name][marker]).mean()),
            "f1": f1(truth, levels > cuts[name][marker]),
        }
        for name, core in cores.items()
        for marker in panel.markers
        for truth, levels in [(core.positive[marker], core.sample.levels[marker])]
    ]
    return pd.DataFrame(rows)


def mibi_ranks(
    samples: Mapping[str, Levels],
    cuts: Mapping[str, Mapping[str, float]],
    truth: pd.DataFrame,
) -> dict[str, float]:
    """Spearman's rank correlation of each figure with the published one."""
    panel = panel_of("mibi")
    found = pd.DataFrame(
        {name: _shares(samples[name], cuts[name], panel) for name in samples}
    ).T
    return {
        name: float(spearmanr(found[name], truth.loc[found.index, name])[0])
        for name in MIBI
    }


def _shares(
    sample: Levels, cuts: Mapping[str, float], panel: Panel
) -> dict[str, float]:
    calls = call_cells(sample.levels, cuts, panel, min_confidence=0.5)
    tumour = calls["phenotype"] == "tumour"
    positive = {m: calls[f"{m}_positive"] for m in panel.markers} | {"tumour": tumour}
    return {
        name: float(positive[m][tumour].mean()) if within and tumour.any()
        else 0.0 if within else float(positive[m].mean())
        for name, (m, within) in MIBI.items()
    }  # fmt: skip


def real_grades(
    data: Path, out: Path, images: Mapping[str, Levels] | None = None
) -> pd.Series:
    """Grade of every marker on every real sample, by set and marker.

    Parameters
    ----------
    data, out : Path
        Where the sets are, and where to analyse them.
    images : mapping of str to Levels, optional
        As from `mibi_images`, where they are measured already.
    """
    tonsil, vectra = panel_of("tonsil"), panel_of("vectra")
    (qptiff,) = (data / "vectra_qptiff").glob("*.qptiff")
    samples = {
        "lung": (lung_field(data).sample, panel_of("lung")),
        "tonsil": (
            measured(data / "tonsil_5ch" / "input.tiff", tonsil, out / "tonsil", UM),
            tonsil,
        ),
        "vectra": (measured(qptiff, vectra, out / "vectra"), vectra),
    }
    for name, core in halo_cores(data).items():
        samples[name] = core.sample, panel_of("halo")
    for name, image in (images or mibi_images(data, out / "mibi")).items():
        samples[f"mibi {name}"] = image, panel_of("mibi")
    breast = read_panel(PANELS.parent.parent / "config" / "panel.yaml")
    field = data / "breast_b09" / "breast_b09.ome.tif"
    samples["breast"] = measured(field, breast, out / "breast", UM), breast
    return pd.Series(
        {
            (name, marker): gate.grade
            for name, (sample, panel) in samples.items()
            for marker, gate in own_gates(sample, panel).items()
        }
    )


def _counts(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    area = rng.integers(100, 400, n)
    return rng.poisson(0.005 * area) / area


NULLS: dict[str, Callable[[np.random.Generator, int], NDArray[np.float64]]] = {
    "lognormal .3": lambda r, n: np.exp(r.normal(0, 0.3, n)),
    "lognormal .6": lambda r, n: np.exp(r.normal(0, 0.6, n)),
    "lognormal 1": lambda r, n: np.exp(r.normal(0, 1, n)),
    "gamma(2)": lambda r, n: r.gamma(2, 1, n),
    "exponential": lambda r, n: r.exponential(1, n),
    "Pareto(2) from 0": lambda r, n: r.pareto(2, n),
    "Pareto(2) from 1": lambda r, n: 1 + r.pareto(2, n),
    "lognormal of t3": lambda r, n: np.exp(0.25 * r.standard_t(3, n)),
    "Poisson .005": _counts,
}


def invented(name: str, cells: int, runs: int) -> dict[str, float]:
    """Share of runs in which a population is invented, by its grade."""
    grades = [
        find_gate(
            NULLS[name](np.random.default_rng(seed), cells),
            "evidence",
            PhenotypeOptions(),
        ).grade
        for seed in range(runs)
    ]
    return {grade: grades.count(grade) / runs for grade in ("clear", "graded")}


def with_positives(
    seed: int, cells: int, share: float, *, graded: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Levels of which a share is five times brighter, or spread over a decade."""
    rng = np.random.default_rng(seed)
    count = round(cells * share)
    spread = np.exp(0.25 * rng.normal(size=cells))
    fold = np.exp(rng.uniform(np.log(2), np.log(10), count)) if graded else 5.0
    levels = 10 * spread
    levels[:count] *= fold
    return levels, np.arange(cells) < count


def power(cells: int, share: float, runs: int, *, graded: bool) -> tuple[float, float]:
    """Share of runs in which the population is found, and the mean F1 of these."""
    scores = []
    for seed in range(runs):
        levels, truth = with_positives(seed, cells, share, graded=graded)
        gate = find_gate(levels, "evidence", PhenotypeOptions())
        if gate.found:
            scores.append(f1(pd.Series(truth), pd.Series(levels > gate.threshold)))
    return len(scores) / runs, float(np.mean(scores)) if scores else np.nan


def changed_calls(data: Path, factors: Iterable[float]) -> int:
    """Calls on the lung field and a core that differ once its levels are multiplied."""
    changed = 0
    core = halo_cores(data)["core_c"]
    for known, name in ((lung_field(data), "lung"), (core, "halo")):
        panel = panel_of(name)
        before = _positive(known.sample, panel)
        for factor in factors:
            after = _positive(_times(factor, known.sample), panel)
            changed += int((before != after).to_numpy().sum())
    return changed


def _times(factor: float, sample: Levels) -> Levels:
    """The same cells of an image in other units."""
    cells = sample.cells
    if cells is None:
        return Levels(factor * sample.levels)
    means = [name for name in cells if str(name).endswith("_mean")]
    scaled = cells.assign(**{str(name): factor * cells[name] for name in means})
    return Levels(factor * sample.levels, scaled)


def _positive(sample: Levels, panel: Panel) -> pd.DataFrame:
    cuts = thresholds(own_gates(sample, panel))
    return sample.levels.gt(pd.Series(cuts))


def figures(data: Path, out: Path) -> str:
    """Every table, as markdown."""
    parts = [
        _lung_table(data),
        _halo_table(data),
        _breast_table(data / "breast_b09", out / "breast"),
        _statistics_table(data, out / "statistics"),
        _mibi_table(data, out / "mibi"),
        _undecided_table(data, out / "grades"),
        _null_table(),
        _power_table(),
        _scale_line(data),
        _hard_table(),
        _serial_table(),
    ]
    return "\n\n".join(["## Calls on real stains", *parts])


def _lung_table(data: Path) -> str:
    by_method = {name: lung_kappas(data, m) for name, m in METHODS.items()}
    best = by_method["now"]["best"]
    rows = [
        [m, f"{best[m]:.3f}", *(f"{t.loc[m, 'kappa']:.3f}" for t in by_method.values()),
         f"{by_method['now'].loc[m, 'kappa'] / best[m]:.3f}"]
        for m in LUNG
    ]  # fmt: skip
    return _table(
        "`lung_inform`, κ with inForm's phenotypes, of the best threshold and found:",
        ["marker", "best", *METHODS, "now, of best"],
        rows,
    )


def _halo_table(data: Path) -> str:
    ways = {n: halo_calls(data, m) for n, m in METHODS.items()}
    ways["now, one gate"] = halo_calls(data, together=True)
    now = ways["now"]
    rows = [
        [row.core[-1], row.marker, str(row.positive),
         *(f"{t['f1'][i]:.2f} ({t['called_pct'][i]:.2f})" for t in ways.values())]
        for i, row in enumerate(now.itertuples())
    ]  # fmt: skip
    return _table(
        "`halo_cores`, F1 with people's calls and, in brackets, cells called, %; where "
        "nobody is positive F1 is 1 only if nobody is called:",
        ["core", "marker", "positive", *ways],
        rows,
    )


def _breast_table(folder: Path, out: Path) -> str:
    rows = []
    for way, method in METHODS.items():
        cells, labels = analyse(folder, out / method, phenotype={"method": method})
        for name, reference in references(folder).items():
            found = compare(cells, labels, reference)
            rows.append(
                [way, name, *(f"{found.get(f'kappa_{what}', np.nan):.3f}"
                              for what in ("CD8", "tumour", "Treg"))]
            )  # fmt: skip
    return _table(
        "`breast_b09`, end to end, κ (the mini-crop's reference knows no Treg):",
        ["gates", "reference", "CD8", "tumour", "Treg"],
        rows,
    )


def _statistics_table(data: Path, out: Path) -> str:
    """Best kappa of every statistic that a panel may name."""
    folder = data / "breast_b09"
    cells, _ = analyse(folder, out)
    rows = []
    for marker, (truth, columns) in STATISTICS.items():
        for column in columns:
            levels = cells[f"{marker}_{column}"]
            scores = []
            for reference in references(folder).values():
                theirs, ours = (
                    t[["x_um", "y_um"]].to_numpy(float) for t in (reference, cells)
                )
                pairs = match_positions(theirs, ours, WITHIN_UM)
                known = reference[truth].iloc[pairs.known]
                mine = levels.iloc[pairs.found].fillna(0.0)
                seen = known.any()
                scores.append(f"{best_kappa(mine, known):.2f}" if seen else "")
            rows.append([marker, column, *scores])
    return _table(
        "`breast_b09`, κ of the best threshold on each statistic:",
        ["marker", "statistic", *references(folder)],
        rows,
    )


def _mibi_table(data: Path, out: Path) -> str:
    samples, truth = mibi_images(data, out), published(data)
    panel = panel_of("mibi")
    rows = []
    for way, method in METHODS.items():
        alone = {n: thresholds(own_gates(s, panel, method)) for n, s in samples.items()}
        for scope, cuts in (
            ("slide", alone),
            ("cohort", cohort_gates(samples, panel, method)),
        ):
            ranks = mibi_ranks(samples, cuts, truth)
            rows.append([way, scope, *(f"{v:.2f}" for v in ranks.values())])
    return _table(
        f"`mibi_dcis`, {len(samples)} images, Spearman with the published figures:",
        ["gates", "scope", *MIBI],
        rows,
    )


def _undecided_table(data: Path, out: Path) -> str:
    grades = real_grades(data, out)
    counts = grades.value_counts()
    shares = ", ".join(f"{name} {count}" for name, count in counts.items())
    left = grades[grades == "undecided"]
    names = ", ".join(f"{sample} {marker}" for sample, marker in left.index)
    return (
        f"Grades of {len(grades)} marker-slides: {shares}. Undecided: "
        f"{100 * len(left) / len(grades):.1f} % ({names})."
    )


def _null_table(runs: int = 200) -> str:
    rows = []
    for name in NULLS:
        found = [invented(name, cells, runs) for cells in (240, 5000)]
        cells = [f"{100 * f[g]:.1f}" for f in found for g in ("clear", "graded")]
        rows.append([name, *cells])
    return _table(
        f"One population, {runs} runs each: a second is invented in % of the runs:",
        ["levels", *(f"{n}, {g}" for n in (240, 5000) for g in ("clear", "graded"))],
        rows,
    )


def _power_table(runs: int = 100) -> str:
    rows = []
    for graded in (False, True):
        for share in (0.01, 0.03, 0.1, 0.3):
            cells = [power(n, share, runs, graded=graded) for n in (1000, 5000)]
            texts = [f"{100 * found:.0f} ({score:.2f})" for found, score in cells]
            kind = "over a decade" if graded else "5 × brighter"
            rows.append([kind, f"{100 * share:.0f} %", *texts])
    return _table(
        f"Positives among cells whose logarithm spreads by .25, {runs} runs: found in "
        "% of them, and in brackets the mean F1:",
        ["positives", "share", "1000 cells", "5000 cells"],
        rows,
    )


def _scale_line(data: Path) -> str:
    factors = 10.0 ** np.arange(-6, 7)
    changed = changed_calls(data, factors)
    return (
        "Calls that change on `lung_inform` and a core of `halo_cores` when levels "
        f"are multiplied by 10⁻⁶ to 10⁶: {changed}."
    )


def hard_calls(seeds: Iterable[int], look: str = "hard") -> pd.DataFrame:
    """Every marker on synthetic slides measured with the true masks."""
    return pd.DataFrame([row for seed in seeds for row in _hard_rows(seed, look)])


def _hard_rows(seed: int, look: str) -> list[dict[str, Any]]:
    slide = true_cells(SynthOptions.look(look, size_mm=HARD_MM, seed=seed))
    levels = marker_levels(slide.cells, demo_panel())
    gates = own_gates(Levels(levels, slide.cells), demo_panel())
    return [
        _hard_row(marker, levels[marker], slide.truth[f"{marker}_positive"], gate)
        for marker, gate in gates.items()
    ]


def _hard_row(
    marker: str, levels: pd.Series, truth: pd.Series, gate: Gate
) -> dict[str, Any]:
    size = gate_figures(levels.to_numpy(float), gate.threshold)
    share = 100 * truth.mean()
    low, high = size["corrected_low"], size["corrected_high"]
    return {
        "marker": marker,
        "grade": gate.grade,
        "f1": f1(truth, levels > gate.threshold),
        "best": best_f1(levels, truth),
        "called": size["positive_pct"] / share - 1,
        "corrected": size["corrected_pct"] / share - 1,
        "covered": low <= share <= high,
    }


def best_f1(levels: pd.Series, truth: pd.Series) -> float:
    """F1 of the best single threshold."""
    hits = np.cumsum(truth.to_numpy()[np.argsort(-levels.to_numpy(float))])
    return float((2 * hits / (np.arange(1, hits.size + 1) + hits[-1])).max())


def _hard_table() -> str:
    found = hard_calls(HARD_SEEDS)
    rows = []
    for marker, mine in found.groupby("marker", sort=False):
        gated = mine[mine["grade"].isin(["clear", "graded"])]
        rows.append(
            [str(marker), f"{len(gated)} of {len(mine)}", f"{gated['best'].mean():.2f}",
             f"{gated['f1'].mean():.2f} ({gated['f1'].min():.2f})",
             f"{100 * gated['called'].mean():+.0f}",
             f"{100 * gated['corrected'].mean():+.0f}",
             f"{100 * gated['covered'].mean():.0f}"]
        )  # fmt: skip
    return _table(
        f"Hard synthetic slides of {HARD_MM[0]:g} mm, seeds {_span(HARD_SEEDS)}, true "
        "masks: mean F1 (lowest), bias of the count and of the corrected one, and how "
        "often its interval holds the truth:",
        ["marker", "gated", "best F1", "F1", "count, %", "corrected, %", "covered, %"],
        rows,
    )


def doubling(seed: int) -> pd.DataFrame:
    """True and found change of two biopsies in which CD8+ and PD-L1+ cells double."""
    visits = [
        SynthOptions.hard(
            size_mm=HARD_MM,
            seed=seed + 1000 * k,
            nest=Mixture(tumour=0.9 - ctl, ctl=ctl, treg=0.004, immune=0.04),
            stroma=Mixture(ctl=2.5 * ctl, treg=0.022, immune=0.26),
            shares={"PD-L1": share},
        )
        for k, (ctl, share) in enumerate(((0.04, 0.2), (0.08, 0.4)))
    ]
    slides = [true_cells(options) for options in visits]
    samples = {
        f"visit{k}": Levels(marker_levels(s.cells, demo_panel()), s.cells)
        for k, s in enumerate(slides)
    }
    rows = {}
    for marker in ("CD8", "PD-L1"):
        shares = [s.truth[f"{marker}_positive"].mean() for s in slides]
        rows[marker] = {"true": shares[1] / shares[0]} | _changes(samples, marker)
    return pd.DataFrame(rows).T


def _changes(samples: Mapping[str, Levels], marker: str) -> dict[str, float]:
    """How a positive share changes under gates that are locked, pooled or its own."""
    ways = {
        "locked": GatesOptions(scope="patient", lock_to="visit0"),
        "pooled": GatesOptions(scope="patient"),
        "slide by slide": GatesOptions(),
    }
    found = {}
    for way, gates in ways.items():
        alone = gates.scope == "slide"
        groups = {name: name if alone else "patient" for name in samples}
        table = shared_gates(
            samples, groups, {n: n for n in samples}, demo_panel(), Options(gates=gates)
        )
        share = table[table["marker"] == marker].set_index("sample")["positive_pct"]
        found[way] = float(share["visit1"] / share["visit0"])
    return found


def _serial_table() -> str:
    rows = []
    for seed in SERIAL_SEEDS:
        for marker, change in doubling(seed).iterrows():
            true = change["true"]
            ways = [f"{v:.2f} ({100 * (v / true - 1):+.0f} %)" for v in change.iloc[1:]]
            rows.append([str(seed), str(marker), f"{true:.2f}", *ways])
    return _table(
        "Two hard biopsies of a patient in which CD8+ and PD-L1+ cells double: change "
        "found, and its error:",
        ["seed", "marker", "true", "locked", "pooled", "slide by slide"],
        rows,
    )


def _span(seeds: range) -> str:
    return f"{seeds[0]}–{seeds[-1]}"


def _table(title: str, names: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(
        [title, "", f"| {' | '.join(names)} |", "|" + "---|" * len(names), *lines]
    )
