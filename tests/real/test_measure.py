"""Every figure that the stage writes against numpy, pandas and skimage."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage
from skimage.measure import regionprops, regionprops_table

from benchmarks.breast import PANEL, UM
from mifprofile.io.config import override_options, read_panel
from mifprofile.io.readers import open_slide, read_label_image
from mifprofile.io.results import Results
from mifprofile.io.store import open_label_store
from mifprofile.model import COMPARTMENTS, Panel
from mifprofile.options import Options
from mifprofile.stages import Job, run_stage
from mifprofile.stages import measure as stage

CODEX = {
    "name": "codex",
    "species": "human",
    "nucleus": "nucleus",
    "markers": {
        "edge": {"channel": "membrane", "measure": "membrane"},
        "body": {"channel": "cytoplasm", "measure": "cytoplasm"},
        "core": {"channel": "CH_7", "measure": "nucleus"},
    },
    "phenotypes": {"edged": "edge+"},
}


def breast(folder, tmp_path):
    sections = {"ingest": {"pixel_size_um": UM}}
    options = override_options(Options(), sections, "test")
    slide = folder / "breast_b09/breast_b09.ome.tif"
    return Job(Results(tmp_path), read_panel(PANEL), options, slide=slide, quiet=True)


def codex(folder, tmp_path):
    """Cells by an expert; their nuclei are what lies 3 px inside."""
    folder = folder / "codex_tile"
    cells = folder / "R001_X003_Y004_expert1_cells.tif"
    labels = read_label_image(cells)
    inner = ndimage.minimum_filter(labels, 7) == ndimage.maximum_filter(labels, 7)
    nuclei = tmp_path / "nuclei.tif"
    tifffile.imwrite(nuclei, np.where(inner, labels, 0).astype(np.uint32))
    slide = folder / "R001_X003_Y004.ome.tif"
    return Job(
        *(Results(tmp_path), Panel.model_validate(CODEX)),
        **{"slide": slide, "cells": cells, "nuclei": nuclei, "quiet": True},
    )


@pytest.fixture(scope="module", params=[breast, codex])
def case(request, data_dir, tmp_path_factory):
    """A job measured in blocks of odd size, its table, image and labels."""
    job = request.param(data_dir, tmp_path_factory.mktemp(request.param.__name__))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "BLOCK_PX", 173)
        for name in ("ingest", "quality", "segment", "measure"):
            run_stage(job, name)
    slide = open_slide(job.results.slide)
    channels = stage.column_channels(slide, job.panel)
    image = np.asarray(slide.levels[0])[list(channels.values())]
    store = open_label_store(job.results.labels)
    labels = (np.asarray(store[n].levels[0]) for n in ("nuclei", "cells"))
    planes = dict(zip(channels, image.astype(float), strict=True))
    return job, slide.um, planes, *labels


def table_of(job):
    return pd.read_parquet(job.results.measurements).set_index("cell_id")


def ring_of(cells, reach_px):
    steps = np.arange(-int(reach_px), int(reach_px) + 1)
    disc = np.hypot(*np.meshgrid(steps, steps)) <= reach_px
    low, high = (
        f(cells, footprint=disc, mode="nearest")
        for f in (ndimage.minimum_filter, ndimage.maximum_filter)
    )
    return (cells > 0) & (low != high)


def places_of(um, nuclei, cells):
    inside = nuclei == cells
    masks = (inside, ~inside, ring_of(cells, 1.0 / um), cells > 0)
    return {n: m & (cells > 0) for n, m in zip(COMPARTMENTS, masks, strict=True)}


def test_intensities_equal_pandas(case):
    job, um, planes, nuclei, cells = case
    table, places = table_of(job), places_of(um, nuclei, cells)
    facts = job.results.read_record("measure")["facts"]
    for name, plane in planes.items():
        marker = job.panel.markers.get(name)
        for place, mask in places.items():
            grouped = pd.Series(plane[mask]).groupby(cells[mask])
            close(table[f"{name}_{place}_mean"], grouped.mean())
            if marker is not None and marker.measure == place:
                limit = facts["pixel_thresholds"][name]
                close(table[f"{name}_{place}_sd"], grouped.std(ddof=0))
                close(table[f"{name}_{place}_p50"], grouped.quantile(0.5))
                close(table[f"{name}_{place}_p95"], grouped.quantile(0.95))
                above = pd.Series(plane[mask] > limit).groupby(cells[mask]).mean()
                close(table[f"{name}_{place}_positive_fraction"], above)


def close(ours, theirs):
    """Equal to float32's precision wherever the compartment has a pixel."""
    assert len(theirs) > 200
    ours = ours[theirs.index].to_numpy(float)
    np.testing.assert_allclose(ours, theirs.to_numpy(float), rtol=1e-6, atol=1e-6)


