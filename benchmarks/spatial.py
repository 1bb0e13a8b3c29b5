"""Seconds and memory of the spatial statistics on a whole slide's worth of cells.

Usage: python -m benchmarks.spatial [--cells N] [--types N] [--workers N] [--table]
"""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import ndimage

from mifprofile.core.landscape import (
    GLASS,
    OUTSIDE,
    STROMA,
    TUMOUR,
    landscape,
    region_of_cells,
)
from mifprofile.core.spatial import (
    Pattern,
    Window,
    assign_neighbourhoods,
    band_edges,
    compositions,
    count_tiles,
    cross_g,
    cross_k,
    distance_bands,
    diversity,
    fit_neighbourhoods,
    infiltration_profile,
    infiltration_summary,
    mixing_scores,
    moran,
    morisita_horn,
    nearest_distances,
    nearest_null,
    nearest_table,
    pair_sums,
    within_table,
)
from mifprofile.model import Panel
from mifprofile.options import LandscapeOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

UM = 2.0
# A million cells lie on 150 mm2.
CELLS_PER_MM2 = 6667
CLUSTER_CELLS = 250
CLUSTER_UM = 120.0
SHORT_UM = (10.0, 20.0, 30.0, 50.0)
LONG_UM = (10.0, 20.0, 30.0, 50.0, 100.0, 200.0)
PAGE_BYTES = 4096


def figures(cells: int = 1_000_000, types: int = 20, workers: int = 2) -> str:
    """Markdown table of seconds and memory per statistic."""
    small = scene(np.random.default_rng(0), 3000, 3)
    for step in _steps(*small, workers):
        step[1]()
    pattern, nest = scene(np.random.default_rng(1), cells, types)
    size = f"{len(pattern.points)} cells of {types} types"
    area = f"{pattern.window.area_mm2:.0f} mm²"
    lines = [
        f"## Spatial statistics, {size} on {area}, {workers} threads",
        "",
        f"Clustered cells in tissue with holes, a mask of {UM:g} µm. CPU seconds are",
        "those of all threads, memory is the peak above what was held before.",
        "",
        "| statistic | s | CPU s | MB |",
        "|---|---|---|---|",
    ]
    for name, function in _steps(pattern, nest, workers):
        with Watch() as watch:
            function()
        lines.append(
            f"| {name} | {watch.seconds:.1f} | {watch.cpu:.1f} | {watch.peak_mb:.0f} |"
        )
    return "\n".join(lines)


def table_figures(cells: int = 1_000_000, types: int = 20) -> str:
    """Seconds and memory of the whole landscape table, in one thread."""
    panel, options = _panel(types), LandscapeOptions()
    for seed, size in ((0, 3000), (1, cells)):
        pattern, nest = scene(np.random.default_rng(seed), size, types)
        regions, um = _regions(pattern, nest), pattern.window.um
        table = _cell_table(pattern, regions, panel)
        with Watch() as watch:
            rows = landscape("bench", table, regions, um, panel, options)
    held = watch.start_mb + watch.peak_mb
    return (
        f"## Whole landscape, {cells} cells of {types} phenotypes, 1 thread\n\n"
        f"{watch.seconds:.0f} s, {watch.cpu:.0f} s of CPU, {held / 1000:.1f} GB at the "
        f"peak ({watch.peak_mb / 1000:.1f} GB above cells and map); {len(rows)} rows."
    )


