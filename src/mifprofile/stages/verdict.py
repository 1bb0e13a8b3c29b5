"""What is said of a sample once its gates are known."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from mifprofile.core.facts import VerdictFacts
from mifprofile.core.phenotype.conflict_rates import judge_rate
from mifprofile.core.phenotype.gates import KnownGates
from mifprofile.core.quality import (
    NucleiFigures,
    QualityVerdict,
    judge_results,
    lymphocyte_nucleus,
    unseen_share,
)
from mifprofile.io.readers import open_slide
from mifprofile.io.store import open_label_store
from mifprofile.stages.planes import read_pixels
from mifprofile.stages.quality import read_evaluable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from mifprofile.io.results import Results
    from mifprofile.model import Panel
    from mifprofile.options import Stage
    from mifprofile.stages.job import Job

# So many windows show what the stain and the nuclei of a slide are like.
WINDOWS = 16
WINDOW_PX = 512
MOST_ROWS = 3


def judge(
    job: Job,
    gates: pd.DataFrame,
    nuclei: NucleiFigures,
    impossible: Sequence[dict[str, Any]],
) -> QualityVerdict:
    """The sample's verdict.

    Parameters
    ----------
    job : Job
    gates : pandas.DataFrame
        The rows of ``gates.csv``.
    nuclei : NucleiFigures
        Of cells of a table their number alone is known.
    impossible : sequence of dict
        The rows of `mifprofile.core.phenotype.conflicts.impossible_combinations`.
    """
    undecided = markers_to_decide(gates, job.panel)
    return judge_results(
        read_verdict(job.results, "quality") or QualityVerdict("pass"),
        undecided,
        nuclei,
        tuple(too_frequent(impossible, job.panel)),
        job.options.quality,
        decide=how_to_decide(job.results, undecided),
    )


def too_frequent(impossible: Sequence[dict[str, Any]], panel: Panel) -> Iterator[str]:
    """Say which impossible combinations are above the limit at which they fail."""
    for row in impossible:
        name, percent = row["combination"], row["percent"]
        rate = np.nan if percent is None else float(percent)
        found = judge_rate(name, rate, int(row["of"]), panel)
        if found.word == "fail":
            yield (
                f"{name} is impossible, but {rate:.3g} % of {row['of']} cells are, "
                f"above {found.fail:g} %: look at both gates"
            )


def markers_to_decide(gates: pd.DataFrame, panel: Panel) -> dict[str, list[str]]:
    """Markers without a decided gate, each with the phenotypes that ask for it.

    Markers that no phenotype asks for are left out.
    """
    rules, undecided = panel.rules.items(), KnownGates.of(gates).undecided
    asking = {
        marker: [name for name, rule in rules if marker in dict(rule.signs)]
        for marker in panel.markers
        if marker in undecided
    }
    return {marker: names for marker, names in asking.items() if names}


def how_to_decide(results: Results, markers: Collection[str]) -> str:
    """Say what a person does about undecided markers."""
    table = f"give --gates gates.csv with {_rows(results, markers)}"
    if results.of_table:
        return table
    return f"set the gates in `napari --plugin mifprofile {results.folder}`, or {table}"


def _rows(results: Results, markers: Collection[str]) -> str:
    """Rows of a gate table that decide markers."""
    rows = [f"`{results.sample_id},{marker},THRESHOLD`" for marker in markers]
    more = " …" if len(rows) > MOST_ROWS else ""
    return f"{', '.join(rows[:MOST_ROWS])}{more} below `sample,marker,threshold`"


def read_verdict(results: Results, stage: Stage) -> QualityVerdict | None:
    """Read what a stage has said of a sample; None if it has not."""
    return VerdictFacts.of(results.read_record(stage)).verdict


def show_verdict(results: Results, stage: Stage) -> None:
    """Print what a stage has said of a sample; this is no progress, so always."""
    verdict = read_verdict(results, stage)
    if verdict is not None:
        for line in verdict_lines(verdict):
            print(line, file=sys.stderr, flush=True)  # noqa: T201


def verdict_lines(verdict: QualityVerdict) -> tuple[str, ...]:
    """The word, then a line per reason."""
    return (f"verdict: {verdict.word}", *(f"  {reason}" for reason in verdict.reasons))


def nuclei_of_slide(
    job: Job, cells: pd.DataFrame, calls: pd.DataFrame
) -> NucleiFigures:
    """Figures of the evaluable cells as measured, with what they were called."""
    slide = open_slide(job.results.slide)
    stain, inside = _stained_pixels(job)
    return NucleiFigures(
        channel=job.panel.nucleus,
        um=slide.um,
        count=len(cells),
        median_um2=float(cells["nucleus_area_um2"].median()),
        unseen_share=unseen_share(stain, inside),
        lymphocyte_um2=lymphocyte_nucleus(cells, calls),
    )


def _stained_pixels(job: Job) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Nuclear stain of evaluable pixels, and whether they lie in a nucleus."""
    slide = open_slide(job.results.slide)
    labels = open_label_store(job.results.labels)["nuclei"].levels[0]
    tissue, um = read_evaluable(job.results)
    channel, step = slide.channel_index(job.panel.nucleus), round(um / slide.um)
    stain, inside = [np.empty(0, np.float32)], [np.empty(0, bool)]
    for rows, columns in _windows(tissue, step, slide.shape_px):
        y, x = (np.arange(s.start, s.stop) // step for s in (rows, columns))
        here = tissue[np.ix_(y, x)]
        stain.append(read_pixels(slide, 0, channel, (rows, columns))[here])
        inside.append((np.asarray(labels[rows, columns]) > 0)[here])
    return np.concatenate(stain), np.concatenate(inside)


def _windows(
    tissue: NDArray[np.bool_], step: int, shape: tuple[int, int]
) -> Iterator[tuple[slice, slice]]:
    """Windows with tissue, evenly drawn from all of them in raster order."""
    places = np.unique(np.argwhere(tissue) * step // WINDOW_PX, axis=0)
    chosen = np.linspace(0, len(places) - 1, min(len(places), WINDOWS)).astype(int)
    for at in places[chosen] * WINDOW_PX:
        rows, columns = (
            slice(int(start), int(min(start + WINDOW_PX, size)))
            for start, size in zip(at, shape, strict=True)
        )
        yield rows, columns
