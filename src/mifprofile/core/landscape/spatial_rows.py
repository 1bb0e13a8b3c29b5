"""How phenotypes lie to each other in the tissue, as rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from mifprofile.core.landscape.estimates import Estimate, Row, Sums
from mifprofile.core.landscape.regions import evaluable
from mifprofile.core.landscape.rows import immune_phenotypes
from mifprofile.core.spatial import (
    Pattern,
    Window,
    count_tiles,
    cross_g,
    cross_k,
    disc_counts,
    diversity,
    mixing_scores,
    moran,
    morisita_horn,
    nearest_distances,
    nearest_null,
    nearest_table,
    pair_sums,
    within_table,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from mifprofile.core.landscape.sample import SampleScopes
    from mifprofile.core.spatial import PairSums
    from mifprofile.options import LandscapeOptions

    Floats = NDArray[np.float64]
    Found = dict[Any, Any]

IMMUNE = "immune"
# Pixels of the map that stands in for one that is not there.
STAND_IN_UM = 10.0


@dataclass(frozen=True)
class Columns:
    """Columns of a table of statistics that a row takes its numbers from."""

    value: str
    n_num: str = ""
    n_den: str = ""
    area_mm2: str = ""


@dataclass(frozen=True, eq=False)
class Scene:
    """Cells of the tissue by phenotype, and what several statistics need of them.

    Attributes
    ----------
    sample : SampleScopes
    names : tuple of str
        Phenotypes of the panel; a cell's type is the place of its own. Cells without
        one are of the type after the last: they stand by when types are dealt out.
    pattern : Pattern
    block : (n,) int array
        Block of each cell.
    """

    sample: SampleScopes
    names: tuple[str, ...]
    pattern: Pattern
    block: NDArray[np.int32]

    @classmethod
    def of(cls, sample: SampleScopes) -> Scene:
        """Cells on the tissue of the region map, or all if there is none."""
        cells, names = sample.scopes["tissue"].cells, tuple(sample.panel.rules)
        places = cells[["x_um", "y_um"]].to_numpy(float)
        if sample.regions is None:
            places, window = _in_a_box(places)
        else:
            window = Window(evaluable(sample.regions), sample.um)
        seen = window.contains(places)
        (x_um, y_um), cells = places[seen].T, cells[seen]
        codes = pd.Categorical(cells["phenotype"], categories=names).codes.astype(int)
        codes[codes < 0] = len(names)
        return cls(
            sample,
            names,
            Pattern.of(x_um, y_um, codes, len(names) + 1, window),
            cells["block"].to_numpy(),
        )

    @property
    def options(self) -> LandscapeOptions:
        """Options of the landscape."""
        return self.sample.options

    @cached_property
    def nearest(self) -> Floats:
        """Distance of each cell to the nearest of each type, (n, t), µm."""
        return nearest_distances(self.pattern)

    @cached_property
    def sums(self) -> PairSums:
        """Pairs of all types within the radii."""
        return pair_sums(self.pattern, self.options.radii_um)

    def row(
        self,
        names: tuple[str, str],
        metric: str,
        found: Found,
        columns: Columns,
        *,
        param: str = "",
    ) -> Row:
        """Row of one value that was found.

        Parameters
        ----------
        names : tuple of str
            Phenotype and second phenotype.
        found : dict
            A row of a table of statistics.
        columns : Columns
            Which of its numbers to take.
        """
        tissue = self.sample.scopes["tissue"]
        row = replace(
            tissue.row(names[0], metric, phenotype_b=names[1], param=param),
            value=float(found[columns.value]),
            n_num=_number(found, columns.n_num, np.nan),
            n_den=_number(found, columns.n_den, np.nan),
            area_mm2=_number(found, columns.area_mm2, tissue.area_mm2),
        )
        # A reason may speak of another value of the same table.
        if not np.isfinite(row.value) or found["status"] == "APPROX":
            return replace(row, status=found["status"], reason=found["reason"])
        return row

    def of_pairs(self, table: pd.DataFrame) -> Iterator[tuple[tuple[str, str], Found]]:
        """Rows of a table of pairs with both phenotypes' names."""
        for found in table.to_dict("records"):
            if max(found["type_a"], found["type_b"]) < len(self.names):
                yield (self.names[found["type_a"]], self.names[found["type_b"]]), found

    def codes(self, names: Iterable[str]) -> list[int]:
        """Types of some phenotypes."""
        return [self.names.index(name) for name in names]


