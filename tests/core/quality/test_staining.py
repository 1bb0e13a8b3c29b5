import numpy as np
import pytest

from mifprofile.core.quality import (
    clip_level,
    clump_level,
    figure_table,
    find_aggregates,
    find_illumination,
    pair_figures,
    staining_figures,
)


def value(table, figure, channel="A", channel_b=""):
    rows = table[
        (table["figure"] == figure)
        & (table["channel"] == channel)
        & (table["channel_b"] == channel_b)
    ]
    return rows["value"].item()


def test_levels_of_a_channel():
    values = np.repeat(np.float32([-1, 0, 10, 200]), [10, 140, 840, 10])
    table = figure_table(list(staining_figures("A", values, 2.0, 0.5)))
    assert value(table, "negative_pixels") == 1
    assert value(table, "zero_pixels") == pytest.approx(14)
    assert value(table, "saturated_pixels") == 0.5
    assert value(table, "signal_to_background") == pytest.approx(20)
    assert value(table, "contrast_to_noise") == pytest.approx(95)


@pytest.mark.parametrize("values", [np.empty(0, np.float32), np.zeros(9, np.float32)])
def test_what_cannot_be_had_has_a_reason(values):
    channels = np.stack([values, values])
    figures = [*staining_figures("A", values, np.nan, np.nan)]
    table = figure_table([*figures, *pair_figures(["A", "B"], channels)])
    assert (table["reason"] != "").equals(table["value"].isna())


def test_bleed_through_shows_as_a_leak():
    rng = np.random.default_rng(0)
    a = rng.gamma(0.5, 400, 20_000)
    clean = rng.normal(50, 5, a.size)
    values = np.stack([a, clean, clean + 0.2 * a]).astype(np.float32)
    table = figure_table(list(pair_figures(["A", "B", "C"], values)))
    assert value(table, "leak", "A", "B") == 0
    assert value(table, "leak", "A", "C") == pytest.approx(20, abs=3)
    assert abs(value(table, "correlation", "A", "B")) < 0.05


@pytest.mark.parametrize(
    ("values", "highest", "level"),
    [
        ([0, 1, 2, 255], 255.0, 255),
        ([0, 1, 2, 200], 255.0, None),
        ([1] * 50 + [90] * 30, None, 90),
        ([0] * 40, 65535.0, None),
        ([0] * 10 + [90] * 90, None, 90),
        ([3] * 40 + [255] * 60, 255.0, 255),
        ([255] * 40, 255.0, 255),
        ([0] * 500 + [1] * 90 + [2] * 40 + [3] * 12, 255.0, None),
        ([0] * 500 + [1] * 90 + [2] * 40 + [3] * 60, 255.0, 3),
        ([], None, None),
    ],
)
def test_clipping_is_at_the_top_of_the_type_or_where_values_heap_up(
    values, highest, level
):
    array = np.array(values, np.float32)
    assert clip_level(array, max(values, default=0.0), highest) == level


def test_small_spots_off_nuclei_are_clumps():
    maximum = np.full((20, 20), 10.0, np.float32)
    maximum[3, 3] = maximum[3, 15] = 500.0  # the second lies on a nucleus
    maximum[10:15, 10:15] = 500.0  # too large
    nuclear = np.zeros((20, 20), np.float32)
    nuclear[3, 15] = 100.0
    found = find_aggregates(
        maximum,
        nuclear,
        np.ones((20, 20), bool),
        um=4.0,
        threshold=100.0,
        max_area_um2=100.0,
    )
    assert sorted(map(tuple, np.argwhere(found).tolist())) == [
        (2, 3),
        (3, 2),
        (3, 3),
        (3, 4),
        (4, 3),
    ]


def test_a_flat_channel_has_no_clumps():
    assert clump_level(np.zeros(100, np.float32), 3.0) == np.inf


def shaded(loss, field_um=600.0, size_um=6000.0, um=4.0):
    at = (np.arange(round(size_um / um)) * um / field_um) % 1 * 2 - 1
    rng = np.random.default_rng(1)
    light = 1 - 0.5 * loss * np.add.outer(at**2, at**2)
    return (light * rng.gamma(4, 100, light.shape)).astype(np.float32)


@pytest.mark.parametrize("loss", [0.2, 0.4])
def test_shading_is_measured_with_its_field(loss):
    plane = shaded(loss)
    found = find_illumination(plane, np.ones(plane.shape, bool), 4.0)
    assert found.period_x_um == pytest.approx(600, abs=8)
    assert found.period_y_um == pytest.approx(600, abs=8)
    assert found.amplitude == pytest.approx(loss, rel=0.35)


def test_even_light_has_no_period_and_a_small_slide_cannot_tell():
    plane = shaded(0.0)
    tissue = np.ones(plane.shape, bool)
    assert find_illumination(plane, tissue, 4.0).amplitude == 0
    small = find_illumination(plane[:90, :90], tissue[:90, :90], 4.0)
    assert np.isnan(small.amplitude)
    assert small.reason
