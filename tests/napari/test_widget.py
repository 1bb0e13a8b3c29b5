import numpy as np
import pandas as pd
import pytest

from mifprofile.errors import StorageError
from mifprofile.napari._widget import HIGHLIGHT, _decimals

YELLOW = (255, 235, 61)


@pytest.fixture
def widget(viewer, copy):
    """The widget as the menu opens it, with a result folder that may be changed."""
    viewer.open(str(copy.results.folder), plugin="mifprofile")
    _, widget = viewer.window.add_plugin_dock_widget("mifprofile", "Gates")
    return widget


def highlighted(viewer):
    """Ids of the highlighted cells, from the pixels of the full resolution."""
    data = viewer.layers[HIGHLIGHT].data
    level = data[0] if viewer.layers[HIGHLIGHT].multiscale else data
    return np.setdiff1d(np.asarray(level), [0])


def levels_of(job, marker="CD8_membrane_mean"):
    return pd.read_parquet(job.results.cells).set_index("cell_id")[marker]


def apply(widget, qtbot):
    widget.apply()
    qtbot.waitUntil(widget.apply_button.isEnabled, timeout=120_000)


@pytest.mark.parametrize(
    ("highest", "decimals"),
    [(60_000.0, 0), (250.0, 1), (1.0, 3), (0.3, 4), (2e-4, 7), (1e-12, 12)],
)
def test_decimals_tell_levels_of_any_unit_apart(highest, decimals):
    assert _decimals(highest) == decimals


def test_opening_a_folder_shows_its_layers_and_a_scale(viewer, widget):
    assert viewer.canvas.overlays.scale_bar.visible
    assert widget.marker == "CD8"
    assert widget.folder_label.text() == "sample"
    assert HIGHLIGHT in viewer.layers
    shown = {layer.name for layer in viewer.layers if layer.visible}
    assert shown == {"DAPI", "CD8", HIGHLIGHT}


def test_moving_the_gate_highlights_the_cells_above(viewer, widget, copy):
    levels = levels_of(copy)
    for share in (0.5, 0.95):
        cut = round(levels.quantile(share), widget.spin.decimals())
        widget.spin.setValue(cut)
        np.testing.assert_array_equal(highlighted(viewer), levels.index[levels > cut])
        assert f"CD8+: {(levels > cut).sum():,} of" in widget.counts.text()
    widget.histogram.moved.emit(levels.max() + 1)
    assert highlighted(viewer).size == 0


def test_the_canvas_shows_the_highlight(viewer, widget, qtbot):
    def yellow():
        return np.abs(viewer.screenshot(flash=False)[..., :3] - YELLOW).max(-1) < 40

    viewer.window.show()
    for layer in viewer.layers:
        layer.visible = layer.name == HIGHLIGHT
    widget.move_gate(0.0)
    qtbot.wait(50)
    every = np.count_nonzero(yellow())
    widget.move_gate(np.nan)
    qtbot.wait(50)
    assert every > 500
    assert np.count_nonzero(yellow()) == 0
    assert widget.spin.text() == "no gate"


def test_another_marker_shows_its_own_channel_and_gate(viewer, widget):
    widget.marker_box.setCurrentText("PD-L1")
    assert viewer.layers["PD-L1"].visible
    assert not viewer.layers["CD8"].visible
    assert widget.spin.value() == pytest.approx(widget.editor.threshold("PD-L1"), abs=1)


def test_the_grade_of_the_gate_in_use_is_shown(widget):
    shown = widget.grade.text()
    assert shown == f"in use: {widget.editor.describe_grade('CD8')}"
    widget.marker_box.setCurrentText("CK")
    assert widget.grade.text() == f"in use: {widget.editor.describe_grade('CK')}"


def test_an_undecided_marker_is_no_zero(widget, copy):
    gates = pd.read_csv(copy.results.gates)
    mine = gates["marker"] == "CD8"
    gates.loc[mine, ["threshold", "grade"]] = [np.nan, "undecided"]
    gates.to_csv(copy.results.gates, index=False)
    widget.editor.reload()
    widget.marker_box.setCurrentText("CK")
    widget.marker_box.setCurrentText("CD8")
    assert widget.spin.text() == "undecided"
    assert widget.counts.text().startswith("CD8 is undecided")
    widget.spin.setValue(widget.spin.maximum())
    assert widget.counts.text().startswith("CD8+: 0 of ")
    widget.spin.setValue(widget.spin.minimum())
    assert widget.spin.text() == "no gate"


def test_save_writes_who_and_when(widget, copy):
    widget.move_gate(321.0)
    widget.author.setText("ana")
    widget.note.setText("bleed-through")
    widget.save_button.click()
    row = pd.read_csv(copy.results.gates_manual).iloc[0]
    assert (row["marker"], row["threshold"], row["author"], row["note"]) == (
        "CD8",
        321.0,
        "ana",
        "bleed-through",
    )
    assert not widget.save_button.isEnabled()


def test_apply_changes_the_phenotypes_on_the_canvas(viewer, widget, copy, qtbot):
    assert "CTL" in set(viewer.layers["cells"].features["phenotype"])
    widget.move_gate(np.nan)
    apply(widget, qtbot)
    assert "CTL" not in set(viewer.layers["cells"].features["phenotype"])
    assert not (pd.read_parquet(copy.results.cells)["phenotype"] == "CTL").any()
    assert "up to date" in widget.status.text()
    assert widget.counts.text().endswith("in use: no gate")


def test_what_goes_wrong_is_one_line(widget, copy, qtbot, monkeypatch):
    said = []
    monkeypatch.setattr("mifprofile.napari._widget.show_error", said.append)
    copy.results.measurements.unlink()
    widget.move_gate(5.0)
    apply(widget, qtbot)
    (line,) = said
    assert line.startswith("gates not applied: ")
    assert "measurements.parquet: missing" in line
    assert copy.results.gates_manual.exists()


def test_gates_that_cannot_be_saved_are_not_applied(widget, copy, monkeypatch):
    def full(*_):
        raise StorageError("the disk is full")

    said = []
    monkeypatch.setattr("mifprofile.napari._widget.show_error", said.append)
    monkeypatch.setattr("mifprofile.napari._gates.write_table", full)
    widget.move_gate(5.0)
    widget.apply()
    assert said == ["the disk is full"]
    assert widget.apply_button.isEnabled()
    assert widget.editor.is_moved


def test_a_folder_that_is_none_is_one_line(viewer, qtbot, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("mifprofile.napari._widget.show_error", said.append)
    _, widget = viewer.window.add_plugin_dock_widget("mifprofile", "Gates")
    assert not widget.apply_button.isEnabled()
    widget.open_folder(tmp_path)
    (line,) = said
    assert "not a finished result folder" in line
    assert widget.editor is None