def _number(found: Found, column: str, otherwise: float) -> float:
    return float(found[column]) if column else otherwise


def _in_a_box(places: Floats) -> tuple[Floats, Window]:
    """Points moved to the corner of the smallest box round them, and the box."""
    corner = places.min(axis=0, initial=np.inf)
    corner = np.where(np.isfinite(corner), corner, 0.0)
    moved = places - corner
    size = (moved.max(axis=0, initial=0.0) // STAND_IN_UM).astype(int) + 1
    return moved, Window(np.ones(size[::-1], bool), STAND_IN_UM)


def spatial_rows(scene: Scene) -> Iterator[Estimate]:
    """All that is said of phenotypes in space, but for their place in the nests."""
    for rows in (_nearest, _within, _clustering, _mixing, _tiles, _diversity):
        yield from rows(scene)


def _nearest(scene: Scene) -> Iterator[Estimate]:
    """Distances to the nearest cell, beside random labelling; G beside randomness."""
    options, least = scene.options, scene.options.min_pair_cells
    null = nearest_null(
        scene.pattern,
        scene.nearest,
        permutations=options.nn_permutations,
        seed=options.seed,
    )
    table = nearest_table(scene.pattern, scene.nearest, null, min_cells=least)
    table["iqr_um"] = table["q75_um"] - table["q25_um"]
    for names, found in scene.of_pairs(table):
        for metric, column in (
            ("nn_median_um", "median_um"),
            ("nn_iqr_um", "iqr_um"),
            ("nn_z", "z"),
        ):
            columns = Columns(column, "n_a", "n_b")
            yield Estimate(scene.row(names, metric, found, columns))
    reach, columns = options.g_auc_um, Columns("auc", "n_a", "n_b")
    curves = cross_g(scene.pattern, scene.nearest, [reach], min_cells=least)
    for names, found in scene.of_pairs(curves):
        param = f"r_um={reach:g}"
        yield Estimate(scene.row(names, "g_auc", found, columns, param=param))


def _within(scene: Scene) -> Iterator[Estimate]:
    """Neighbours within radii, with intervals from blocks of reference cells."""
    least = scene.options.min_pair_cells
    table = within_table(scene.pattern, scene.nearest, scene.sums, min_cells=least)
    table["pct"] = 100 * table["share"]
    blocks = _BlockTallies.of(scene)
    for names, found in scene.of_pairs(table):
        cells, pairs, some = blocks.of_pair(found)
        param = f"r_um={found['r_um']:g}"
        columns = Columns("mean_count", "n_pairs", "n_a")
        row = scene.row(names, "mean_neighbours", found, columns, param=param)
        yield Estimate(row, Sums(pairs, cells, kind="ratio"))
        columns = Columns("pct", "n_with", "n_a")
        row = scene.row(names, "pct_with_neighbour", found, columns, param=param)
        yield Estimate(row, Sums(some, cells, kind="share", ceiling=1.0, scale=100.0))


@dataclass(frozen=True, eq=False)
class _BlockTallies:
    """Neighbours within radii, by block and type of the reference cell.

    Attributes
    ----------
    radii_um : tuple of float
    cells : (k, t) float64 array
    pairs, some : (r, k, t, t) float64 arrays
        Pairs, and reference cells in at least one.
    """

    radii_um: tuple[float, ...]
    cells: Floats
    pairs: Floats
    some: Floats

    @classmethod
    def of(cls, scene: Scene) -> _BlockTallies:
        """Count once for all pairs of types."""
        pattern, kinds = scene.pattern, scene.pattern.n_types
        blocks = len(scene.sample.scopes["tissue"].areas_mm2)
        known = np.flatnonzero(scene.block >= 0)
        at = scene.block[known].astype(np.intp) * kinds + pattern.types[known]
        size = blocks * kinds, len(pattern.points)
        # Times what is known of each cell it gives sums by block and type.
        group = sparse.csr_array((np.ones(len(at)), (at, known)), size)
        shape = (blocks, kinds, kinds)
        radii = scene.options.radii_um
        return cls(
            radii,
            np.bincount(at, minlength=size[0]).reshape(shape[:2]).astype(float),
            np.array([(group @ disc_counts(pattern, r)).reshape(shape) for r in radii]),
            np.array([(group @ (scene.nearest <= r)).reshape(shape) for r in radii]),
        )

    def of_pair(self, found: Found) -> tuple[Floats, Floats, Floats]:
        """Reference cells, pairs and cells in a pair, by block, (k,) each."""
        a, b, k = found["type_a"], found["type_b"], self.radii_um.index(found["r_um"])
        return self.cells[:, a], self.pairs[k, :, a, b], self.some[k, :, a, b]


def _clustering(scene: Scene) -> Iterator[Estimate]:
    """L, and K beside random labelling."""
    table = cross_k(scene.sums, min_cells=scene.options.min_pair_cells)
    for names, found in scene.of_pairs(table):
        param = f"r_um={found['r_um']:g}"
        for metric in ("l_minus_r_um", "doc_ratio"):
            columns = Columns(metric, "n_a", "n_b")
            yield Estimate(scene.row(names, metric, found, columns, param=param))


def _mixing(scene: Scene) -> Iterator[Estimate]:
    """Mixing of immune cells, the reference, with tumour cells."""
    panel, immune = scene.sample.panel, immune_phenotypes(scene.sample.panel)
    both = scene.codes(immune), scene.codes(panel.tumour_phenotypes)
    for r_um in scene.options.radii_um:
        table = mixing_scores(
            scene.sums, *both, r_um, min_cells=scene.options.min_pair_cells
        )
        columns, param = Columns("value", "n_num", "n_den"), f"r_um={r_um:g}"
        names = (IMMUNE, panel.tumour or "")
        for found in table.to_dict("records"):
            row = scene.row(names, found["metric"], found, columns, param=param)
            yield Estimate(row)


def _tiles(scene: Scene) -> Iterator[Estimate]:
    """Overlap of every two phenotypes over tiles, and clustering of each."""
    options = scene.options
    tiles = count_tiles(scene.pattern, options.spatial_tile_um)
    param = f"tile_um={options.spatial_tile_um:g}"
    table = morisita_horn(tiles, min_cells=options.min_pair_cells)
    columns = Columns("morisita_horn", "n_a", "n_b")
    for names, found in scene.of_pairs(table):
        row = scene.row(names, columns.value, found, columns, param=param)
        yield Estimate(row)
    table = moran(tiles, min_cells=options.min_pair_cells, permutations=0)
    for name, found in zip(scene.names, table.to_dict("records"), strict=False):
        for metric, column in (("moran_i", "moran_i"), ("moran_z", "z")):
            columns = Columns(column, "n_cells", "n_tiles")
            row = scene.row((name, ""), metric, found, columns, param=param)
            yield Estimate(row)


def _diversity(scene: Scene) -> Iterator[Estimate]:
    """Diversity of the cells that have a phenotype."""
    pattern, radius_um = scene.pattern, scene.options.diversity_um
    named = pattern.types < len(scene.names)
    x_um, y_um = pattern.points[named].T
    types = pattern.types[named]
    chosen = Pattern.of(x_um, y_um, types, max(len(scene.names), 1), pattern.window)
    values = diversity(chosen, radius_um, min_cells=scene.options.min_pair_cells)
    found = asdict(values)
    for metric, column, param in (
        ("shannon_bits", "overall_bits", ""),
        ("shannon_local_bits", "local_mean_bits", f"r_um={radius_um:g}"),
    ):
        columns = Columns(column, "n_types", "n_cells")
        row = scene.row(("", ""), metric, found, columns, param=param)
        yield Estimate(row)
