"""JSON Schemas of the workflow's config and sample sheet, made from the models.

``python -m mifprofile.io.schemas workflow/schemas`` writes them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import Field

from mifprofile.model import Sample
from mifprofile.options import Options

DRAFT = "https://json-schema.org/draft/2020-12/schema"


class WorkflowConfig(Options):
    """Config of the workflow: a section per stage, and where the samples are."""

    samples: str = Field(min_length=1, description="Sample sheet, tab-separated.")
    results: str = Field(
        min_length=1, description="Folder that gets a subfolder per sample."
    )


def config_schema() -> dict[str, Any]:
    """Schema of ``config.yaml``."""
    return {"$schema": DRAFT, **WorkflowConfig.model_json_schema()}


def samples_schema() -> dict[str, Any]:
    """Schema of a row of the sample sheet; columns of the user's own are allowed."""
    schema = {"$schema": DRAFT, **Sample.model_json_schema()}
    return schema | {"additionalProperties": True}


def schema_files() -> dict[str, str]:
    """File name → content of every schema."""
    schemas = {
        "config.schema.json": config_schema(),
        "samples.schema.json": samples_schema(),
    }
    return {
        name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in schemas.items()
    }


if __name__ == "__main__":
    for name, text in schema_files().items():
        Path(sys.argv[1], name).write_text(text, encoding="utf-8")
