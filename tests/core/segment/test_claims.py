import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from mifprofile.core.segment import claim_cells, claim_reach_px

LEFT, RIGHT = -1.0, 1.0


def claimed(nuclei, flow_x, probability=None, um=1.0):
    nuclei = np.array([nuclei], np.int32)
    flows = np.stack([np.zeros(nuclei.shape), [flow_x]]).astype(np.float32)
    inside = np.ones(nuclei.shape) if probability is None else np.array([probability])
    return claim_cells(
        nuclei, flows, inside.astype(np.float32), um=um, cell_probability=0.0
    )[0].tolist()


def test_pixels_join_the_nucleus_they_flow_to():
    nuclei = [0, 1, 0, 0, 0, 2, 0]
    flow_x = [RIGHT, 0, LEFT, LEFT, RIGHT, 0, LEFT]
    assert claimed(nuclei, flow_x) == [1, 1, 1, 1, 2, 2, 2]


def test_pixels_outside_cells_stay_background():
    flow_x = [0, LEFT, LEFT, LEFT]
    assert claimed([1, 0, 0, 0], flow_x, [1, 1, -1, 1]) == [1, 1, 0, 0]


def test_a_cell_without_a_nucleus_is_none():
    assert claimed([0, 0, 0], [RIGHT, 0, LEFT]) == [0, 0, 0]


def test_two_nuclei_in_one_cell_divide_it():
    # all flows lead to the middle, where the left nucleus ends
    nuclei = [0, 1, 1, 0, 2, 0]
    flow_x = [RIGHT, RIGHT, 0, LEFT, LEFT, LEFT]
    assert claimed(nuclei, flow_x) == [1, 1, 1, 1, 2, 2]


def test_no_cell_reaches_further_than_allowed():
    cells = claimed([1] + [0] * 30, [LEFT] * 31)
    assert cells == [1] * 17 + [0] * 14


def test_a_pixel_that_touches_by_a_corner_is_left_out():
    nuclei = np.array([[0, 1], [0, 0]], np.int32)
    flows = np.array([[[0, 0], [-1, 0]], [[0, 0], [1, 0]]], np.float32)
    inside = np.array([[-1, 1], [1, -1]], np.float32)
    cells = claim_cells(nuclei, flows, inside, um=1.0, cell_probability=0.0)
    assert cells.tolist() == nuclei.tolist()
    inside[0, 0] = 1
    flows[1, 0, 0] = 1
    cells = claim_cells(nuclei, flows, inside, um=1.0, cell_probability=0.0)
    assert cells.tolist() == [[1, 1], [1, 0]]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 4.0]))
def test_what_lies_beyond_the_reach_does_not_count(seed, um):
    rng = np.random.default_rng(seed)
    shape = (160, 170)
    noise = np.stack([gaussian_filter(rng.normal(size=shape), 2) for _ in range(3)])
    seeds = gaussian_filter(rng.normal(size=shape), 2) > 0.15
    nuclei = np.where(seeds, rng.integers(1, 9, shape), 0).astype(np.int32)
    flows = (8 * noise[:2]).astype(np.float32)
    inside = (noise[2] + 0.05).astype(np.float32)
    whole = claim_cells(nuclei, flows, inside, um=um, cell_probability=0.0)
    y, x = rng.integers(60, 90, 2)
    halo = claim_reach_px(um)
    part = (slice(y - halo, y + 10 + halo), slice(x - halo, x + 10 + halo))
    cut = claim_cells(
        nuclei[part],
        np.ascontiguousarray(flows[:, *part]),
        inside[part],
        um=um,
        cell_probability=0.0,
    )
    inner = cut[halo : halo + 10, halo : halo + 10]
    np.testing.assert_array_equal(inner, whole[y : y + 10, x : x + 10])


@pytest.mark.parametrize(("um", "reach"), [(0.5, 66), (1.0, 34), (0.25, 130)])
def test_reach_at_a_pixel_size(um, reach):
    assert claim_reach_px(um) == reach
