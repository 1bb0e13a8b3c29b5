import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tifffile

from mifprofile.core.correct import Correction
from mifprofile.engines import flat_field
from mifprofile.errors import DependencyError, MissingError, UsageError
from mifprofile.io.config import override_options, parse_options
from mifprofile.io.readers import open_slide
from mifprofile.io.results import Results
from mifprofile.io.synthetic import write_synthetic_slide
from mifprofile.stages import Job, run_stage
from mifprofile.stages.correct import check_correction, fit_correction, read_corrected
from mifprofile.synthetic import SynthOptions

GLOWING = SynthOptions(
    size_mm=(0.45, 0.4),
    seed=5,
    autofluorescence=0.5,
    autofluorescence_channel=True,
    bleed_through=0.1,
    glass_margin_um=70,
)
MIXING = "channel,CD8,FOXP3\nCD8,1,0.1\nFOXP3,0.1,1\n"


@pytest.fixture(scope="module")
def ingested(tmp_path_factory, demo_panel):
    """A glowing slide that has its tissue mask; tests must not change its folder."""
    folder = tmp_path_factory.mktemp("glowing")
    slide = write_synthetic_slide(folder / "slide.ome.tiff", GLOWING).slide
    job = Job(Results(folder / "sample"), demo_panel, slide=slide, quiet=True)
    for stage in ("ingest", "quality"):
        run_stage(job, stage)
    return job


@pytest.fixture
def copy(finished, tmp_path):
    """A finished result folder that a test may change."""
    folder = tmp_path / "sample"
    shutil.copytree(finished.results.folder, folder, symlinks=True)
    return replace(finished, results=Results(folder))


def correcting(job, **correct):
    sections = {"measure": {"correct": correct}}
    return replace(job, options=override_options(job.options, sections, "test"))


def fitted(job, **correct):
    slide = open_slide(job.results.slide)
    channels = range(len(slide.channels))
    return fit_correction(correcting(job, **correct), slide, channels)


def test_by_default_nothing_is_corrected(ingested):
    slide = open_slide(ingested.results.slide)
    assert fitted(ingested, dark_level=50) == (None, {})
    correction, facts = fitted(ingested)
    assert (correction, facts) == (None, {})
    image = read_corrected(slide, [2, 0], np.s_[10:20, 30:50], correction)
    wanted = np.asarray(slide.levels[0])[[2, 0], 10:20, 30:50]
    np.testing.assert_array_equal(image, wanted)
    assert image.dtype == np.uint16


def test_the_share_of_autofluorescence_is_found(ingested):
    correction, facts = fitted(ingested, autofluorescence="AF", background="glass")
    found = facts["corrected"]["autofluorescence"]
    # Every channel of the synthetic slide sees the same glow.
    for name in ("CD8", "FOXP3", "PDL1", "HER2", "CK"):
        assert found["factors"][name] == pytest.approx(1, abs=0.1)
    assert found["factors"]["DAPI"] == found["factors"]["AF"] == 0
    assert facts["corrected"]["background"]["high"]["CD8"] == pytest.approx(100, abs=20)
    assert correction.autofluorescence.channel == 6


def test_factors_that_are_given_are_kept(ingested):
    facts = fitted(
        ingested, autofluorescence="AF", autofluorescence_factors={"CD8": 0.25}
    )[1]
    found = facts["corrected"]["autofluorescence"]["factors"]
    assert found["CD8"] == 0.25
    assert found["FOXP3"] > 0.9


def test_a_window_is_corrected_as_the_whole(ingested):
    slide = open_slide(ingested.results.slide)
    correction, _ = fitted(
        ingested,
        background="local",
        background_window_um=60,
        autofluorescence="AF",
        bleed_through={"CD8": {"FOXP3": 0.1}},
    )
    channels = range(7)
    whole = read_corrected(slide, channels, np.s_[0:800, 0:900], correction)
    part = read_corrected(slide, channels, np.s_[200:333, 150:400], correction)
    np.testing.assert_array_equal(part, whole[:, 200:333, 150:400])


def test_channels_may_be_read_in_any_order(ingested):
    slide = open_slide(ingested.results.slide)
    job = correcting(ingested, background="tissue", bleed_through={"CD8": {"CK": 0.1}})
    order = [6, 3, 1, 0, 5, 4, 2]
    window = np.s_[200:260, 150:210]
    straight, _ = fit_correction(job, slide, range(7))
    turned, facts = fit_correction(job, slide, order)
    np.testing.assert_array_equal(
        read_corrected(slide, order, window, turned),
        read_corrected(slide, range(7), window, straight)[order],
    )
    assert facts["corrected"]["mixing"]["CK"]["CD8"] == 0.1


def test_a_flat_field_file_is_applied_channel_by_channel(ingested, tmp_path):
    path = tmp_path / "flat.tiff"
    pages = np.ones((7, 32, 32), np.float32)
    pages[1, :, :16], pages[1, :, 16:] = 3, 1
    tifffile.imwrite(path, pages, photometric="minisblack")
    correction, facts = fitted(
        ingested, flat_field="file", flat_field_file=str(path), field_um=(32, 32)
    )
    assert facts["corrected"]["flat_field"]["darkest_share"]["CD8"] == 0.5
    found = correction.apply(np.full((7, 4, 60), 30.0), (0, 0), 0.5)
    assert (found[0] == 30).all()
    assert found[1, 0, [0, 20, 40]].tolist() == [20, 20, 60]


