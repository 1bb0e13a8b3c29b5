import shutil
from dataclasses import replace

import dask.array as da
import numpy as np
import pandas as pd
import pytest

from mifprofile.errors import UsageError
from mifprofile.io.config import override_options
from mifprofile.io.readers import open_slide
from mifprofile.io.results import Results
from mifprofile.io.store import open_label_store, write_label_store, write_slide_store
from mifprofile.model import Panel
from mifprofile.stages import Job, run_stage
from mifprofile.stages import measure as stage


@pytest.fixture
def segmented(finished, tmp_path):
    """A result folder with slide and labels, to be measured."""
    folder = tmp_path / "sample"
    shutil.copytree(finished.results.folder, folder, symlinks=True)
    return replace(finished, results=Results(folder))


def measured(job: Job, **options) -> pd.DataFrame:
    options = override_options(job.options, {"measure": options}, "test")
    run_stage(replace(job, options=options), "measure", force=True)
    return pd.read_parquet(job.results.measurements)


def redraw(job: Job, draw) -> None:
    """Replace the image, (c, y, x), by what is made of it."""
    slide = open_slide(job.results.slide)
    image = da.from_array(draw(np.asarray(slide.levels[0])), chunks=(1, 1024, 1024))
    write_slide_store(replace(slide, levels=(image,), sources=()), job.results.slide)


def facts(job):
    return job.results.read_record("measure")["facts"]


def test_contacts_are_between_known_cells(finished):
    contacts = pd.read_parquet(finished.results.contacts)
    cells = pd.read_parquet(finished.results.measurements)
    assert len(contacts) == facts(finished)["contacts"] > 50
    ids = contacts[["cell_a", "cell_b"]].to_numpy()
    assert np.isin(ids, cells["cell_id"]).all()
    assert (contacts["boundary_um"] > 0).all()


def test_a_stained_membrane_is_complete(finished):
    cells = pd.read_parquet(finished.results.cells)
    complete = cells.groupby("HER2_positive")["HER2_membrane_completeness"].mean()
    assert complete[True] > 0.9
    assert complete[False] < 0.4


def test_pixel_thresholds_are_recorded_and_may_be_given(segmented):
    before = measured(segmented)
    fitted = facts(segmented)["pixel_thresholds"]
    assert fitted["CD8"] > facts(segmented)["backgrounds"]["CD8"] > 0
    after = measured(segmented, pixel_thresholds={"CD8": 1e9})
    assert facts(segmented)["pixel_thresholds"] == fitted | {"CD8": 1e9}
    name = "CD8_membrane_positive_fraction"
    assert before[name].max() == 1
    assert after[name].max() == 0


@pytest.mark.parametrize("constant", [1e-6, 1 / 65_535, 1e6])
def test_an_image_times_a_constant_has_the_same_cells(segmented, constant):
    before, thresholds = measured(segmented), facts(segmented)["pixel_thresholds"]
    redraw(segmented, lambda image: (image * constant).astype(np.float32))
    after = measured(segmented)
    for name, threshold in facts(segmented)["pixel_thresholds"].items():
        assert threshold == pytest.approx(constant * thresholds[name], rel=1e-4)
    for name in before:
        of_image = name.endswith(("_mean", "_sd", "_p50", "_p95"))
        expected = before[name].to_numpy(float) * (constant if of_image else 1)
        close = np.isclose(after[name], expected, 1e-3, 1e-3, equal_nan=True)
        # A pixel as bright as the threshold may fall to either side by rounding.
        assert close.mean() > (0.99 if "fraction" in name or "comp" in name else 0.999)


def test_a_pixel_more_in_a_mask_leaves_the_others_of_its_sample(monkeypatch):
    monkeypatch.setattr(stage, "SAMPLE_PIXELS", 4)
    places = np.arange(20)[None]
    mask = places[0] >= 10
    assert stage._sample(places, mask).tolist() == [[12, 15, 18]]
    mask[0] = True
    assert stage._sample(places, mask).tolist() == [[0, 12, 15, 18]]
    assert stage._sample(places, np.zeros(20, bool)).shape == (1, 0)


def test_a_marker_in_every_cell_is_seen(segmented):
    def stain(image):
        labels = open_label_store(segmented.results.labels)
        inside = np.asarray(labels["cells"].levels[0]) > 0
        channel = open_slide(segmented.results.slide).channel_index("CK")
        grain = np.random.default_rng(0).normal(9000, 900, inside.shape)
        image[channel] = np.where(inside, grain, image[channel]).clip(0)
        return image

    measured(segmented)
    elsewhere = facts(segmented)["pixel_thresholds"]
    redraw(segmented, stain)
    cells = measured(segmented)
    assert cells["CK_cytoplasm_positive_fraction"].min() > 0.9
    found = facts(segmented)["pixel_thresholds"]
    assert 0 < found["CK"] < 9000 - 5 * 900
    assert {n: v for n, v in found.items() if n != "CK"} == {
        n: v for n, v in elsewhere.items() if n != "CK"
    }


def test_a_threshold_for_no_marker_is_an_error(segmented):
    with pytest.raises(UsageError, match=r"no marker 'CD9'.*did you mean 'CD8'"):
        measured(segmented, pixel_thresholds={"CD9": 1.0})


def test_percentiles_that_the_panel_needs_are_there(segmented):
    panel = segmented.panel.model_dump()
    panel["markers"]["CK"]["statistic"] = "p95"
    job = replace(segmented, panel=Panel.model_validate(panel))
    table = measured(job, percentiles=[10])
    assert {"CK_cytoplasm_p10", "CK_cytoplasm_p95"} <= set(table.columns)
    assert "CK_cytoplasm_p50" not in table
    run_stage(job, "phenotype")
    gates = pd.read_csv(job.results.gates).set_index("marker")
    above = table["CK_cytoplasm_p95"] > gates["threshold"]["CK"]
    calls = pd.read_parquet(job.results.phenotypes)["CK_positive"]
    np.testing.assert_array_equal(calls, above)


def test_spill_over_changes_membrane_means_only(segmented):
    before, after = measured(segmented), measured(segmented, spill_over=True)
    raw = {f"{m}_membrane_raw_mean" for m in ("CD8", "PD-L1", "HER2")}
    assert set(after.columns) == set(before.columns) | raw
    changed = {n for n in before if not after[n].equals(before[n])}
    assert changed == {n.replace("raw_", "") for n in raw}
    np.testing.assert_array_equal(
        after["CD8_membrane_raw_mean"], before["CD8_membrane_mean"]
    )


def test_a_slide_without_cells(segmented):
    slide = open_slide(segmented.results.slide)
    none = np.zeros(slide.shape_px, np.uint32)
    shutil.rmtree(segmented.results.labels)
    labels = {"nuclei": none, "cells": none}
    write_label_store(segmented.results.labels, labels, slide.pixel_size)
    table = measured(segmented)
    assert table.empty
    assert "HER2_membrane_completeness" in table
    assert pd.read_parquet(segmented.results.contacts).empty
    assert facts(segmented)["pixel_thresholds"]["CD8"] is None


def test_what_compensation_leaves_as_it_is_is_said(segmented, capsys):
    content = segmented.panel.model_dump()
    content["markers"]["HER2"]["statistic"] = "p95"
    panel = Panel.model_validate(content)
    measured(replace(segmented, panel=panel, quiet=False), spill_over=True)
    assert "HER2 is read as membrane p95, which" in capsys.readouterr().err