def test_shapes_equal_skimages(case):
    job, um, _, _, cells = case
    wanted = ("label", "area", "centroid", "axis_major_length", "axis_minor_length")
    oracle = pd.DataFrame(
        regionprops_table(cells, properties=(*wanted, "eccentricity"))
    ).set_index("label")
    table = table_of(job)
    assert list(table.index) == list(oracle.index)
    close(table["x_um"], (oracle["centroid-1"] + 0.5) * um)
    close(table["y_um"], (oracle["centroid-0"] + 0.5) * um)
    close(table["area_um2"], oracle["area"] * um**2)
    close(table["major_axis_um"], oracle["axis_major_length"] * um)
    close(table["minor_axis_um"], oracle["axis_minor_length"] * um)
    close(table["eccentricity"], oracle["eccentricity"])


def test_completeness_of_membranes(case):
    job, um, planes, _, cells = case
    ring, table = ring_of(cells, 1.0 / um), table_of(job)
    facts = job.results.read_record("measure")["facts"]
    names = [n for n, m in job.panel.markers.items() if m.measure == "membrane"]
    off = []
    for region in regionprops(cells):
        y, x = np.nonzero(ring[region.slice] & region.image)
        cy, cx = np.mean(region.coords, axis=0) - region.bbox[:2]
        sector = (np.arctan2(y - cy, x - cx) / (2 * np.pi) + 0.5) * 24 // 1 % 24
        for name in names:
            values = pd.Series(planes[name][region.slice][y, x])
            stained = values.groupby(sector).mean() > facts["pixel_thresholds"][name]
            ours = table[f"{name}_membrane_completeness"][region.label]
            off.append(abs(ours - stained.mean()))
    # A pixel on the line between two sectors may fall to either by rounding.
    assert np.mean(np.array(off) < 1e-6) > 0.99
    assert max(off) < 2.1 / 24


def test_contacts_are_symmetric_with_outlines(case):
    job, _, _, _, cells = case
    contacts, table = pd.read_parquet(job.results.contacts), table_of(job)
    assert (contacts["cell_a"] < contacts["cell_b"]).all()
    both = contacts.melt("boundary_um", value_name="cell_id")
    shared = both.groupby("cell_id")["boundary_um"].sum()
    assert (shared <= table["perimeter_um"][shared.index] + 1e-9).all()
    down = (cells[1:] != cells[:-1]) & (cells[1:] > 0) & (cells[:-1] > 0)
    across = (cells[:, 1:] != cells[:, :-1]) & (cells[:, 1:] > 0) & (cells[:, :-1] > 0)
    edges = down.sum() + across.sum()
    assert contacts["boundary_um"].sum() == pytest.approx(edges * case[1])


def test_another_block_size_gives_the_same_bits(case):
    job = case[0]
    before, pairs = table_of(job), pd.read_parquet(job.results.contacts)
    run_stage(job, "measure", force=True)
    pd.testing.assert_frame_equal(table_of(job), before, check_exact=True)
    pd.testing.assert_frame_equal(pd.read_parquet(job.results.contacts), pairs)
