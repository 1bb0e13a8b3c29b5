from pathlib import Path

import pytest

from mifprofile.errors import UsageError
from mifprofile.pipeline import OF_SLIDE, OF_TABLE
from mifprofile.stages.given import (
    RunArguments,
    TableArguments,
    gates_job,
    neighbourhoods_job,
    slide_job,
)


def test_options_reach_their_sections(demo_panel, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("segment: {rim_um: 2}\nphenotype: {min_confidence: 0.6}\n")
    job = slide_job(
        demo_panel,
        "OUT",
        "a.tif",
        pixel_size=0.5,
        model=Path("my.model"),
        gates="g.csv",
        config=str(config),
        workers=2,
        phenotype={"min_share": 0.01},
        segment={"model": "cyto3", "flow_error": 0.5},
    )
    options = job.options
    assert options.ingest.pixel_size_um == 0.5
    assert (options.segment.model, options.segment.rim_um) == ("my.model", 2)
    assert options.segment.flow_error == 0.5
    assert options.phenotype.min_confidence == 0.6
    assert options.phenotype.min_share == 0.01
    assert (job.slide, job.gates, job.workers) == (Path("a.tif"), Path("g.csv"), 2)
    assert (job.results.folder, job.nuclei, job.quiet) == (Path("OUT"), None, False)


def test_none_is_as_good_as_not_given(demo_panel):
    plain = slide_job(demo_panel, "OUT")
    given = slide_job(demo_panel, "OUT", pixel_size=None, control=None, gates=None)
    assert given == plain


def test_options_of_gates_and_neighbourhoods():
    job = gates_job(["A", "B"], "g.csv", panel="p.yaml", scope="cohort", control="C")
    assert job.folders == (Path("A"), Path("B"))
    assert (job.out, job.panel, job.source) == (Path("g.csv"), Path("p.yaml"), None)
    assert job.options.gates.scope == "cohort"
    assert job.options.phenotype.control == "C"
    fit = neighbourhoods_job("A", "p.yaml", "OUT", clusters=4)
    assert (fit.folders, fit.options.neighbourhoods.clusters) == ((Path("A"),), 4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pixelsize": 1}, "run: no option 'pixelsize' .did you mean 'pixel_size'"),
        ({"min_confidence": 1}, "give it as phenotype={'min_confidence': …}"),
        ({"scope": "patient"}, "run: no option 'scope'.*; known are pixel_size, "),
        ({"segment": {"rim": 2}}, "'segment.rim' .did you mean 'rim_um'"),
        ({"segment": 2}, "segment: must be dict, not int"),
        ({"pixel_size": "wide"}, "run: ingest.pixel_size_um: .*'wide'"),
        ({"precision": "int4"}, "run: segment.precision: .*'int4'"),
        ({"gates": 3}, "gates: give a path"),
        ({"workers": 0}, "workers: give at least 1, not 0"),
        ({"workers": "2"}, "workers: must be int, not '2'"),
        ({"config": ["a"]}, "config: give a path"),
    ],
)
def test_what_cannot_be_right_is_one_line(demo_panel, given, message):
    with pytest.raises(UsageError, match=message):
        slide_job(demo_panel, "OUT", caller="run", **given)


@pytest.mark.parametrize("panel", [None, 3, {}, ["p.yaml"]])
def test_a_panel_is_a_path_or_a_panel(panel):
    with pytest.raises(UsageError, match=r"^panel: give a path"):
        slide_job(panel, "OUT")


def test_gates_come_from_one_place():
    with pytest.raises(UsageError, match="not both"):
        gates_job(["A"], "g.csv", source="t.csv", in_use=True)


def test_every_stage_has_its_section():
    assert set(OF_SLIDE) <= set(RunArguments.__annotations__)
    own = set(TableArguments.__annotations__)
    # What a table brings is nothing to choose.
    assert set(OF_TABLE) - own == {"ingest", "export"}
