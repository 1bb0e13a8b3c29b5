import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from mifprofile.napari._histogram import (
    ABOVE,
    BELOW,
    BINS,
    GateHistogram,
    log_histogram,
)


@pytest.fixture
def histogram(screen, qtbot):
    widget = GateHistogram()
    qtbot.addWidget(widget)
    widget.resize(320, 200)
    widget.show_levels(np.expm1(np.linspace(0, 8, 1000)), 50.0)
    return widget


def test_every_finite_level_is_counted_once():
    counts, edges = log_histogram(np.array([-3.0, 0.0, 10.0, 1000.0, np.nan]), 4.0)
    assert counts.sum() == 4
    assert counts[0] == 2
    assert (edges[0], edges[-1]) == (0, np.log1p(250))


@pytest.mark.parametrize("levels", [[], [7.0, 7.0]])
def test_no_spread_still_has_an_axis(levels):
    counts, edges = log_histogram(np.array(levels), 1.0)
    assert counts.sum() == len(levels)
    assert edges.size == BINS + 1
    assert edges[-1] > edges[0]


def test_place_and_level_are_inverse(histogram):
    for level in (0.0, 3.0, 250.0):
        assert histogram.level_at(histogram.x_of(level)) == pytest.approx(level)
    assert histogram.level_at(-50) == 0
    assert histogram.level_at(1e5) == pytest.approx(np.expm1(8))


@pytest.mark.parametrize("constant", [1e-6, 1 / 65_535, 256.0, 1e6])
def test_the_picture_is_the_same_in_every_unit(histogram, constant):
    levels = np.expm1(np.linspace(0, 8, 1000))
    places = [histogram.x_of(level) for level in levels]
    before = histogram._ticks()
    histogram.show_levels(levels * constant, 50.0 * constant)
    for level, place in zip(levels * constant, places, strict=True):
        assert histogram.x_of(level) == pytest.approx(place)
        assert histogram.level_at(place) == pytest.approx(level, abs=1e-9 * constant)
    ticks = histogram._ticks()
    assert abs(len(ticks) - len(before)) <= 1
    assert len(ticks) > 3
    assert all(
        f"{tick:e}"[:8] in {"1.000000", "2.000000", "5.000000"} for tick in ticks
    )


def test_a_drag_moves_the_gate(histogram, qtbot):
    moved = []
    histogram.moved.connect(moved.append)
    histogram.show()
    press, end = (QPoint(round(histogram.x_of(x)), 60) for x in (50.0, 400.0))
    qtbot.mousePress(histogram, Qt.MouseButton.LeftButton, pos=press)
    qtbot.mouseMove(histogram, end)
    qtbot.mouseRelease(histogram, Qt.MouseButton.LeftButton, pos=end)
    assert moved[0] == pytest.approx(50, rel=0.05)
    assert moved[-1] == pytest.approx(400, rel=0.05)


def test_bars_are_coloured_by_the_gate(histogram):
    histogram.show_gate(50.0)
    picture = histogram.grab().toImage()
    left, right = (round(histogram.x_of(x)) for x in (5.0, 600.0))
    # A bar's edge may run through the pixel.
    for x, colour in ((left, BELOW), (right, ABOVE)):
        found = picture.pixelColor(x, 160).getRgb()
        assert found == pytest.approx(colour.getRgb(), abs=10)
