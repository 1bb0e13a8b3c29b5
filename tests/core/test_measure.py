import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import regionprops_table
from skimage.segmentation import expand_labels

from mifprofile.core.measure import (
    add_blocks,
    cell_table,
    compartment_means,
    membrane_ring,
    sum_block,
)
from mifprofile.core.segment import plan_blocks

NUCLEI = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0],
        [0, 0, 1, 0, 2, 0],
        [0, 0, 0, 0, 0, 0],
    ],
    np.uint32,
)
CELLS = np.array(
    [
        [0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 2, 0],
        [0, 1, 1, 1, 0, 0],
    ],
    np.uint32,
)
IMAGE = np.arange(24, dtype=np.uint16).reshape(1, 4, 6)


def whole(image, nuclei, cells, membrane_px=1.0):
    inner = tuple(slice(0, n) for n in cells.shape)
    part = sum_block(image, nuclei, cells, inner, (0, 0), membrane_px)
    return add_blocks([part], len(image))


def test_means_by_compartment():
    means = compartment_means(whole(IMAGE, NUCLEI, CELLS))[0, :, 0]
    nucleus, cytoplasm, membrane, cell = means
    assert nucleus == (8 + 14) / 2
    assert cytoplasm == (1 + 2 + 3 + 7 + 9 + 13 + 15 + 19 + 20 + 21) / 10
    assert membrane == (1 + 3 + 7 + 9 + 13 + 15 + 19 + 21) / 8
    assert cell == pytest.approx(IMAGE[0][CELLS == 1].mean())


def test_a_cell_without_cytoplasm_is_read_on_its_membrane():
    means = compartment_means(whole(IMAGE, NUCLEI, CELLS))[1, :, 0]
    assert means.tolist() == [16, 16, 16, 16]


def test_the_ring_is_as_wide_as_told():
    cells = np.zeros((9, 9), np.uint32)
    cells[1:8, 1:8] = 1
    assert membrane_ring(cells, 1.0).sum() == 49 - 25
    assert membrane_ring(cells, 2.0).sum() == 49 - 9


def scene(seed=0, shape=(70, 90)):
    rng = np.random.default_rng(seed)
    seeds = np.zeros(shape, int)
    places = rng.integers(0, shape, (60, 2))
    seeds[tuple(places.T)] = np.arange(1, 61)
    nuclei = expand_labels(seeds, 3).astype(np.uint32)
    cells = expand_labels(nuclei, 2).astype(np.uint32)
    image = rng.integers(0, 60_000, (3, *shape)).astype(np.uint16)
    return image, nuclei, cells


def test_shapes_and_means_equal_skimages():
    image, nuclei, cells = scene()
    table = cell_table(whole(image, nuclei, cells), ["A", "B", "C"], um=0.5)
    oracle = regionprops_table(
        cells,
        np.moveaxis(image, 0, -1),
        properties=(
            "label",
            "area",
            "centroid",
            "axis_major_length",
            "axis_minor_length",
            "eccentricity",
            "intensity_mean",
        ),
    )
    np.testing.assert_array_equal(table["cell_id"], oracle["label"])
    for ours, theirs, scale in (
        ("area_um2", "area", 0.25),
        ("major_axis_um", "axis_major_length", 0.5),
        ("minor_axis_um", "axis_minor_length", 0.5),
        ("eccentricity", "eccentricity", 1),
        ("A_cell_mean", "intensity_mean-0", 1),
        ("C_cell_mean", "intensity_mean-2", 1),
    ):
        np.testing.assert_allclose(table[ours], oracle[theirs] * scale, 1e-6, 1e-6)
    # skimage counts from a pixel's centre, the slide's corner lies half a pixel off.
    np.testing.assert_allclose(table["x_um"], (oracle["centroid-1"] + 0.5) * 0.5)
    np.testing.assert_allclose(table["y_um"], (oracle["centroid-0"] + 0.5) * 0.5)


@settings(max_examples=20, deadline=None)
@given(st.integers(5, 100), st.integers(0, 99))
def test_blocks_add_up_to_the_whole(block_px, seed):
    image, nuclei, cells = scene(seed)
    parts = []
    for block in plan_blocks(cells.shape, block_px, 3):
        outer = block.outer_slices
        parts.append(
            sum_block(
                image[:, *outer],
                nuclei[outer],
                cells[outer],
                block.inner_slices,
                (block.outer[0], block.outer[2]),
                2.0,
            )
        )
    total, once = add_blocks(parts, 3), whole(image, nuclei, cells, 2.0)
    assert (total.pixels == once.pixels).all()
    np.testing.assert_array_equal(total.sums, once.sums)
    np.testing.assert_array_equal(total.cell_moments, once.cell_moments)


def test_no_cell_gives_an_empty_table():
    empty = np.zeros((4, 6), np.uint32)
    table = cell_table(whole(IMAGE, empty, empty), ["A"], um=1.0)
    assert table.empty
    assert "A_nucleus_mean" in table
