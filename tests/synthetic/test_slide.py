import functools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.ndimage import distance_transform_edt

from mifprofile.synthetic import (
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


HARD = SynthOptions.hard(size_mm=(0.3, 0.25), seed=11)
SPARSE = SynthOptions.sparse(size_mm=(0.3, 0.25), seed=11)
GLOWING = changed(autofluorescent_cells=0.1, **CLEAN)
ALL_OFF = {
    "positive_decades": 0.0,
    "negative_tail": 0.0,
    "autofluorescent_cells": 0.0,
    "debris_per_mm2": 0.0,
    "counts": 0.0,
    "shares": (),
}


def means(options, marker):
    """Mean of each true cell, in the order of their ids."""
    slide, channel = whole(options), 1 + options.markers.index(marker)
    ids, inverse = np.unique(slide.cells, return_inverse=True)
    inverse = inverse.ravel()
    image = slide.channels[channel].astype(float).ravel()
    return (np.bincount(inverse, image) / np.bincount(inverse))[ids > 0]


@settings(max_examples=8, deadline=None)
@given(
    y=st.integers(0, 460),
    x=st.integers(0, 560),
    h=st.integers(1, 200),
    w=st.integers(1, 200),
    options=st.sampled_from([HARD, SPARSE]),
)
def test_every_block_of_a_hard_slide_is_a_window_of_the_whole(y, x, h, w, options):
    h, w = min(h, 500 - y), min(w, 600 - x)
    part, slide = synthetic_block(options, y, x, h, w), whole(options)
    window = np.s_[..., y : y + h, x : x + w]
    for name in ("channels", "cells", "debris"):
        np.testing.assert_array_equal(getattr(part, name), getattr(slide, name)[window])


def test_the_easy_slide_is_what_it_always_was():
    options = SynthOptions(**ALL_OFF, size_mm=(0.3, 0.25), seed=11)
    assert options == SMALL
    assert SynthOptions.look("easy") == SynthOptions()
    sums = whole(options).channels.astype(int).sum(axis=(1, 2)).tolist()
    was = [151210984, 61566273, 56439382, 106968991, 171472767, 333241101]
    np.testing.assert_allclose(sums, was, rtol=1e-6)  # libm may round elsewhere
    assert not whole(options).debris.any()


@pytest.mark.parametrize("fault", [{"positive_decades": 1.0}, {"negative_tail": 0.5}])
def test_levels_change_and_the_cells_stay(fault):
    easy, graded = synthetic_truth(SMALL), synthetic_truth(changed(**fault))
    levels = [f"{name}_level" for name in SMALL.markers]
    pd.testing.assert_frame_equal(
        easy.drop(columns=levels), graded.drop(columns=levels)
    )
    positive = easy["CK_positive"]
    kept = ~positive if "positive_decades" in fault else positive
    assert (easy["CK_level"] == graded["CK_level"])[kept].all()
    assert (easy["CK_level"] != graded["CK_level"])[~kept].all()


def test_positive_cells_spread_evenly_over_the_decades():
    truth = synthetic_truth(changed(positive_decades=1.0, level_spread=0.0))
    dim = np.log10(4000 / truth["CK_level"][truth["CK_positive"]])
    assert np.quantile(dim, [0.25, 0.5, 0.75]) == pytest.approx(
        [0.25, 0.5, 0.75], abs=0.1
    )
    assert dim.between(0, 1).all()
    assert (truth["CK_level"][~truth["CK_positive"]] == 120).all()


def test_negative_cells_have_a_tail_that_ends():
    truth = synthetic_truth(changed(negative_tail=0.5, level_spread=0.0))
    levels = [truth[f"{m}_level"][~truth[f"{m}_positive"]] for m in SMALL.markers]
    above = np.log(np.concatenate(levels) / 120)
    assert above.mean() == pytest.approx(0.5, rel=0.1)
    assert np.median(above) == pytest.approx(0.5 * np.log(2), rel=0.1)
    assert 0 <= above.min() < 1.8 < above.max() <= 1.5 * np.log(10)


def test_autofluorescent_cells_are_bright_in_every_channel():
    truth = synthetic_truth(GLOWING)
    share = truth["autofluorescent"].mean()
    assert share == pytest.approx(0.1, abs=0.04)
    for marker in GLOWING.markers:
        dark = ~truth[f"{marker}_positive"]
        level = means(GLOWING, marker)
        glowing = np.median(level[dark & truth["autofluorescent"]])
        assert glowing > 2 * np.median(level[dark & ~truth["autofluorescent"]])
    assert "autofluorescent" not in synthetic_truth(SMALL)


def test_the_autofluorescence_channel_sees_glowing_cells_and_specks():
    options = GLOWING.model_copy(
        update={"autofluorescence_channel": True, "debris_per_mm2": 200.0}
    )
    slide = whole(options)
    ids = synthetic_truth(options).set_index("cell_id")["autofluorescent"]
    glowing = np.isin(slide.cells, ids.index[ids])
    own = slide.channels[-1].astype(float)
    elsewhere = ~glowing & ~slide.debris & (slide.cells > 0)
    assert own[glowing].mean() > 4 * own[elsewhere].mean()


def test_debris_is_bright_in_several_channels_and_never_a_nucleus():
    plain, slide = whole(changed(**CLEAN)), whole(changed(debris_per_mm2=400, **CLEAN))
    mask = slide.debris
    assert 0 < mask.mean() < 0.05
    assert not (mask & (slide.nuclei > 0)).any()
    np.testing.assert_array_equal(plain.channels[0], slide.channels[0])
    np.testing.assert_array_equal(plain.cells, slide.cells)
    added = slide.channels[1:, mask].astype(float) - plain.channels[1:, mask]
    lit = (added > 0.05 * SMALL.positive_level).sum(axis=0)
    assert np.median(lit) >= 2
    far = distance_transform_edt(~mask) > 12
    np.testing.assert_array_equal(slide.channels[:, far], plain.channels[:, far])


def test_debris_is_as_dense_as_asked_whatever_the_size_of_the_slide():
    specks = []
    for size in ((0.3, 0.25), (0.6, 0.5)):
        options = SynthOptions(size_mm=size, debris_per_mm2=400, glass_margin_um=0)
        slide = whole(options)
        specks.append(slide.debris.mean())
    assert specks[0] == pytest.approx(specks[1], rel=0.5)


def test_events_are_sparse_and_as_many_as_asked():
    bare = CLEAN | {"counts": 2.0, "level_spread": 0.0, "negative_level": 0.0}
    counted, camera = whole(changed(**bare)), whole(changed(**(bare | {"counts": 0.0})))
    assert (counted.channels[1:4] == 0).mean() > 0.9
    light = camera.channels[5].astype(float) - 100
    expected = 2 * light.mean() / SMALL.positive_level
    assert counted.channels[5].mean() == pytest.approx(expected, rel=0.02)
    bright = (light > 3600) & (light < 4400)
    events = counted.channels[5][bright].astype(float)
    assert events.mean() == pytest.approx(2.0, rel=0.03)
    assert events.var() == pytest.approx(2.0, rel=0.1)


def test_many_events_are_normal_in_number():
    bare = CLEAN | {"counts": 80.0, "level_spread": 0.0}
    counted, camera = whole(changed(**bare)), whole(changed(**(bare | {"counts": 0.0})))
    light = camera.channels[5].astype(float) - 100
    bright = (light > 3900) & (light < 4100)
    events = counted.channels[5][bright].astype(float)
    assert events.mean() == pytest.approx(80, rel=0.03)
    assert events.var() == pytest.approx(80, rel=0.15)


def test_nuclei_stay_bright_where_events_are_counted():
    inside = whole(SPARSE).nuclei > 0
    assert whole(SPARSE).channels[0][inside].mean() > 2
    assert (whole(SPARSE).channels[2] == 0).mean() > 0.95


def test_a_rare_a_middle_and_a_frequent_marker():
    share = synthetic_truth(SynthOptions.hard()).filter(like="_positive").mean()
    assert 0.05 < share["CD8_positive"] < 0.1
    assert 0.01 < share["FOXP3_positive"] < 0.02
    assert 0.15 < share["PD-L1_positive"] < 0.25
    assert 0.35 < share["HER2_positive"] < 0.5
    assert 0.4 < share["CK_positive"] < 0.6


def test_nearly_all_cells_may_carry_a_marker_and_nearly_none():
    options = SynthOptions.hard(
        size_mm=(0.5, 0.5),
        nest=Mixture(tumour=0.97, ctl=0.02),
        stroma=Mixture(tumour=0.8),
        tumour_area_fraction=0.9,
        shares={"HER2": 0.96, "PD-L1": 0.01},
    )
    share = synthetic_truth(options).filter(like="_positive").mean()
    assert share["CK_positive"] > 0.9
    assert 0.87 < share["HER2_positive"] < share["CK_positive"]
    assert 0 < share["PD-L1_positive"] < 0.02
    assert hash(options) == hash(options.model_copy())


def test_lineages_stay_exclusive_on_the_hard_slide():
    truth = synthetic_truth(HARD)
    marks = truth[["CD8_positive", "FOXP3_positive", "CK_positive"]]
    assert marks.sum(axis=1).max() == 1


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"shares": {"CD8": 0.5}}, "'CD8' is no state"),
        ({"shares": {"HER2": 1.5}}, "less than or equal to 1"),
        ({"positive_decades": -1}, "greater than or equal to 0"),
    ],
)
def test_wrong_changes_of_a_hard_slide_are_refused(update, message):
    with pytest.raises(ValidationError, match=message):
        SynthOptions.hard(**update)


def test_antibody_clumps_are_not_seen_in_the_autofluorescence_channel():
    plain = changed(autofluorescence_channel=True, **CLEAN)
    slide = whole(plain.model_copy(update={"aggregate_count": 3}))
    assert slide.faults["aggregate"].any()
    np.testing.assert_array_equal(slide.channels[-1], whole(plain).channels[-1])
