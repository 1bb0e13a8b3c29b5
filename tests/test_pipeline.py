"""The table of stages against what else names them."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from mifprofile.cli import OPTIONS, cli
from mifprofile.errors import UsageError
from mifprofile.io.results import Results
from mifprofile.model import Panel
from mifprofile.options import STAGES, Options
from mifprofile.pipeline import OF_SLIDE, OF_TABLE, step_of
from mifprofile.stages import Job
from mifprofile.stages.job import GIVEN

RULES = Path(__file__).parents[1] / "workflow" / "rules"
ROADS = [*OF_SLIDE.values(), *OF_TABLE.values()]


def rule_of(stage):
    """Names of a sample's files in the rule's input and output, and its panel part."""
    text = (RULES / f"{stage}.smk").read_text()
    before, after = text.split("    output:\n")
    after = after.split("    log:\n")[0]
    files = [re.findall(r'result\("([^"]+)"\)', part) for part in (before, after)]
    (keys,) = re.findall(r"panel_part\((.*)\)", text)
    return *files, set(re.findall(r'"(\w+)"', keys))


def before(stage):
    """All stages upstream."""
    direct = OF_SLIDE[stage].upstream
    return {*direct, *(name for one in direct for name in before(one))}


def test_stages_are_those_of_the_options():
    assert tuple(OF_SLIDE) == STAGES
    assert set(OF_SLIDE) <= set(Options.model_fields)


def test_every_file_has_one_writer():
    written = [name for step in OF_SLIDE.values() for name in step.outputs]
    assert len(written) == len(set(written))


@pytest.mark.parametrize("stage", STAGES)
def test_a_rule_writes_what_its_stage_writes(stage):
    assert set(rule_of(stage)[1]) == set(OF_SLIDE[stage].outputs)


@pytest.mark.parametrize("stage", STAGES)
def test_a_rule_waits_for_every_stage_upstream_and_reads_no_other(stage):
    read = set(rule_of(stage)[0])
    for name in OF_SLIDE[stage].upstream:
        assert read & set(OF_SLIDE[name].outputs)
    assert read <= {path for name in before(stage) for path in OF_SLIDE[name].outputs}


@pytest.mark.parametrize("stage", STAGES)
def test_a_rule_depends_on_the_same_part_of_the_panel(stage):
    assert rule_of(stage)[2] == OF_SLIDE[stage].panel
    assert OF_SLIDE[stage].panel <= set(Panel.model_fields)


@pytest.mark.parametrize("step", ROADS, ids=lambda step: step.code or step.name)
def test_a_step_comes_after_what_it_needs(step):
    road = OF_SLIDE if step is OF_SLIDE.get(step.name) else OF_TABLE
    order = list(road)
    assert all(order.index(name) < order.index(step.name) for name in step.upstream)
    assert set(step.only) <= set(step.upstream)


@pytest.mark.parametrize("step", ROADS, ids=lambda step: step.code or step.name)
def test_a_step_names_code_and_options_that_are_there(step):
    module, _, name = (step.code or f"{step.name}.{step.name}").partition(".")
    assert callable(getattr(import_module(f"mifprofile.stages.{module}"), name))
    assert set(step.options) <= set(OPTIONS)
    assert cli.commands[step.name].help == step.help


def test_every_outside_file_that_a_step_names_is_one_of_a_job(tmp_path, demo_panel):
    names = ("gates_manual.csv", "model", "mixing.csv", "light.tif")
    for name in (*names, "measurements.parquet", "provenance/quality.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    _, model, mixing, light = (str(tmp_path / name) for name in names)
    flat_field = {"flat_field_file": light, "field_um": (100, 100)}
    correct = {"unmixing": mixing, "flat_field": "file", **flat_field}
    options = Options.model_validate(
        {
            "segment": {"model": model},
            "measure": {"correct": correct},
            "phenotype": {"control": str(tmp_path)},
        }
    )
    job = Job(Results(tmp_path), demo_panel, options, **dict.fromkeys(GIVEN, tmp_path))
    assert {name for step in ROADS for name in step.inputs} == set(job.files)


def test_a_stage_of_slides_alone_is_refused_for_a_table():
    assert step_of("phenotype", of_table=True).upstream == ("ingest",)
    with pytest.raises(UsageError, match="segment: a stage of slides"):
        step_of("segment", of_table=True)
