import base64
import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mifprofile.core.palette import phenotype_colours
from mifprofile.report import figures


def _axes(levels, threshold):
    axes = Figure().add_subplot()
    figures.draw_histogram(axes, np.array(levels), threshold)
    return axes


def test_the_gate_is_drawn_at_its_level():
    # A tenth of the median of what is above 0, here 26, is the unit of the axis.
    axes = _axes([0.0, 1.0, 2.0, 50.0, 60.0], 9 * 2.6)
    (line,) = axes.lines
    assert line.get_xdata() == pytest.approx([np.log(10), np.log(10)])


def test_bars_are_coloured_from_the_gate_on():
    axes = _axes([0.0, 1.0, 2.0, 50.0, 60.0], 9 * 2.6)
    above = [bar for bar in axes.patches if bar.get_x() >= np.log(10) - 1e-6]
    below = [bar for bar in axes.patches if bar.get_x() < np.log(10) - 1e-6]
    assert sum(bar.get_height() for bar in above) == 2
    assert sum(bar.get_height() for bar in below) == 3
    assert len({bar.get_facecolor() for bar in above}) == 1
    assert {b.get_facecolor() for b in above}.isdisjoint(
        b.get_facecolor() for b in below
    )


def test_without_gate_there_is_no_line():
    assert not _axes([0.0, 1.0, 2.0], np.nan).lines


def test_a_gate_beyond_all_cells_is_in_the_picture():
    axes = _axes([1.0, 2.0], 1000.0)
    assert axes.get_xlim()[1] >= np.log1p(1000 / 0.15)


@pytest.mark.parametrize("constant", [1e-6, 1 / 65_535, 1.0, 256.0, 1e6])
def test_an_axis_is_the_same_in_every_unit(constant):
    levels = np.append(np.zeros(20), np.geomspace(3, 3000, 300))
    before, after = _axes(levels, 90.0), _axes(levels * constant, 90.0 * constant)
    assert after.get_xlim() == pytest.approx(before.get_xlim())
    heights = ([bar.get_height() for bar in axes.patches] for axes in (before, after))
    # A level on the edge of a bin may fall to either side by rounding.
    assert np.abs(np.subtract(*heights)).max() <= 1
    assert after.get_xlabel() == "level, log scale"


@pytest.mark.parametrize(
    ("levels", "names"),
    [
        ([0.0, *np.geomspace(3, 3000, 99)], ["0", "20", "100", "500", "2000"]),
        ([0.0, 1e-4, 3e-4, 2e-3], ["0", "5e-5", "0.0002", "0.0005", "0.001", "0.002"]),
        ([0.0, 0.3, 0.5, 0.9], ["0", "0.05", "0.1", "0.2", "0.5", "1"]),
        ([1e6, 3e6, 4e7], ["1e6", "2e6", "5e6", "1e7", "2e7", "5e7"]),
        ([1000.0, 1000.4, 1001.0], ["1000", "1000.3", "1000.6", "1000.9"]),
    ],
)
def test_ticks_are_round(levels, names):
    axes = _axes(levels, np.nan)
    texts = [label.get_text() for label in axes.get_xticklabels()]
    assert texts == names
    low, high = axes.get_xlim()
    places = axes.get_xticks()
    assert (low <= places).all()
    assert (places <= high).all()
    assert np.diff(places).min() >= (high - low) / 8


@pytest.mark.parametrize("levels", [[], [5.0], [3.0, 3.0], [np.nan, 1.0]])
def test_few_or_equal_levels_make_a_histogram(levels):
    assert figures.histogram(np.array(levels), np.nan).startswith("data:image/svg+xml")


def test_composite_screens_planes_over_each_other():
    planes = np.array([[[0, 10, 10]], [[0, 0, 10]]], np.float32)
    image = figures.composite(
        planes, [(255, 0, 0), (0, 0, 255)], [(0.0, 10.0), (0.0, 10.0)]
    )
    assert image.tolist() == [[[0, 0, 0], [255, 0, 0], [255, 0, 255]]]


def test_bare_noise_stays_dark():
    noise = np.random.default_rng(0).normal(100, 5, 10_000)
    low, high = figures.nucleus_range(noise)
    assert np.clip((noise - low) / (high - low), 0, 1).mean() < 0.25


def test_half_the_gate_is_black():
    assert figures.marker_range(np.array([0.0, 1.0, 100.0]), 8.0)[0] == 4.0


def test_outlines_lie_on_the_borders_of_cells_and_nuclei(content):
    (tile,) = content.tiles
    image = figures.outline_picture(tile, 4, phenotype_colours(content.panel))
    assert image.shape == (80, 80, 4)
    opaque = image[..., 3] > 100
    # The cell spans px 5 to 15 and its nucleus 8 to 12, here magnified by four.
    assert opaque[40, 19:22].any()
    assert opaque[40, 31:34].any()
    assert not opaque[40, 23:30].any()
    assert not opaque[:18].any()
    assert not opaque[36:44, 36:44].any()


def test_outlines_have_the_colour_of_the_phenotype(content):
    (tile,) = content.tiles
    colours = phenotype_colours(content.panel)
    image = figures.outline_picture(tile, 4, colours)
    solid = image[image[..., 3] == 255][:, :3]
    assert (np.abs(solid.astype(int) - colours["tumour"]) <= 2).all(axis=1).any()


def test_cells_are_dots_at_their_places(content):
    colours = phenotype_colours(content.panel)
    image = figures.cell_picture(content.overview, colours)
    assert image[5, 5].tolist() == list(colours["tumour"])
    assert image[20, 20].tolist() == list(colours["CTL"])
    assert image[30, 30].tolist() == list(figures.TISSUE)


def test_a_rare_cell_is_drawn_over_common_ones(content):
    overview = content.overview
    crowd = figures.cell_picture(
        type(overview)(
            overview.nucleus,
            overview.regions,
            overview.um,
            np.full(9, 105.0),
            np.full(9, 105.0),
            np.array(["CTL"] + 8 * ["other"], object),
        ),
        phenotype_colours(content.panel),
    )
    assert crowd[10, 10].tolist() == list(phenotype_colours(content.panel)["CTL"])


def test_contours_run_between_regions():
    regions = np.zeros((60, 60), np.uint8)
    regions[20:40, 20:40] = 1
    black = np.zeros((60, 60, 3), np.uint8)
    drawn = figures.draw_contours(black, regions, 1.0).any(axis=2)
    assert drawn[30, 18:22].any()
    assert not drawn[30, 24:36].any()
    assert not drawn[:16].any()


@pytest.mark.parametrize(
    ("width_um", "bar_um"), [(150, 20), (250, 50), (900, 100), (26_000, 5000)]
)
def test_scale_bars_are_round(width_um, bar_um):
    bar, percent = figures.scale_bar(width_um)
    assert bar == pytest.approx(bar_um)
    assert percent == pytest.approx(100 * bar_um / width_um)


def test_pictures_survive_their_embedding():
    image = np.zeros((4, 6, 4), np.uint8)
    image[1, 2] = 230, 159, 0, 255
    content = base64.b64decode(figures.png(image).split(",")[1])
    back = np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))
    assert (back[..., 3] > 0).sum() == 1
    assert np.abs(back[1, 2].astype(int) - image[1, 2]).max() <= 8


def test_fit_keeps_the_shape_of_a_slide():
    plane = np.ones((50, 100), np.float32)
    assert figures.fit(plane, 900).shape == (450, 900)
    assert figures.fit(plane, 20).shape == (10, 20)
