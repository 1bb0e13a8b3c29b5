import numpy as np
import pandas as pd
import pytest

from mifprofile.core.cohort.endpoints import Variable
from mifprofile.core.cohort.observe import SampleResult, observe
from tests.core.cohort.conftest import PANEL, landscape

CD8 = {"cd8": Variable(metric="density", phenotype="CD8+")}


def observed(table: pd.DataFrame, verdict: str = "pass", variables=CD8):
    sample = SampleResult("s", table, PANEL, verdict, ("why",))
    (row,) = observe([sample], variables).to_dict("records")
    return row


def test_a_molecule_finds_the_phenotypes_that_ask_for_it():
    row = observed(landscape(30, 2.0))
    assert (row["value"], row["n_num"], row["area_mm2"]) == (15, 30, 2.0)
    assert row["enters"]


def test_phenotypes_that_ask_for_it_are_added_up():
    both = pd.concat([landscape(30), landscape(12)], ignore_index=True)
    both["phenotype"] = ["CTL", "naive"]
    panel = PANEL.model_copy(
        update={"phenotypes": PANEL.phenotypes | {"naive": PANEL.phenotypes["CTL"]}}
    )
    sample = SampleResult("s", both, panel)
    (row,) = observe([sample], CD8).to_dict("records")
    assert row["n_num"] == 42


@pytest.mark.parametrize("status", ["OK", "APPROX", "SMALL", "NO_INTERVAL"])
def test_what_has_a_value_enters(status):
    assert observed(landscape(3, status=status))["enters"]


@pytest.mark.parametrize("status", ["LOW_N", "LOW_AREA", "NOT_COMPUTABLE", "QC_FAIL"])
def test_what_has_none_does_not(status):
    row = observed(landscape(3, status=status, value=np.nan, reason="why"))
    assert not row["enters"]
    assert row["reason"] == "why"


def test_a_failed_sample_says_why():
    row = observed(landscape(3), "fail")
    assert (row["status"], row["reason"]) == ("QC_FAIL", "quality: why")


def test_a_metric_that_was_not_asked_for_is_told_from_a_panel_without_the_marker():
    variables = {"x": Variable(metric="pct_with_neighbour", phenotype="CD8+")}
    row = observed(landscape(3), variables=variables)
    assert row["reason"] == "the landscape has no such row"


def test_what_the_panel_lacks_is_named():
    variables = {"x": Variable(metric="density", phenotype="CD68+")}
    row = observed(landscape(3), variables=variables)
    assert row["reason"] == "the panel has no CD68"
