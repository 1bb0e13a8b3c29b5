import numpy as np
import pandas as pd
import pytest

from mifprofile.errors import UsageError
from mifprofile.napari._gates import GateEditor


@pytest.fixture
def editor(copy):
    return GateEditor(copy.results.folder)


def table(job):
    path = job.results.gates_manual
    return pd.read_csv(path, keep_default_na=False, dtype=str).set_index("marker")


def test_it_starts_from_the_gates_in_use(editor, finished):
    gates = pd.read_csv(finished.results.gates).set_index("marker")
    assert editor.markers == tuple(gates.index)
    for marker in editor.markers:
        np.testing.assert_allclose(
            editor.threshold(marker), gates.loc[marker, "threshold"]
        )
    assert not editor.is_moved


def test_cells_above_a_moved_gate(editor, finished):
    levels = pd.read_parquet(finished.results.cells).set_index("cell_id")
    levels = levels[levels["qc_evaluable"]]
    cut = levels["CD8_membrane_mean"].quantile(0.9)
    editor.move("CD8", cut)
    above = levels.index[levels["CD8_membrane_mean"] > cut]
    np.testing.assert_array_equal(np.flatnonzero(editor.shown_values("CD8")), above)
    percent = 100 * len(above) / len(levels)
    assert editor.describe("CD8").startswith(
        f"CD8+: {len(above):,} of {len(levels):,} evaluable cells ({percent:.1f} %)"
    )


def test_excluded_cells_are_not_counted(partly_excluded):
    results = partly_excluded.results
    editor = GateEditor(results.folder)
    cells = pd.read_parquet(results.cells)
    kept = cells[cells["qc_evaluable"]]
    assert 0 < len(kept) < len(cells)
    cut = kept["CD8_membrane_mean"].quantile(0.9)
    editor.move("CD8", cut)
    above = kept.loc[kept["CD8_membrane_mean"] > cut, "cell_id"]
    np.testing.assert_array_equal(np.flatnonzero(editor.shown_values("CD8")), above)
    assert f"CD8+: {len(above):,} of {len(kept):,} evaluable cells" in (
        editor.describe("CD8")
    )
    gates = pd.read_csv(results.gates).set_index("marker")
    in_use = f"({gates.at['CD8', 'positive_pct']:.1f} %)"
    assert editor.describe("CD8").endswith(in_use)


def test_no_gate_means_no_cell(editor):
    editor.move("CD8", np.nan)
    assert not editor.above("CD8").any()
    assert not editor.shown_values("CD8").any()


def regrade(results, grade, **values):
    """Say of CD8's gate in use how firm it is."""
    gates = pd.read_csv(results.gates)
    row = gates["marker"] == "CD8"
    for name, value in {"grade": grade, **values}.items():
        gates.loc[row, name] = value
    gates.to_csv(results.gates, index=False)
    return GateEditor(results.folder)


def test_an_undecided_marker_has_no_number(copy):
    editor = regrade(copy.results, "undecided", threshold=np.nan)
    assert editor.describe("CD8") == (
        "CD8 is undecided: nobody can tell how many cells are positive\n"
        "in use: undecided"
    )
    editor.move("CD8", 1e9)
    assert editor.describe("CD8").startswith(f"CD8+: 0 of {editor.cell_ids.size:,} ")
    assert editor.describe("CD8").endswith("in use: undecided")
    editor.reset("CD8")
    assert editor.describe("CD8").startswith("CD8 is undecided")


def test_a_gate_by_hand_that_is_saved_decides(copy):
    editor = regrade(copy.results, "undecided", threshold=np.nan)
    editor.move("CD8", np.nan)
    editor.save("ana", "")
    assert editor.describe("CD8").startswith("CD8+: 0 of ")


def test_an_absent_marker_has_no_cell(copy):
    editor = regrade(copy.results, "absent", threshold=np.nan)
    assert editor.describe("CD8").startswith(f"CD8+: 0 of {editor.cell_ids.size:,} ")
    assert editor.describe("CD8").endswith("in use: no gate")


def test_the_grade_stands_beside_the_size_of_the_population(copy):
    sizes = {"corrected_pct": 12.34, "corrected_low": 8.0, "corrected_high": 17.96}
    editor = regrade(copy.results, "graded", **sizes)
    assert editor.describe_grade("CD8") == (
        "graded; 12.3 % (8.0 to 18.0 %) with the graded cells"
    )
    lacking = dict.fromkeys(sizes, np.nan)
    assert regrade(copy.results, "clear", **lacking).describe_grade("CD8") == "clear"


def test_saving_signs_and_keeps_other_rows(editor, copy):
    editor.move("CD8", 123.5)
    editor.save("ana", "too low")
    first = table(copy).loc["CD8"]
    assert list(pd.read_csv(copy.results.gates_manual).columns) == [
        *("sample", "marker", "threshold", "method", "scope", "note", "author", "time")
    ]
    assert (first["sample"], first["method"], first["author"]) == (
        "sample",
        "manual",
        "ana",
    )
    assert first["note"] == "too low"
    assert pd.Timestamp(first["time"]).tz is not None
    again = GateEditor(copy.results.folder)
    again.move("CK", np.nan)
    again.save("ben", "")
    both = table(copy)
    assert both.loc["CD8"].equals(first)
    assert both.loc["CK", ["threshold", "author"]].tolist() == ["", "ben"]


def test_applied_gates_name_the_cells_and_survive_another_run(editor, copy):
    before = pd.read_parquet(copy.results.cells)
    editor.move("CD8", 1e9)
    editor.save("ana", "")
    assert list(editor.apply()) == ["phenotype", "landscape", "export", "report"]
    assert (before["phenotype"] == "CTL").any()
    after = pd.read_parquet(copy.results.cells)
    assert not (after["phenotype"] == "CTL").any()
    gates = pd.read_csv(copy.results.gates).set_index("marker")
    assert gates.loc["CD8", "method"] == "manual"
    assert gates.loc["CK", "method"] == "evidence"
    editor.reload()
    assert editor.threshold("CD8") == 1e9


def test_reset_gives_a_gate_back(editor, copy):
    found = editor.threshold("CD8")
    editor.move("CD8", 5.0)
    editor.reset("CD8")
    assert not editor.is_moved
    assert editor.threshold("CD8") == found
    editor.move("CD8", 5.0)
    editor.save("ana", "")
    editor.reset("CD8")
    assert editor.describe_origin("CD8").startswith("will be found")
    editor.save("ana", "")
    assert not copy.results.gates_manual.exists()


def test_a_renamed_folder_does_not_lose_gates_in_silence(editor, copy):
    editor.move("CD8", 5.0)
    editor.save("ana", "")
    renamed = copy.results.folder.rename(copy.results.folder.with_name("other"))
    with pytest.raises(UsageError, match="if the folder was renamed"):
        GateEditor(renamed)
