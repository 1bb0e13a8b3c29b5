from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from mifprofile.core.segment import (
    ObjectRules,
    plan_blocks,
    segment_nuclei,
)
from mifprofile.core.segment.dynamics import travel_px

RULES = ObjectRules.at(
    2.0,
    cell_probability=0.0,
    flow_error=0.4,
    min_contrast=0.1,
    min_area_um2=40,
    max_area_um2=4000,
)


def crowd(seed, shape=(500, 520)):
    """Noisy flows and probability of crowded discs, as a network would give them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    probability = np.full(shape, -3.0, np.float32)
    flows = np.zeros((2, *shape), np.float32)
    for cy, cx in rng.uniform((0, 0), shape, (700, 2)):
        near = (
            slice(int(max(cy - 9, 0)), int(cy + 9)),
            slice(int(max(cx - 9, 0)), int(cx + 9)),
        )
        distance = np.hypot(y[near] - cy, x[near] - cx)
        inside = (distance < 7) & (probability[near] < 0)
        probability[near][inside] = 3.0
        flows[0][near][inside] = ((cy - y[near]) / (distance + 0.1))[inside]
        flows[1][near][inside] = ((cx - x[near]) / (distance + 0.1))[inside]
    noise = np.stack([gaussian_filter(rng.normal(size=shape), 1.5) for _ in range(2)])
    return (flows + 1.5 * noise).astype(np.float32), probability


def stain_of(probability):
    """A stain in which a tenth of the objects are gaps."""
    gaps = np.random.default_rng(0).random(probability.shape) < 0.1
    return np.where(gaps, -probability, probability)


def in_blocks(flows, probability, block_px, rules):
    """Global keys and sinks, block by block; each block is asked for its core alone."""
    shape = probability.shape
    keys = np.zeros(shape, np.uint64)
    owned = set()
    for block in plan_blocks(shape, block_px, rules.halo_px):
        rows, cols = block.outer_slices
        inner = block.inner_slices
        within = (inner[0].start, inner[0].stop, inner[1].start, inner[1].stop)
        labels, sinks = segment_nuclei(
            np.ascontiguousarray(flows[:, rows, cols]),
            probability[rows, cols],
            rules,
            stain_of(probability)[rows, cols],
            within,
        )
        places = (
            (sinks[:, 0] + block.outer[0]) * shape[1] + sinks[:, 1] + block.outer[2]
        )
        names = np.concatenate([[0], places + 1]).astype(np.uint64)
        keys[block.core_slices] = names[labels[inner]]
        owned |= set(places[is_inside(sinks, within)].tolist())
    return keys, owned


def is_inside(sinks, within):
    y0, y1, x0, x1 = within
    row, col = sinks.T
    return (row >= y0) & (row < y1) & (col >= x0) & (col < x1)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(40, 400))
def test_blocks_give_the_pixels_of_the_whole(seed, block_px):
    flows, probability = crowd(seed)
    whole, ends = in_blocks(flows, probability, 10_000, RULES)
    assert len(np.unique(whole)) > 200
    keys, owned = in_blocks(flows, probability, block_px, RULES)
    assert (keys == whole).all()
    assert owned == ends


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(40, 200), st.sampled_from([0.5, 4.0]))
def test_blocks_agree_where_flows_tell_nothing(seed, block_px, grain_px):
    rng = np.random.default_rng(seed)
    shape = (300, 340)
    flows = np.stack(
        [gaussian_filter(rng.normal(size=shape), grain_px) for _ in range(2)]
    )
    flows = (flows / np.hypot(*flows)).astype(np.float32)
    probability = gaussian_filter(rng.normal(size=shape) + 0.1, grain_px)
    rules = replace(RULES, flow_error=9.0, min_area_px=1, min_contrast=-9)
    whole, ends = in_blocks(flows, probability, 10_000, rules)
    assert len(np.unique(whole)) > 20
    keys, owned = in_blocks(flows, probability, block_px, rules)
    assert (keys == whole).all()
    assert owned == ends


def field_of(labels):
    """Flows and probability of discs or the like, to the mean of each."""
    flows = np.zeros((2, *labels.shape), np.float32)
    for name in range(1, labels.max() + 1):
        rows, cols = np.nonzero(labels == name)
        away = np.stack([rows - rows.mean(), cols - cols.mean()])
        flows[:, rows, cols] = -away / np.maximum(np.hypot(*away), 1)
    return flows, np.where(labels > 0, 3, -3).astype(np.float32)


def discs(shape, centres, radius):
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    for i, (cy, cx) in enumerate(centres, start=1):
        labels[np.hypot(y - cy, x - cx) <= radius] = i
    return labels


def on_every_corner():
    corners = [(y, x) for y in range(60, 300, 60) for x in range(60, 300, 60)]
    return field_of(discs((300, 300), corners, 9))


def chain_across_ten_blocks():
    return field_of(discs((120, 640), [(60, x) for x in range(10, 630, 13)], 7))


def as_large_as_a_block():
    return field_of(discs((300, 300), [(120, 120), (118, 181), (180, 150)], 30))


def a_saturated_speck():
    """Most paths of a wide region end in one pixel of one block."""
    flows, probability = on_every_corner()
    y, x = np.mgrid[:300, :300]
    away = np.stack([y - 150, x - 150])
    pull = -away / np.maximum(np.hypot(*away), 1)
    near = np.hypot(*away) < 70
    flows[:, near] = pull[:, near]
    probability[near] = 99
    return flows, probability


@pytest.mark.parametrize(
    "scene",
    [on_every_corner, chain_across_ten_blocks, as_large_as_a_block, a_saturated_speck],
)
@pytest.mark.parametrize("block_px", [30, 60, 61])
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_blocks_agree_on_hard_scenes(scene, block_px, noise):
    flows, probability = scene()
    rng = np.random.default_rng(0)
    rough = [gaussian_filter(rng.normal(size=probability.shape), 1) for _ in range(2)]
    flows = (flows + noise * np.stack(rough)).astype(np.float32)
    rules = replace(RULES, flow_error=2.0, max_area_px=4000.0)
    whole, ends = in_blocks(flows, probability, 10_000, rules)
    assert whole.any()
    keys, owned = in_blocks(flows, probability, block_px, rules)
    assert (keys == whole).all()
    assert owned == ends


def test_a_cell_as_large_as_a_block_is_found_whole():
    flows, probability = as_large_as_a_block()
    rules = replace(RULES, max_area_px=4000.0)
    found, _ = in_blocks(flows, probability, 60, rules)
    sizes = np.unique(found[found > 0], return_counts=True)[1]
    assert sorted(sizes)[0] > 0.8 * np.pi * 30**2


def test_too_small_and_too_large_nuclei_are_dropped():
    flows, probability = crowd(1)
    limits = {"min_contrast": 0, "min_area_um2": 200, "max_area_um2": 500}
    rules = ObjectRules.at(2.0, cell_probability=0, flow_error=9, **limits)
    labels, _ = segment_nuclei(flows, probability, rules)
    areas = np.bincount(labels.ravel())[1:] * 4.0
    assert areas.min() >= 200
    assert areas.max() <= 500


def test_no_foreground_gives_no_nucleus():
    labels, sinks = segment_nuclei(
        np.zeros((2, 30, 30), np.float32), np.full((30, 30), -1, np.float32), RULES
    )
    assert not labels.any()
    assert sinks.shape == (0, 2)


@pytest.mark.parametrize("um", [0.25, 0.5, 1.0])
def test_the_way_to_a_sink_is_long_enough_at_any_pixel_size(um):
    rules = ObjectRules.at(
        um,
        cell_probability=0,
        flow_error=1,
        min_contrast=0,
        min_area_um2=1,
        max_area_um2=9,
    )
    assert travel_px(rules.doublings) * um >= 16
    assert rules.doublings == 1 or travel_px(rules.doublings - 1) * um < 16
