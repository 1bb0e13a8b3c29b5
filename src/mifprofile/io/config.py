"""Panels, options and sample sheets: what people write by hand."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pandas as pd
import yaml
from pydantic import BaseModel, ValidationError

from mifprofile.arguments import as_path
from mifprofile.core.cohort.endpoints import Protocol
from mifprofile.core.cohort.sheet import ABSENCES, Study, parse_study
from mifprofile.errors import MissingError, UsageError
from mifprofile.model import Panel, Sample, nearest
from mifprofile.options import Options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mifprofile.arguments import StrPath

ModelT = TypeVar("ModelT", bound=BaseModel)
NOTHING = frozenset({"", "NA"})


def read_panel(path: StrPath) -> Panel:
    """Read and check ``panel.yaml``; raises UsageError or MissingError."""
    path = as_path(path, "panel")
    return _build(Panel, _read_yaml(path), path)


def parse_panel(content: dict[str, Any], source: Path | str) -> Panel:
    """Check a panel that was read elsewhere; ``source`` is named in errors."""
    return _build(Panel, content, source)


def read_options(path: StrPath | None) -> Options:
    """Read the stages' sections of a config file; None gives the defaults.

    The keys ``samples`` and ``results`` belong to the workflow and are skipped.
    """
    if path is None:
        return Options()
    path = as_path(path, "config")
    sections = _read_yaml(path)
    return parse_options(
        {k: v for k, v in sections.items() if k not in {"samples", "results"}}, path
    )


def read_workflow_path(path: Path, key: Literal["samples", "results"]) -> Path:
    """Read one of the workflow's own keys from a config file; raises UsageError."""
    value = _read_yaml(path).get(key)
    if not isinstance(value, str):
        raise UsageError(f"{path}: {key}: give a path, as in 'results: results'")
    return Path(value)


def parse_options(sections: dict[str, Any], source: Path | str) -> Options:
    """Check options that were read elsewhere; ``source`` is named in errors."""
    return _build(Options, sections, source)


def override_options(
    options: Options, sections: Mapping[str, Mapping[str, object]], source: str
) -> Options:
    """Options with the given fields replaced; None leaves a field as it is."""
    content = options.model_dump()
    for section, fields in sections.items():
        content[section] |= {k: v for k, v in fields.items() if v is not None}
    return parse_options(content, source)


def read_samples(path: StrPath) -> list[Sample]:
    """Read the slides of a tab-separated sample sheet.

    Columns it does not know, and rows of biopsies that are missing, are left alone.
    """
    path = as_path(path, "samples")
    table = _read_sheet(path)
    if "missing_reason" in table:
        table = table[table["missing_reason"].isin([*ABSENCES])]
    known = {name: Sample.model_fields[name] for name in Sample.model_fields}
    lacking = [n for n, f in known.items() if f.is_required() and n not in table]
    if lacking:
        raise UsageError(f"{path}: no column {', '.join(lacking)}")
    rows = table[[n for n in known if n in table]].to_dict("records")
    samples = [
        _build(
            Sample,
            {k: v for k, v in row.items() if v not in NOTHING},
            f"{path}, line {i}",
        )
        for i, row in zip(table.index, rows, strict=True)
    ]
    ids = [sample.sample_id for sample in samples]
    doubled = sorted({name for name in ids if ids.count(name) > 1})
    if doubled:
        raise UsageError(f"{path}: sample_id {doubled[0]!r} occurs more than once")
    return samples


def read_study(path: StrPath) -> Study:
    """Read a sample sheet with its patients and the biopsies that are missing.

    Raises
    ------
    MissingError
        There is no such file.
    UsageError
        Names every problem with its line.
    """
    path = as_path(path, "samples")
    table = _read_sheet(path)
    rows = zip(table.index, table.to_dict("records"), strict=True)
    return parse_study(((int(line), row) for line, row in rows), str(path))


def read_protocol(path: StrPath) -> Protocol:
    """Read and check ``endpoints.yaml``; raises UsageError or MissingError."""
    path = as_path(path, "endpoints")
    return _build(Protocol, _read_yaml(path), path)


def _given(row: dict[Any, str]) -> dict[Any, str]:
    return {name: text for name, text in row.items() if text not in NOTHING}


def _read_sheet(path: Path) -> pd.DataFrame:
    """All cells as text; the index is the line in the file."""
    if not path.is_file():
        raise MissingError(f"{path}: no such sample sheet")
    try:
        # Comments are whole lines: a value may hold a #.
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = {
            number: line
            for number, line in enumerate(lines, start=1)
            if line.strip() and not line.startswith("#")
        }
        table = pd.read_csv(
            StringIO("".join(kept.values())), sep="\t", dtype=str, keep_default_na=False
        )
        return table.fillna("").set_axis([*kept][1 : len(table) + 1], axis=0)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as e:
        raise UsageError(f"{path}: not a tab-separated table ({e})") from e


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingError(f"{path}: no such file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        raise UsageError(f"{path}: not valid YAML ({' '.join(str(e).split())})") from e
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected 'key: value' lines at the top level")
    return content


def _build(kind: type[ModelT], content: dict[str, Any], source: Path | str) -> ModelT:
    try:
        return kind.model_validate(content)
    except ValidationError as e:
        raise UsageError(f"{source}: {_first_problem(e, kind)}") from e


def _first_problem(error: ValidationError, kind: type[BaseModel]) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    more = error.error_count() - 1
    tail = f" (and {more} more)" if more else ""
    if first["type"] == "extra_forbidden":
        names = _names_beside(kind, first["loc"])
        hint = (
            nearest(str(first["loc"][-1]), names) or f"; known are {', '.join(names)}"
        )
        return f"unknown key {where!r}{hint}{tail}"
    message = first["msg"].removeprefix("Value error, ")
    value = (
        ""
        if first["type"] in {"missing", "value_error"}
        else f", not {first['input']!r}"
    )
    return f"{where + ': ' if where else ''}{message}{value}{tail}"


def _names_beside(kind: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Names of the fields that are allowed where an unknown key was found."""
    fields = kind.model_fields
    for part in loc[:-1]:
        annotation = fields[str(part)].annotation if str(part) in fields else None
        inner = getattr(annotation, "__args__", (annotation,))[-1]
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            fields = inner.model_fields
    return list(fields)
