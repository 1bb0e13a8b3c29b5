import copy
import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest

from mifprofile.arguments import (
    APath,
    Converted,
    MaybePath,
    as_path,
    as_path_or_none,
    as_paths,
    expect,
)
from mifprofile.errors import UsageError


@dataclass(frozen=True)
class Files:
    out: APath = Converted(as_path)
    gates: MaybePath = Converted(as_path_or_none, None)


@pytest.mark.parametrize("given", ["a/b", Path("a/b")])
def test_a_path_may_be_text(given):
    assert as_path(given, "slide") == Path("a/b")


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (None, "None"),
        ("", "''"),
        (3, "int"),
        (["a"], "list"),
        (b"a", "bytes"),
        (pd.DataFrame([1]), "DataFrame"),
    ],
)
def test_what_is_no_path_is_named(given, what):
    with pytest.raises(UsageError, match=f"^slide: give a path.* not {what}$"):
        as_path(given, "slide")


@pytest.mark.parametrize("given", ["a", Path("a"), ["a"], (Path("a"),)])
def test_one_path_is_a_list_of_one(given):
    assert as_paths(given, "folders") == (Path("a"),)


@pytest.mark.parametrize("given", [None, 3, [], [None], [["a"]]])
def test_what_are_no_paths_is_refused(given):
    with pytest.raises(UsageError, match=r"^folders: give a "):
        as_paths(given, "folders")


def test_a_wrong_kind_is_named():
    expect({}, dict, "segment")
    with pytest.raises(UsageError, match=r"^segment: must be dict, not DataFrame$"):
        expect(pd.DataFrame(), dict, "segment")


def test_fields_are_converted_however_they_are_given():
    files = Files("out")
    assert (files.out, files.gates) == (Path("out"), None)
    assert replace(files, gates="g.csv") == Files(Path("out"), Path("g.csv"))
    assert replace(files, gates="g.csv").out == Path("out")


def test_fields_survive_copies_and_pickles():
    files = Files("out", "g.csv")
    assert copy.copy(files) == pickle.loads(pickle.dumps(files)) == files
    assert hash(copy.copy(files)) == hash(files)


def test_a_field_without_default_must_be_given():
    with pytest.raises(TypeError, match="'out'"):
        Files()
    with pytest.raises(UsageError, match=r"^out: "):
        Files(None)
    with pytest.raises(UsageError, match=r"^gates: "):
        Files("out", 3)
