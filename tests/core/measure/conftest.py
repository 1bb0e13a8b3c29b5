from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from skimage.segmentation import expand_labels

from mifprofile.core.measure import (
    Reading,
    cell_runs,
    label_areas,
    measure_cells,
    whole_cells,
)
from mifprofile.core.segment import plan_blocks

READINGS = (
    Reading("A", "membrane", 30_000.0),
    Reading("B", "nucleus", 20_000.0),
    Reading("C", "cytoplasm", 40_000.0),
    Reading("D"),
)


@pytest.fixture(scope="session")
def scene():
    """Maker of some 60 touching cells with their nuclei, under noise."""

    def make(seed=0, shape=(70, 90), dtype=np.uint16):
        rng = np.random.default_rng(seed)
        seeds = np.zeros(shape, int)
        places = rng.integers(0, shape, (60, 2))
        seeds[tuple(places.T)] = np.arange(1, 61)
        cells = expand_labels(seeds, 5).astype(np.uint32)
        nuclei = np.where(expand_labels(seeds, 3) > 0, cells, 0)
        image = rng.uniform(0, 60_000, (4, *shape)).astype(dtype)
        return SimpleNamespace(image=image, nuclei=nuclei, cells=cells)

    return make


@pytest.fixture(scope="session")
def measured():
    """Measures a scene, block by block or as one; rows come in the order of ids."""

    def measure(scene, readings=READINGS, block_px=None, membrane_px=1.0, **options):
        shape = scene.cells.shape
        ids, pixels = label_areas(scene.cells)
        areas = np.zeros(ids.max(initial=0) + 1, np.int64)
        areas[ids] = pixels
        blocks = plan_blocks(shape, block_px or max(shape), int(membrane_px) + 2)
        parts = [
            measure_cells(runs, planes, readings, um=0.5, **options)
            for runs, planes in whole_cells(cut(scene, blocks, membrane_px), areas)
        ]
        return pd.concat(parts).sort_values("cell_id", ignore_index=True)

    return measure


def cut(scene, blocks, membrane_px):
    for block in blocks:
        outer = block.outer_slices
        corner = (block.outer[0], block.outer[2])
        labels = (scene.nuclei[outer], scene.cells[outer])
        runs = cell_runs(*labels, block.inner_slices, corner, membrane_px, 2.0)
        yield runs, scene.image[:, *outer]
