import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.ndimage import distance_transform_edt

from mifprofile.testing import (
    MARKERS,
    Mixture,
    SynthOptions,
    synthetic_areas_mm2,
    synthetic_block,
    synthetic_truth,
)

SMALL = SynthOptions(size_mm=(0.3, 0.25), seed=11)
FAULTY = SMALL.model_copy(update={"fold_count": 1, "out_of_focus_count": 1})
CLEAN = {
    "noise": 0.0,
    "illumination": 0.0,
    "autofluorescence": 0.0,
    "bleed_through": 0.0,
    "spill_over": 0.0,
}


@functools.cache
def whole(options):
    return synthetic_block(options, 0, 0, *options.shape_px)


def changed(**update):
    return SMALL.model_copy(update=update)


def test_block_has_the_promised_types():
    block = synthetic_block(SMALL, 100, 120, 64, 80)
    assert block.channels.shape == (6, 64, 80)
    assert block.channels.dtype == np.uint16
    assert block.nuclei.dtype == block.cells.dtype == np.uint32
    assert block.regions.dtype == np.uint8
    assert set(block.faults) == {"fold", "out_of_focus", "saturated", "aggregate"}


@settings(max_examples=12, deadline=None)
@given(
    y=st.integers(0, 460),
    x=st.integers(0, 560),
    h=st.integers(1, 200),
    w=st.integers(1, 200),
)
def test_every_block_is_a_window_of_the_whole(y, x, h, w):
    h, w = min(h, 500 - y), min(w, 600 - x)
    part, slide = synthetic_block(FAULTY, y, x, h, w), whole(FAULTY)
    window = np.s_[..., y : y + h, x : x + w]
    np.testing.assert_array_equal(part.channels, slide.channels[window])
    np.testing.assert_array_equal(part.nuclei, slide.nuclei[window])
    np.testing.assert_array_equal(part.cells, slide.cells[window])
    np.testing.assert_array_equal(part.regions, slide.regions[window])
    for name, mask in part.faults.items():
        np.testing.assert_array_equal(mask, slide.faults[name][window])


def test_outside_of_the_slide_is_glass():
    block = synthetic_block(SMALL, -300, -300, 64, 64)
    assert not block.regions.any()
    assert not block.cells.any()


@pytest.mark.parametrize("seed", [0, 1])
def test_truth_counts_what_the_labels_show(seed):
    options = changed(seed=seed)
    truth, slide = synthetic_truth(options), whole(options)
    ids, area = np.unique(slide.cells[slide.cells > 0], return_counts=True)
    nuclei, nucleus_area = np.unique(slide.nuclei[slide.nuclei > 0], return_counts=True)
    np.testing.assert_array_equal(truth["cell_id"], ids)
    np.testing.assert_array_equal(truth["cell_id"], nuclei)
    np.testing.assert_allclose(truth["area_um2"], area * 0.25)
    np.testing.assert_allclose(truth["nucleus_area_um2"], nucleus_area * 0.25)


def test_nucleus_lies_inside_its_cell():
    slide = whole(SMALL)
    inside = slide.nuclei > 0
    np.testing.assert_array_equal(slide.nuclei[inside], slide.cells[inside])


def test_truth_places_cells_where_they_are():
    truth, slide = synthetic_truth(SMALL), whole(SMALL)
    row = (truth["y_um"] / 0.5).astype(int)
    column = (truth["x_um"] / 0.5).astype(int)
    regions = np.array(["glass", "stroma", "tumour"])[slide.regions[row, column]]
    np.testing.assert_array_equal(truth["region"], regions)
    found = slide.nuclei[row, column] == truth["cell_id"]
    assert found.mean() > 0.98  # few middles lie under a neighbour


def test_areas_add_up_to_the_slide():
    areas = synthetic_areas_mm2(SMALL)
    assert sum(areas.values()) == pytest.approx(0.3 * 0.25)
    assert areas["tumour"] == pytest.approx((whole(SMALL).regions == 2).sum() * 0.25e-6)


def test_phenotypes_carry_their_markers():
    truth = synthetic_truth(SMALL)
    by = dict(list(truth.groupby("phenotype")))
    assert by["tumour"]["CK_positive"].all()
    assert by["CTL"]["CD8_positive"].all()
    assert by["Treg"]["FOXP3_positive"].all()
    assert not by["Treg"]["CD8_positive"].any()
    assert 0 < by["tumour"]["PD-L1_positive"].mean() < 1
    assert by["other"]["PD-L1_positive"].any()


@pytest.mark.parametrize("name", ["CD8", "FOXP3", "PD-L1", "HER2", "CK"])
def test_signal_separates_positive_from_negative_cells(name):
    truth, slide = synthetic_truth(SMALL), whole(SMALL)
    image = slide.channels[1 + SMALL.markers.index(name)]
    where = slide.nuclei if MARKERS[name].measure == "nucleus" else slide.cells
    total = np.bincount(where.ravel(), weights=image.ravel())
    mean = (total / np.maximum(np.bincount(where.ravel()), 1))[truth["cell_id"]]
    positive = truth[f"{name}_positive"].to_numpy()
    assert np.median(mean[positive]) > 3 * np.median(mean[~positive])


def test_default_slide_has_enough_of_each_phenotype():
    counts = synthetic_truth(SynthOptions())["phenotype"].value_counts()
    assert counts[["tumour", "CTL", "Treg", "other"]].min() >= 50
    assert 5000 <= counts.sum() <= 6500


