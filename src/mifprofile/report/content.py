"""What a report is made of: tables, pictures and records, and no file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mifprofile.core.facts import VerdictFacts

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from mifprofile.core.quality import QualityVerdict
    from mifprofile.model import Panel
    from mifprofile.report.channels import ShownChannel


@dataclass(frozen=True)
class Overview:
    """The whole slide at low resolution.

    Attributes
    ----------
    nucleus : (h, w) float32 array or None
        Nuclear channel; None if there is no picture of the slide.
    regions : (h, w) uint8 array
        On the same grid, coded as by `mifprofile.core.landscape.region_map`.
    um : float
        Pixel size of the grid, µm.
    x_um, y_um : (n,) float64 array
        Centroids of all cells.
    phenotypes : (n,) object array
        Their phenotypes.
    """

    nucleus: NDArray[np.float32] | None
    regions: NDArray[np.uint8]
    um: float
    x_um: NDArray[np.float64]
    y_um: NDArray[np.float64]
    phenotypes: NDArray[np.object_]


@dataclass(frozen=True)
class Tile:
    """A small window of the slide at full resolution.

    Attributes
    ----------
    title : str
        Why it was chosen, such as ``"tumour"``.
    x_um, y_um : float
        Its upper left corner.
    um : float
        Pixel size, µm.
    planes : (c, h, w) float32 array
        One plane per shown channel of the report.
    nuclei, cells : (h, w) integer array
        Labels; a cell and its nucleus share one.
    phenotypes : dict
        Label → phenotype.
    """

    title: str
    x_um: float
    y_um: float
    um: float
    planes: NDArray[np.float32]
    nuclei: NDArray[np.integer[Any]]
    cells: NDArray[np.integer[Any]]
    phenotypes: dict[int, str]


@dataclass(frozen=True)
class Stamp:
    """One cell in its surroundings.

    Attributes
    ----------
    planes : (2, h, w) float32 array
        Nuclear channel and marker; what lies beyond the slide repeats its edge.
    cell : (h, w) bool array
        The cell's own pixels.
    """

    planes: NDArray[np.float32]
    cell: NDArray[np.bool_]


@dataclass(frozen=True)
class Gallery:
    """Examples of one marker's calls.

    Attributes
    ----------
    marker : str
    threshold : float
    stamps : dict
        Each of `mifprofile.report.gallery.KINDS` → its cells, the brighter first.
    """

    marker: str
    threshold: float
    stamps: dict[str, tuple[Stamp, ...]]


@dataclass(frozen=True)
class QualityContent:
    """A slide's quality, as the report shows it.

    Attributes
    ----------
    figures : pandas.DataFrame
        The columns of ``quality.csv``.
    masks : dict of str to (h, w) bool array
        Excluded tissue by cause, on the overview's grid.
    """

    figures: pd.DataFrame
    masks: dict[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class ReportContent:
    """All that `mifprofile.report.render` shows.

    Attributes
    ----------
    sample_id, slide_name : str
    panel : Panel
    pixel_size_um : float or None
        None if it is not known.
    size_um : tuple of float
        (width, height) of the slide.
    levels : pandas.DataFrame
        A column per marker, a row per evaluable cell, as the panel reads the marker.
    gates : pandas.DataFrame
        The columns of ``gates.csv``.
    impossible : pandas.DataFrame
        As from `mifprofile.core.phenotype.conflicts.impossible_combinations`.
    landscape : pandas.DataFrame
        The columns of ``landscape.csv``.
    shown : tuple of ShownChannel
        The channels of the tiles' planes, in order.
    overview : Overview or None
    quality : QualityContent or None
    tiles : tuple of Tile
    galleries : tuple of Gallery
        Of the markers that have a gate.
    records : dict
        Stage → its record.
    software : dict
        Package → version.
    """

    sample_id: str
    slide_name: str
    panel: Panel
    pixel_size_um: float | None
    size_um: tuple[float, float]
    levels: pd.DataFrame
    gates: pd.DataFrame
    impossible: pd.DataFrame
    landscape: pd.DataFrame
    shown: tuple[ShownChannel, ...] = ()
    overview: Overview | None = None
    quality: QualityContent | None = None
    tiles: tuple[Tile, ...] = ()
    galleries: tuple[Gallery, ...] = ()
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    software: dict[str, str] = field(default_factory=dict)

    @property
    def thresholds(self) -> dict[str, float]:
        """Marker → threshold, NaN where there is none."""
        pairs = zip(self.gates["marker"], self.gates["threshold"], strict=True)
        return {str(marker): float(threshold) for marker, threshold in pairs}

    @property
    def verdict(self) -> QualityVerdict | None:
        """What is said of the sample, by the last stage that has said it."""
        records = map(self.records.get, ("phenotype", "quality"))
        return next(filter(None, (VerdictFacts.of(r).verdict for r in records)), None)

    def value(self, metric: str, region: str, phenotype: str = "") -> dict[str, Any]:
        """The first row of the landscape that fits, empty if there is none."""
        table = self.landscape
        fits = (
            (table["metric"] == metric)
            & (table["region"] == region)
            & (table["phenotype"] == phenotype)
        )
        rows = table[fits].to_dict("records")
        return {str(k): v for k, v in rows[0].items()} if rows else {}
