from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from mifprofile.core.landscape import landscape
from mifprofile.core.phenotype.conflicts import Combination
from mifprofile.options import LandscapeOptions
from mifprofile.report import Overview, ReportContent, Tile, shown_channels
from tests.panels import make_panel


@pytest.fixture(scope="session")
def panel():
    return make_panel(
        {"CD8": "CD8a/membrane", "CK": "CK-EPCAM/cytoplasm", "PD-L1": "PDL1/membrane"},
        name="two markers",
        phenotypes={"tumour": "CK+/CD8-", "CTL": "CD8+/CK-"},
        states=["PD-L1"],
        tumour="tumour",
        impossible=["CD8+/CK+"],
    )


def _landscape(panel, cells, regions):
    return landscape("S1", cells, regions, 10.0, panel, LandscapeOptions())


def _cells(names, regions):
    cells = pd.DataFrame({"phenotype": names, "region": regions})
    cells = cells.assign(x_um=55.0, y_um=55.0 + 150.0 * np.arange(len(cells)))
    return cells.assign(**{"PD-L1_positive": cells["phenotype"] == "CTL"})


def _gates(rows):
    columns = ["sample", "marker", "threshold", "method", "scope", "note"]
    gates = pd.DataFrame(rows, columns=columns).assign(author="", time="", drift="")
    known = gates["threshold"].notna()
    return gates.assign(grade=known.map({True: "clear", False: "undecided"}))


def _content(panel, **given):
    return ReportContent(
        sample_id="S1",
        slide_name="slide.ome.tif",
        panel=panel,
        pixel_size_um=0.5,
        shown=shown_channels(panel),
        records={
            "ingest": {
                "finished": "2026-01-02T03:04:05Z",
                "seconds": 75.0,
                "version": "0.1.0",
                "options": {"pixel_size_um": None},
                "inputs": {"slide": {"name": "slide.ome.tif", "bytes": 12}},
                "facts": {"pixel_size_from": "file"},
            }
        },
        software={"python": "3.11.0", "mifprofile": "0.1.0"},
        **given,
    )


@pytest.fixture(scope="session")
def content(panel):
    """One tumour cell, one CTL, and no gate for CD8's neighbour in the panel."""
    regions = np.full((40, 40), 3, np.uint8)
    regions[:20], regions[:10] = 2, 1
    labels = np.zeros((20, 20), np.uint32)
    labels[5:15, 5:15] = 7
    nuclei = np.zeros_like(labels)
    nuclei[8:12, 8:12] = 7
    return _content(
        panel,
        size_um=(400.0, 400.0),
        levels=pd.DataFrame({"CD8": [1.0, 30.0], "CK": [2.0, 3.0]}),
        gates=_gates(
            [
                ("S1", "CD8", 9.0, "manual", "slide", ""),
                ("S1", "CK", np.nan, "gmm", "slide", "only 2 cells"),
            ]
        ),
        impossible=pd.DataFrame([asdict(Combination("CD8+/CK+", 12, 100, 12.0))]),
        landscape=_landscape(
            panel, _cells(["tumour", "CTL"], ["tumour", "stroma"]), regions
        ),
        overview=Overview(
            nucleus=np.arange(1600, dtype=np.float32).reshape(40, 40),
            regions=regions,
            um=10.0,
            x_um=np.array([55.0, 205.0]),
            y_um=np.array([55.0, 205.0]),
            phenotypes=np.array(["tumour", "CTL"], object),
        ),
        tiles=(
            Tile(
                title="tumour",
                x_um=50.0,
                y_um=50.0,
                um=0.5,
                planes=np.stack([labels, labels, labels]).astype(np.float32),
                nuclei=nuclei,
                cells=labels,
                phenotypes={7: "tumour"},
            ),
        ),
    )


@pytest.fixture(scope="session")
def empty_content(panel):
    """A slide of glass."""
    glass = np.zeros((40, 40), np.uint8)
    nowhere = np.empty(0)
    return _content(
        panel,
        size_um=(400.0, 400.0),
        levels=pd.DataFrame({"CD8": nowhere, "CK": nowhere}),
        gates=_gates([("S1", m, np.nan, "gmm", "slide", "") for m in ("CD8", "CK")]),
        impossible=pd.DataFrame([asdict(Combination("CD8+/CK+", 0, 0, np.nan))]),
        landscape=_landscape(panel, _cells([], []), glass),
        overview=Overview(
            nucleus=np.zeros((40, 40), np.float32),
            regions=glass,
            um=10.0,
            x_um=nowhere,
            y_um=nowhere,
            phenotypes=np.empty(0, object),
        ),
    )