def test_mixtures_are_obeyed():
    options = changed(stroma=Mixture(treg=1.0), tumour_area_fraction=0.01)
    truth = synthetic_truth(options)
    assert (truth["phenotype"] == "Treg").mean() > 0.9


def test_seed_changes_the_slide():
    assert not np.array_equal(
        synthetic_block(changed(seed=1), 200, 200, 64, 64).cells,
        synthetic_block(changed(seed=2), 200, 200, 64, 64).cells,
    )


def test_fold_is_brighter():
    plain, slide = whole(changed(**CLEAN)), whole(changed(fold_count=1, **CLEAN))
    mask = slide.faults["fold"]
    assert mask.any()
    assert slide.channels[:, mask].mean() > 1.5 * plain.channels[:, mask].mean()
    far = distance_transform_edt(~mask) > 60
    np.testing.assert_array_equal(slide.channels[:, far], plain.channels[:, far])


def test_missed_focus_loses_contrast():
    plain = whole(changed(**CLEAN))
    slide = whole(changed(out_of_focus_count=1, **CLEAN))
    mask = slide.faults["out_of_focus"]
    assert mask.any()
    assert slide.channels[0][mask].std() < 0.8 * plain.channels[0][mask].std()


@pytest.mark.parametrize("fault", sorted(CLEAN))
def test_each_fault_changes_the_image_alone(fault):
    clean = changed(**CLEAN)
    faulty = clean.model_copy(update={fault: 0.5})
    one, two = whole(clean), synthetic_block(faulty, 0, 0, *faulty.shape_px)
    assert not np.array_equal(one.channels, two.channels)
    np.testing.assert_array_equal(one.cells, two.cells)


def test_bleed_through_reaches_the_next_channels():
    one, two = (
        whole(changed(**(CLEAN | {"bleed_through": share}))).channels.astype(float)
        for share in (0.0, 0.2)
    )
    expected = one[1] + 0.2 * (one[0] - 100) + 0.2 * (one[2] - 100)
    np.testing.assert_allclose(two[1], expected, atol=2)


def test_spill_over_lights_neighbours_and_keeps_the_light():
    one, two = (
        whole(changed(**(CLEAN | {"spill_over": share}))).channels[5].astype(float)
        for share in (0.0, 0.6)
    )
    outside = whole(SMALL).cells == 0
    assert two[outside].mean() > one[outside].mean()
    assert two.mean() == pytest.approx(one.mean(), rel=0.02)


def test_illumination_dims_the_corners_of_a_field():
    dim, plain = (
        whole(changed(**(CLEAN | {"illumination": 0.5}))),
        whole(changed(**CLEAN)),
    )
    ratio = (dim.channels[0] - 99.0) / (plain.channels[0] - 99.0)
    bright = plain.channels[0] > 1000
    bright[200:] = False  # the upper edge of a camera field
    assert 0.5 < ratio[bright].mean() < 0.9


def test_pixel_size_changes_the_picture_not_the_tissue():
    fine, coarse = (synthetic_truth(changed(pixel_size_um=um)) for um in (0.4, 0.8))
    assert fine["area_um2"].median() == pytest.approx(
        coarse["area_um2"].median(), rel=0.2
    )


def test_slide_without_tissue_or_markers():
    options = SynthOptions(size_mm=(0.05, 0.03), markers=(), glass_margin_um=500)
    assert synthetic_truth(options).empty
    assert synthetic_block(options, 0, 0, 60, 100).channels.shape == (1, 60, 100)


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"markers": ("CD8a",)}, "did you mean 'CD8'"),
        ({"markers": ("CD8", "CD8")}, "twice"),
        ({"size_mm": (0, 1)}, "greater than 0"),
        ({"colour": 1}, "Extra inputs"),
    ],
)
def test_wrong_options_are_refused(update, message):
    with pytest.raises(ValidationError, match=message):
        SynthOptions(**update)


def test_demo_panel_fits_the_slide(demo_panel):
    assert set(demo_panel.channel_names) == set(SynthOptions().channel_names)
    for name, marker in demo_panel.markers.items():
        assert (marker.channel, marker.measure) == MARKERS[name][:2]


def test_the_autofluorescence_channel_sees_nothing_else():
    alike = CLEAN | {"autofluorescence": 0.5, "bleed_through": 0.2}
    without = whole(changed(**alike)).channels
    slide = whole(changed(**alike, autofluorescence_channel=True))
    np.testing.assert_array_equal(slide.channels[:-1], without)
    own = slide.channels[-1].astype(float)
    assert (own[slide.regions == 0] == 100).all()
    # All channels see the same glow: where nothing is stained, they agree.
    assert (own <= slide.channels[1:-1].min(axis=0)).all()
    assert own[slide.regions > 0].min() > 100


def test_haze_lies_over_glass_and_tissue_and_fits_between_blocks():
    options = changed(haze=0.2, autofluorescence_channel=True)
    slide, clear = whole(options), whole(changed(autofluorescence_channel=True))
    added = slide.channels.astype(float) - clear.channels
    glass = slide.regions == 0
    assert (added[:, glass].mean(axis=1) > 200).all()
    assert added[0, glass].mean() != pytest.approx(added[1, glass].mean(), rel=0.01)
    part = synthetic_block(options, 37, 90, 120, 200)
    np.testing.assert_array_equal(part.channels, slide.channels[:, 37:157, 90:290])
