from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mifprofile.io.config import read_options
from mifprofile.io.schemas import WorkflowConfig, schema_files
from mifprofile.options import Options

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", schema_files())
def test_schema_is_what_the_models_say(name: str):
    written = (ROOT / "workflow" / "schemas" / name).read_text(encoding="utf-8")
    assert written == schema_files()[name], (
        "stale; run: python -m mifprofile.io.schemas workflow/schemas"
    )


def test_the_example_config_shows_every_option_with_its_default():
    path = ROOT / "config" / "config.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    shown = WorkflowConfig.model_validate(content).model_dump(exclude_unset=True)
    assert {k: v for k, v in shown.items() if k not in {"samples", "results"}} == (
        Options().model_dump()
    )
    assert read_options(path) == Options()
