from pathlib import Path

import pytest

from mifprofile.errors import MissingError, UsageError
from mifprofile.io.config import (
    override_options,
    read_options,
    read_panel,
    read_samples,
)
from mifprofile.options import Options

HEADER = "sample_id\tpatient_id\tspecies\tarm\ttimepoint\tslide\tpanel\tbatch"
ROW = "s1\tp1\thuman\tA\tbaseline\ts1.tif\tpanel.yaml\tb1"


def write(tmp_path, text, name="file.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_no_file_gives_the_defaults():
    assert read_options(None) == Options()


def test_sections_are_read_and_the_workflows_keys_skipped(tmp_path):
    path = write(tmp_path, "samples: s.tsv\nresults: out\nsegment: {rim_um: 2.5}\n")
    assert read_options(path).segment.rim_um == 2.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("segment: {rim: 2}", "unknown key 'segment.rim'"),
        ("segmnt: {}", "did you mean 'segment'"),
        ("segment: {rim_um: -1}", "segment.rim_um.*not -1"),
        ("segment: {rim_um: wide}", "segment.rim_um.*not 'wide'"),
        ("a: [", "not valid YAML"),
        ("- 1", "key: value"),
    ],
)
def test_wrong_options_are_one_line(tmp_path, text, message):
    with pytest.raises(UsageError, match=message) as error:
        read_options(write(tmp_path, text))
    assert "\n" not in str(error.value)
    assert "file.yaml" in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingError, match=r"none\.yaml"):
        read_panel(tmp_path / "none.yaml")


def test_none_overrides_nothing():
    options = override_options(Options(), {"segment": {"model": None}}, "test")
    assert options == Options()


def test_the_example_panel_is_valid(request):
    path = request.config.rootpath / "config" / "panel.yaml"
    assert read_panel(path).name == "her2-core"


def test_only_whole_lines_are_comments(tmp_path):
    text = f"# a comment\n{HEADER}\n{ROW.replace('b1', 'batch#1')}\n"
    assert read_samples(write(tmp_path, text, "s.tsv"))[0].batch == "batch#1"


def test_samples(tmp_path):
    sheet = write(tmp_path, f"{HEADER}\tpfs_days\n{ROW}\t90\n", "s.tsv")
    assert [s.sample_id for s in read_samples(sheet)] == ["s1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{HEADER}\n{ROW}\n{ROW}\n", "occurs more than once"),
        ("sample_id\n1\n", "no column patient_id"),
        (f"{HEADER}\n{ROW.replace('human', 'rat')}\n", "line 2: species"),
        (f"{HEADER}\n{ROW.replace('s1', 'a/b', 1)}\n", "line 2: sample_id"),
    ],
)
def test_wrong_sheets_name_the_line(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        read_samples(write(tmp_path, text, "s.tsv"))


@pytest.mark.parametrize("read", [read_panel, read_options, read_samples])
def test_paths_may_be_text_and_nothing_else(read, tmp_path):
    with pytest.raises(MissingError, match="none"):
        read(str(tmp_path / "none"))
    with pytest.raises(UsageError, match="give a path"):
        read(3)


def test_an_option_that_names_a_file_may_be_a_path():
    options = override_options(Options(), {"phenotype": {"control": Path("C")}}, "test")
    assert options.phenotype.control == "C"
