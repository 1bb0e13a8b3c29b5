import pytest

from mifprofile.errors import UsageError
from mifprofile.options import Options
from mifprofile.pipeline import OF_SLIDE, OF_TABLE
from mifprofile.stages import make_job


def test_what_is_given_comes_before_the_config(tmp_path, panel_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        "segment: {block_px: 512, rim_um: 1}\ningest: {pixel_size_um: 2}\n"
    )
    job = make_job(
        panel=panel_path, out=tmp_path / "out", config=config, block_px=256, workers=3
    )
    assert (job.options.segment.block_px, job.options.segment.rim_um) == (256, 1)
    assert job.options.ingest.pixel_size_um == 2
    assert (job.results.folder, job.workers) == (tmp_path / "out", 3)


def test_without_a_config_options_are_the_defaults(tmp_path, panel_path):
    assert make_job(panel=panel_path, out=tmp_path).options == Options()


def test_a_wrong_option_is_named(tmp_path, panel_path):
    with pytest.raises(UsageError, match="pixel_size_um"):
        make_job(panel=panel_path, out=tmp_path, pixel_size=-1)


def test_a_table_takes_the_road_of_tables(tmp_path, panel_path):
    table = tmp_path / "cells.csv"
    assert make_job(panel=panel_path, out=tmp_path, slide=table).steps is OF_SLIDE
    job = make_job(panel=panel_path, out=tmp_path, table=table)
    assert job.steps is OF_TABLE
    assert job.inputs(OF_TABLE["ingest"]) == {"table": table}
