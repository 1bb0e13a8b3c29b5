"""Where each cell lies, its shape, and its intensities by compartment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.core.measure.runs import NUCLEUS, RING, STRIP, ZONES
from mifprofile.core.measure.statistics import (
    distributions,
    moments,
    ring_completeness,
    zone_sums,
)
from mifprofile.model import COMPARTMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mifprofile.core.measure.runs import CellRuns
    from mifprofile.model import Compartment

_BITS = np.arange(ZONES)
# Which zones make up each compartment.
ZONES_OF: dict[str, NDArray[np.bool_]] = {
    "nucleus": (_BITS & NUCLEUS) > 0,
    "cytoplasm": (_BITS & NUCLEUS) == 0,
    "membrane": (_BITS & RING) > 0,
    "cell": _BITS >= 0,
    "strip": (_BITS & STRIP) > 0,
}
AREAS = tuple(ZONES_OF)


@dataclass(frozen=True)
class Reading:
    """How one channel is read.

    Attributes
    ----------
    name : str
        Marker or channel, as the columns call it.
    compartment : Compartment or None
        Where the panel reads the marker; None for a channel that is no marker, of
        which only the means are taken.
    threshold : float
        A pixel above it is stained.
    floor : float
        The least intensity that tells anything: noise, or a count.
    """

    name: str
    compartment: Compartment | None = None
    threshold: float = np.nan
    floor: float = 0.0


def measure_cells(
    runs: CellRuns,
    planes: NDArray[Any],
    readings: Sequence[Reading],
    *,
    um: float,
    percentiles: Sequence[int] = (),
    sectors: int = 24,
    strip: bool = False,
) -> pd.DataFrame:
    """One row per cell: position, shape and intensities.

    Parameters
    ----------
    runs : CellRuns
        Whole cells.
    planes : (c, p) array
        Channels in the order of ``readings``, flattened as ``runs.start`` counts;
        integers or floats.
    readings : sequence of Reading
    um : float
        Pixel size.
    percentiles : sequence of int
        Taken of each marker in its own compartment.
    sectors : int
        Angles in which the membrane ring may be stained or not.
    strip : bool
        Add what `compensate_spill_over` needs.

    Returns
    -------
    pandas.DataFrame
        Ids, positions and shapes, then intensities as float32; see ``docs/tables.md``.
        A cell without cytoplasm has its membrane ring's figures
        there; other figures of an empty compartment are NaN.
    """
    cell, nucleus = (moments(runs, ZONES_OF[name]) for name in ("cell", "nucleus"))
    means, pixels = compartment_means(*zone_sums(runs, planes))
    columns = _shape_columns(runs.ids, cell, nucleus, um)
    intensities = _mean_columns(means, readings)
    for reading, plane in zip(readings, planes, strict=True):
        if reading.compartment is not None:
            intensities |= _own_columns(runs, plane, reading, percentiles)
    intensities |= _completeness_columns(runs, cell[:, 1:3], planes, readings, sectors)
    columns |= {name: v.astype(np.float32) for name, v in intensities.items()}
    if strip:
        columns |= _strip_columns(means, pixels, readings)
    return pd.DataFrame(columns)


def compartment_means(
    pixels: NDArray[np.int64], sums: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Means and pixels by compartment, from those by zone.

    Returns
    -------
    means : (n, 5, c) float64 array
        In nucleus, cytoplasm, membrane, cell and boundary strip; NaN where a
        compartment is empty, but the cytoplasm, which is then the membrane's.
    pixels : (n, 5) int64 array
    """
    members = np.array(list(ZONES_OF.values()))
    counts = pixels @ members.T
    totals = np.einsum("az,nzc->nac", members.astype(float), sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = totals / counts[:, :, None]
    cytoplasm, membrane = AREAS.index("cytoplasm"), AREAS.index("membrane")
    empty = counts[:, cytoplasm] == 0
    means[empty, cytoplasm] = means[empty, membrane]
    return means, counts


def nc_ratio(means: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """Mean in the nucleus over that in the cytoplasm, which is ``floor`` at least.

    So the ratio stays bounded on dark cytoplasm. It is 0 for a nucleus with nothing in
    it; a cell without nucleus has none (NaN), nor has one whose cytoplasm is at 0 in an
    image without noise.

    Parameters
    ----------
    means : (n, 5) float64 array
        As from `compartment_means`, of one channel.
    floor : float
        As in `Reading`.
    """
    nucleus, cytoplasm = (means[:, AREAS.index(n)] for n in ("nucleus", "cytoplasm"))
    below = np.maximum(cytoplasm, floor)
    ratio = nucleus / np.where(below > 0, below, np.nan)
    return np.where(nucleus == 0, 0.0, ratio)


def ellipse(moments: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Axes and eccentricity of the ellipse with these second moments, as skimage's.

    Parameters
    ----------
    moments : (n, 6) float64 array
        As from `mifprofile.core.measure.moments`.

    Returns
    -------
    major, minor, eccentricity : (n,) float64 arrays
        Axes in px.
    """
    yy, yx, xx = moments[:, 3:].T
    spread = np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
    large, small = (yy + xx) / 2 + spread, np.maximum((yy + xx) / 2 - spread, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        eccentricity = np.where(large == 0, 0.0, np.sqrt(1 - small / large))
    return 4 * np.sqrt(large), 4 * np.sqrt(small), eccentricity


def _shape_columns(
    ids: NDArray[np.int64],
    cell: NDArray[np.float64],
    nucleus: NDArray[np.float64],
    um: float,
) -> dict[str, NDArray[Any]]:
    major, minor, eccentricity = ellipse(cell)
    return {
        "cell_id": ids.astype(np.uint32),
        "x_um": cell[:, 2] * um,
        "y_um": cell[:, 1] * um,
        "area_um2": cell[:, 0] * um**2,
        "nucleus_area_um2": nucleus[:, 0] * um**2,
        "major_axis_um": major * um,
        "minor_axis_um": minor * um,
        "eccentricity": eccentricity,
        "nucleus_eccentricity": ellipse(nucleus)[2],
    }


def _mean_columns(
    means: NDArray[np.float64], readings: Sequence[Reading]
) -> dict[str, NDArray[np.float64]]:
    columns = {
        f"{reading.name}_{place}_mean": means[:, k, c]
        for c, reading in enumerate(readings)
        for k, place in enumerate(COMPARTMENTS)
    }
    return columns | {
        f"{reading.name}_nc_ratio": nc_ratio(means[:, :, c], reading.floor)
        for c, reading in enumerate(readings)
        if reading.compartment == "nucleus"
    }


def _completeness_columns(
    runs: CellRuns,
    centres: NDArray[np.float64],
    planes: NDArray[Any],
    readings: Sequence[Reading],
    sectors: int,
) -> dict[str, NDArray[np.float64]]:
    channels = [c for c, r in enumerate(readings) if r.compartment == "membrane"]
    thresholds = [readings[c].threshold for c in channels]
    shares = ring_completeness(runs, centres, planes, channels, thresholds, sectors)
    return {
        f"{readings[c].name}_membrane_completeness": shares[:, k]
        for k, c in enumerate(channels)
    }


def _own_columns(
    runs: CellRuns, plane: NDArray[Any], reading: Reading, percentiles: Sequence[int]
) -> dict[str, NDArray[np.float64]]:
    """Spread of a marker in the compartment where the panel reads it."""
    place = str(reading.compartment)
    figures = distributions(
        runs,
        plane,
        ZONES_OF[place],
        ZONES_OF["membrane" if place == "cytoplasm" else place],
        reading.threshold,
        np.array(percentiles, float),
    )
    names = ("sd", "positive_fraction", *(f"p{p}" for p in percentiles))
    return {f"{reading.name}_{place}_{n}": figures[:, k] for k, n in enumerate(names)}


def _strip_columns(
    means: NDArray[np.float64], pixels: NDArray[np.int64], readings: Sequence[Reading]
) -> dict[str, NDArray[Any]]:
    names = ("membrane", "strip")
    return {f"{n}_px": pixels[:, AREAS.index(n)] for n in names} | {
        f"{reading.name}_strip_mean": means[:, AREAS.index("strip"), c]
        for c, reading in enumerate(readings)
        if reading.compartment == "membrane"
    }
