from importlib.resources import files
from pathlib import Path

import pytest

from mifprofile.core.cohort.endpoints import Protocol
from mifprofile.io.config import read_protocol

ROOT = Path(__file__).parents[3]


def content(**changes):
    estimand = dict.fromkeys(
        ("population", "treatment", "intercurrent_events", "summary"), "as said"
    )
    endpoint = {
        "id": "cd8",
        "title": "CD8+ cells",
        "variable": {"metric": "density", "phenotype": "CD8+"},
        "estimand": "usual",
    }
    return {
        "estimands": {"usual": estimand},
        "endpoints": [endpoint | changes],
        "regimens": {"core": ["cd8"]},
    }


def test_an_estimand_is_put_where_it_is_named():
    (endpoint,) = Protocol.model_validate(content()).predeclared("core")
    assert endpoint.estimand.population == "as said"
    assert endpoint.unit == "log2 ratio"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"estimand": "usua"}, "no estimand 'usua' .did you mean 'usual'"),
        ({"variable": {"metric": "densty"}}, "did you mean 'density'"),
        ({"id": "cd4"}, "regimen 'core': no endpoint 'cd8'"),
    ],
)
def test_names_that_are_not_there_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Protocol.model_validate(content(**changes))


def test_more_than_six_are_not_predeclared():
    given = content()
    one = given["endpoints"][0]
    given["endpoints"] = [one | {"id": f"cd8_{i}"} for i in range(7)]
    given["regimens"] = {"core": [f"cd8_{i}" for i in range(7)]}
    with pytest.raises(ValueError, match="predeclare at most 6"):
        Protocol.model_validate(given)


def test_the_packaged_endpoints_are_those_of_the_example():
    packaged = files("mifprofile.io").joinpath("endpoints.yaml").read_text()
    path = ROOT / "config" / "endpoints.yaml"
    assert path.read_text() == packaged
    assert {"core", "pd1_cdk46", "pdl1_41bb"} <= set(read_protocol(path).regimens)