def test_a_fitted_flat_field_evens_out_the_light(tmp_path, demo_panel):
    options = SynthOptions(
        size_mm=(1.9, 1.3), pixel_size_um=1.0, illumination=0.6, seed=2
    )
    slide = write_synthetic_slide(tmp_path / "slide.ome.tiff", options).slide
    job = Job(Results(tmp_path / "sample"), demo_panel, slide=slide, quiet=True)
    for stage in ("ingest", "quality"):
        run_stage(job, stage)
    asked = {"flat_field": "quartile", "dark_level": 100}
    with pytest.raises(UsageError, match=r"only 6 whole camera fields of 600 x 600 µm"):
        fitted(job, field_um=(600, 600), **asked)
    correction, facts = fitted(job, field_um=(300, 300), **asked)
    assert facts["corrected"]["flat_field"]["from"].startswith("quartile of 2")
    assert isinstance(correction, Correction)


def test_corrected_measurements_and_their_record(copy):
    before = pd.read_parquet(copy.results.measurements)
    job = correcting(copy, background="tissue")
    run_stage(job, "measure")
    after = pd.read_parquet(copy.results.measurements)
    level = copy.results.read_record("measure")["facts"]["corrected"]["background"]
    assert level["low"] == level["high"]
    shift = before["CD8_cell_mean"] - after["CD8_cell_mean"]
    assert shift.median() == pytest.approx(level["low"]["CD8"], abs=1)


def test_another_mixing_matrix_is_another_run(copy, tmp_path):
    path = tmp_path / "mixing.csv"
    path.write_text(MIXING)
    job = correcting(copy, unmixing=str(path))
    run_stage(job, "measure")
    first = pd.read_parquet(copy.results.measurements)
    path.write_text(MIXING.replace("CD8,1,0.1", "CD8,1,0.2"))
    run_stage(job, "measure")
    second = pd.read_parquet(copy.results.measurements)
    assert (first["CD8_cell_mean"] > second["CD8_cell_mean"]).mean() > 0.9


@pytest.mark.parametrize(
    ("correct", "message"),
    [
        ({"flat_field": "quartile"}, "field_um"),
        ({"flat_field": "file", "field_um": [600, 600]}, "go together"),
        ({"unmixing": "m.csv", "bleed_through": {"A": {"B": 0.1}}}, "not both"),
        ({"autofluorescence_factors": {"CD8": 1}}, "autofluorescence, the channel"),
        ({"background": "rolling"}, "measure.correct.background"),
    ],
)
def test_options_that_cannot_be_meant(correct, message):
    with pytest.raises(UsageError, match=message):
        parse_options({"measure": {"correct": correct}}, "config.yaml")


@pytest.mark.parametrize(
    ("correct", "error", "message"),
    [
        ({"autofluorescence": "A"}, UsageError, "no channel 'A'"),
        ({"autofluorescence": "CD8"}, UsageError, "read as a marker"),
        ({"unmixing": "nowhere.csv"}, MissingError, "nowhere.csv"),
        ({"bleed_through": {"CD9": {"CD8": 0.1}}}, UsageError, "no channel 'CD9'"),
        (
            {"flat_field": "file", "flat_field_file": "no.tiff", "field_um": (9, 9)},
            MissingError,
            "no.tiff",
        ),
        (
            {"flat_field": "basic", "field_um": (9, 9)},
            DependencyError,
            r"mifprofile\[flatfield\]",
        ),
    ],
)
def test_what_would_fail_is_found_before_pixels_are_read(
    ingested, monkeypatch, correct, error, message
):
    monkeypatch.setattr(flat_field, "find_spec", lambda _: None)
    job = correcting(ingested, **correct)
    slide = open_slide(job.results.slide)
    with pytest.raises(error, match=message):
        check_correction(slide, job.panel, job.options.measure.correct)


@pytest.mark.parametrize(
    ("pages", "message"),
    [(np.ones((3, 8, 8)), "3 pages"), (np.zeros((8, 8)), "above 0 everywhere")],
)
def test_a_flat_field_file_that_does_not_fit(ingested, tmp_path, pages, message):
    path = tmp_path / "flat.tiff"
    tifffile.imwrite(path, pages.astype(np.float32), photometric="minisblack")
    asked = {"flat_field": "file", "flat_field_file": str(path)}
    with pytest.raises(UsageError, match=message):
        fitted(ingested, field_um=(32, 32), **asked)


def test_a_slide_without_glass_has_no_background_from_glass(tmp_path, demo_panel):
    options = SynthOptions(size_mm=(0.15, 0.15), glass_margin_um=0)
    slide = write_synthetic_slide(tmp_path / "slide.ome.tiff", options).slide
    job = Job(Results(tmp_path / "sample"), demo_panel, slide=slide, quiet=True)
    for stage in ("ingest", "quality"):
        run_stage(job, stage)
    with pytest.raises(UsageError, match="hardly any glass"):
        fitted(job, background="glass")


def test_a_table_that_is_no_matrix_is_refused(ingested, tmp_path):
    path = tmp_path / "mixing.csv"
    path.write_text("channel,CD8\nCD8,much\n")
    with pytest.raises(UsageError, match=r"mixing\.csv: not a table of shares"):
        fitted(ingested, unmixing=str(path))