def scene(
    rng: np.random.Generator, cells: int, types: int
) -> tuple[Pattern, NDArray[np.bool_]]:
    """Cells of each type in clusters of their own, in tissue with holes; and nests."""
    window = Window(_tissue(rng, cells / CELLS_PER_MM2), UM)
    nest = _discs(rng, window.mask.shape, 12, 0.08) & window.mask
    codes = rng.choice(types, cells, p=np.arange(types, 0, -1) / sum(range(types + 1)))
    points = np.empty((cells, 2))
    for code in range(types):
        own = np.flatnonzero(codes == code)
        parents = _anywhere(rng, window, max(own.size // CLUSTER_CELLS, 1))
        chosen = parents[rng.integers(0, len(parents), own.size)]
        near = chosen + rng.normal(0, CLUSTER_UM, chosen.shape)
        lost = ~window.contains(near)
        near[lost] = _anywhere(rng, window, int(lost.sum()))
        points[own] = near
    x, y = points.T
    return Pattern.of(x, y, codes, types, window), nest


def _panel(types: int) -> Panel:
    """A tumour phenotype, six immune ones, and others that each ask for one marker."""
    known = ["PanCK", "CD3", "CD8", "CD4", "FOXP3", "CD20", "CD68"]
    names = (known + [f"M{k}" for k in range(types)])[:types]
    markers = {n: {"channel": n, "measure": "cell"} for n in [*names, "PD-L1"]}
    return Panel.model_validate(
        {
            "name": "bench",
            "species": "human",
            "nucleus": "DAPI",
            "markers": markers,
            "phenotypes": {f"{name} cell": f"{name}+" for name in names},
            "states": ["PD-L1"],
            "tumour": "PanCK cell",
        }
    )


def _regions(pattern: Pattern, nest: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Nests, stroma within 100 µm of them, and the rest."""
    away_um = ndimage.distance_transform_edt(~nest) * pattern.window.um
    out = np.where(away_um <= 100, STROMA, OUTSIDE).astype(np.uint8)
    out[nest] = TUMOUR
    out[~pattern.window.mask] = GLASS
    return out


def _cell_table(
    pattern: Pattern, regions: NDArray[np.uint8], panel: Panel
) -> pd.DataFrame:
    x_um, y_um = pattern.points.T
    names = np.array(list(panel.rules))[pattern.types]
    cells = pd.DataFrame({"x_um": x_um, "y_um": y_um, "phenotype": names})
    cells = cells.assign(area_um2=80.0)
    cells["PD-L1_positive"] = np.random.default_rng(3).random(len(cells)) < 0.1
    return cells.assign(region=region_of_cells(cells, regions, pattern.window.um))


def _steps(
    pattern: Pattern, nest: NDArray[np.bool_], workers: int
) -> list[tuple[str, Callable[[], Any]]]:
    """Statistics in order; what one makes the next may use."""
    made: dict[str, Any] = {}
    window, stroma = pattern.window, pattern.window.mask & ~nest

    def keep(name: str, function: Callable[[], Any]) -> Callable[[], None]:
        return lambda: made.update({name: function()})

    half = list(range(pattern.n_types // 2))
    rest = list(range(pattern.n_types // 2, pattern.n_types))
    return [
        (
            "pairs within 50 µm, all types",
            keep("sums", lambda: pair_sums(pattern, SHORT_UM, workers=workers)),
        ),
        (
            "pairs within 200 µm, all types",
            lambda: pair_sums(pattern, LONG_UM, workers=workers),
        ),
        ("K, L and DoC from the pairs", lambda: cross_k(made["sums"])),
        (
            "mixing scores from the pairs",
            lambda: mixing_scores(made["sums"], half, rest, 20.0),
        ),
        (
            "nearest of every type",
            keep("nearest", lambda: nearest_distances(pattern, workers=workers)),
        ),
        (
            "nearest under 50 relabellings",
            keep(
                "null", lambda: nearest_null(pattern, made["nearest"], workers=workers)
            ),
        ),
        (
            "table of nearest distances",
            lambda: nearest_table(pattern, made["nearest"], made["null"]),
        ),
        (
            "counts and shares within radii",
            lambda: within_table(pattern, made["nearest"], made["sums"]),
        ),
        ("G", lambda: cross_g(pattern, made["nearest"], SHORT_UM)),
        ("tiles", keep("tiles", lambda: count_tiles(pattern))),
        ("Morisita-Horn", lambda: morisita_horn(made["tiles"])),
        ("Moran's I, 999 permutations", lambda: moran(made["tiles"])),
        ("diversity", lambda: diversity(pattern, workers=workers)),
        (
            "bands of signed distance",
            keep("bands", lambda: distance_bands(window, nest, band_edges())),
        ),
        (
            "infiltration profile",
            keep("profile", lambda: infiltration_profile(pattern, made["bands"])),
        ),
        (
            "infiltration summary",
            lambda: infiltration_summary(pattern, nest, stroma, made["profile"]),
        ),
        (
            "compositions of neighbourhoods",
            keep(
                "around",
                lambda: compositions(
                    pattern.points, pattern.types, pattern.n_types, workers=workers
                ),
            ),
        ),
        (
            "fit of neighbourhoods",
            keep("model", lambda: fit_neighbourhoods([made["around"]], 10)),
        ),
        (
            "assignment of neighbourhoods",
            lambda: assign_neighbourhoods(made["around"], made["model"]),
        ),
    ]


class Watch:
    """Seconds by clock and CPU, and the peak of memory above that at the start."""

    def __enter__(self) -> Watch:
        self.start_mb = self.most_mb = _resident_mb()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        self._started = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._started[0]
        self.cpu = time.process_time() - self._started[1]
        self._done.set()
        self._thread.join()
        self.peak_mb = self.most_mb - self.start_mb

    def _look(self) -> None:
        while not self._done.wait(0.02):
            self.most_mb = max(self.most_mb, _resident_mb())


def _resident_mb() -> float:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * PAGE_BYTES / 1e6


def _tissue(rng: np.random.Generator, area_mm2: float) -> NDArray[np.bool_]:
    """An ellipse with holes, in glass."""
    long, short = np.sqrt(area_mm2 * 1e6 / np.pi / 0.6), np.sqrt(area_mm2 * 6e5 / np.pi)
    rows, cols = int(2.1 * short / UM), int(2.1 * long / UM)
    y, x = np.ogrid[-1.05 : 1.05 : rows * 1j, -1.05 : 1.05 : cols * 1j]
    return (x**2 + y**2 < 1) & ~_discs(rng, (rows, cols), 40, 0.02)


def _discs(
    rng: np.random.Generator, shape: tuple[int, ...], count: int, radius: float
) -> NDArray[np.bool_]:
    """Discs anywhere, of a radius given as a share of the rows."""
    out = np.zeros(shape, bool)
    reach = max(int(radius * shape[0]), 2)
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    disc = x**2 + y**2 <= reach**2
    for _ in range(count):
        row, col = (rng.integers(0, size - 2 * reach - 1) for size in shape)
        out[row : row + 2 * reach + 1, col : col + 2 * reach + 1] |= disc
    return out


def _anywhere(
    rng: np.random.Generator, window: Window, count: int
) -> NDArray[np.float64]:
    """Points at random in a window."""
    height, width = window.mask.shape
    found = np.empty((0, 2))
    while len(found) < count:
        drawn = rng.random((2 * count + 100, 2)) * [width * UM, height * UM]
        found = np.concatenate([found, drawn[window.contains(drawn)]])
    return found[:count]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--types", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="the landscape instead")
    given = parser.parse_args()
    if given.table:
        print(table_figures(given.cells, given.types))
    else:
        print(figures(given.cells, given.types, given.workers))


if __name__ == "__main__":
    main()
