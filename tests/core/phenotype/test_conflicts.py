import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact

from mifprofile.core.phenotype.conflicts import impossible_combinations
from tests.panels import make_panel

PANEL = make_panel(
    {"CD8": "a/membrane", "CK": "b/cytoplasm"},
    phenotypes={"tumour": "CK+/CD8-", "CTL": "CD8+/CK-"},
    impossible=["CD8+/CK+"],
)
WHITE, CTL, TUMOUR, BOTH = "-", "C", "T", "X"


def row_of_cells(text):
    """Cells in a row, each touching the next: (calls, levels, contacts).

    A conflict cell has a high level of CK and one of CD8 just above the gate.
    """
    kinds = np.array(list(text))
    ids = np.arange(1, kinds.size + 1)
    levels = pd.DataFrame({"CD8": np.full(kinds.size, 1.0), "CK": 1.0})
    levels.loc[kinds == CTL, "CD8"] = 90.0
    levels.loc[kinds == TUMOUR, "CK"] = 90.0
    levels.loc[kinds == BOTH, ["CD8", "CK"]] = 12.0, 95.0
    calls = pd.DataFrame({f"{m}_positive": levels[m] > 10 for m in levels})
    contacts = pd.DataFrame({"cell_a": ids[:-1], "cell_b": ids[1:]})
    return calls.assign(cell_id=ids), levels, contacts


def of_row(text):
    calls, levels, contacts = row_of_cells(text)
    return impossible_combinations(calls, levels, PANEL, contacts).iloc[0]


def test_the_rate_is_of_the_rarer_marker():
    found = of_row("XTTT-C-C-C")
    assert (found["cells"], found["of"], found["percent"]) == (1, 4, 25.0)


def test_no_cell_of_either_marker_has_no_rate():
    found = of_row("----")
    assert (found["cells"], found["of"]) == (0, 0)
    assert np.isnan(found["percent"])
    assert found["reading"] == ""


def test_conflicts_that_touch_the_other_kind_are_spill_over():
    found = of_row("CXT" * 10 + "TT" * 20)
    assert found["touching_percent"] == 100
    # Of 50 tumour cells the 9 that have a CTL to their right touch one.
    assert found["expected_percent"] == pytest.approx(100 * 9 / 50)
    assert found["p_value"] < 1e-5
    assert found["reading"] == "spill-over likely"


def test_conflicts_in_the_midst_of_tumour_are_not():
    found = of_row("CT" * 20 + "TXT" * 15)
    assert found["touching_percent"] == 0
    assert found["reading"] == "no more contact than by chance: look at the gates"


def test_where_all_tumour_cells_touch_a_ctl_contact_tells_nothing():
    found = of_row("CXCTC" * 12)
    assert (found["touching_percent"], found["expected_percent"]) == (100, 100)
    assert found["p_value"] == 1
    assert "look at the gates" in found["reading"]


@pytest.mark.parametrize("text", ["CXT" * 3 + "T" * 20, "CX" * 20])
def test_too_few_cells_to_tell(text):
    assert of_row(text)["reading"] == "too few cells to tell"


def test_without_contacts_nothing_is_said_of_them():
    calls, levels, _ = row_of_cells("CXT" * 10)
    found = impossible_combinations(calls, levels, PANEL).iloc[0]
    assert found["cells"] == 10
    assert np.isnan(found["touching_percent"])
    assert found["reading"] == ""


def test_neighbours_that_are_no_cells_of_the_table_are_passed_over():
    calls, levels, contacts = row_of_cells("CXT" * 10 + "TT" * 20)
    stranger = pd.DataFrame({"cell_a": [2], "cell_b": [999]})
    more = pd.concat([contacts, stranger])
    pd.testing.assert_frame_equal(
        impossible_combinations(calls, levels, PANEL, more),
        impossible_combinations(calls, levels, PANEL, contacts),
    )


def test_the_order_of_a_pair_and_of_cells_does_not_matter():
    calls, levels, contacts = row_of_cells("CXT" * 10 + "TT" * 20)
    order = np.random.default_rng(0).permutation(len(calls))
    turned = contacts.rename(columns={"cell_a": "cell_b", "cell_b": "cell_a"})
    pd.testing.assert_frame_equal(
        impossible_combinations(
            calls.iloc[order].reset_index(drop=True),
            levels.iloc[order].reset_index(drop=True),
            PANEL,
            turned,
        ),
        impossible_combinations(calls, levels, PANEL, contacts),
    )


def test_p_is_near_that_of_fishers_exact_test():
    # 20 conflicts of which 12 touch a CTL, 100 tumour cells of which 30 do.
    found = of_row("-CX-" * 12 + "-X-" * 8 + "-CT-" * 30 + "-T-" * 70)
    exact = fisher_exact([[12, 8], [30, 70]], alternative="greater").pvalue
    assert found["touching_percent"] == 60
    assert found["expected_percent"] == 30
    assert found["p_value"] == pytest.approx(exact, rel=0.2)


@pytest.mark.parametrize("seed", range(5))
def test_conflicts_that_fall_anywhere_are_rarely_called_spill_over(seed):
    rng = np.random.default_rng(seed)
    kinds = rng.choice([TUMOUR, CTL, WHITE], 2000, p=[0.6, 0.3, 0.1])
    tumour = np.flatnonzero(kinds == TUMOUR)
    kinds[rng.choice(tumour, 100, replace=False)] = BOTH
    assert of_row("".join(kinds))["p_value"] > 0.001
