"""The dock widget "Gates": move a gate, see the cells above it, save, apply."""

from __future__ import annotations

import getpass
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Layer
from napari.qt.threading import create_worker
from napari.utils.colormaps import CyclicLabelColormap
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from mifprofile import MifprofileError
from mifprofile.napari._gates import AFTER_GATES, GateEditor
from mifprofile.napari._histogram import GateHistogram
from mifprofile.napari._layers import (
    ORIGIN,
    Origin,
    layers_of,
    read_layers,
    refresh_layers,
)
from mifprofile.napari._painted import PaintedLabels
from mifprofile.viewer import open_label_store

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari.components import ViewerModel

HIGHLIGHT = "above the gate"
HIGHLIGHT_COLOURS = np.array([(0, 0, 0, 0), (1, 0.92, 0.24, 1)])


class GatesWidget(QWidget):
    """Gates of a result folder, moved by hand.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._editor: GateEditor | None = None
        self._above: PaintedLabels | None = None
        self._highlight: Labels | None = None
        self._build()
        self._viewer.layers.events.inserted.connect(self._adopt)
        self._adopt()

    @property
    def editor(self) -> GateEditor | None:
        """The gates being edited; None while no result folder is open."""
        return self._editor

    @property
    def marker(self) -> str:
        """The chosen marker, or ``""``."""
        return str(self.marker_box.currentText())

    def open_folder(self, folder: Path) -> None:
        """Add a result folder's layers to the viewer, and edit its gates."""
        with notified():
            layers = read_layers(folder.resolve())
            for layer, _ in list(layers_of(self._viewer.layers, folder.resolve())):
                self._viewer.layers.remove(layer)
            for data, options, kind in layers:
                self._viewer.add_layer(Layer.create(data, options, kind))
            self._viewer.canvas.overlays.scale_bar.visible = True
            self._viewer.reset_view()

    def move_gate(self, threshold: float) -> None:
        """Set the chosen marker's gate and show what lies above; NaN: no gate."""
        if self._editor is not None and self.marker:
            self._editor.move(self.marker, threshold)
            self._show_gate()

    def save(self) -> None:
        """Write what was moved, with author and time."""
        if self._editor is None:
            return
        with notified():
            path = self._editor.save(self.author.text().strip(), self.note.text())
            self.note.clear()
            self._show_gate()
            self.status.setText(f"Saved to {path.name}; not yet applied.")

    def apply(self) -> None:
        """Save, and run the stages after the gates in a thread of their own."""
        if self._editor is None:
            return
        if self._editor.is_moved:
            self.save()
        if self._editor.is_moved:
            return
        self._enable(False)
        worker = create_worker(
            self._run_stages, _progress={"total": len(AFTER_GATES), "desc": "gates"}
        )
        worker.yielded.connect(self._show_stage)
        worker.returned.connect(self._show_outcome)
        worker.finished.connect(self._finished)
        worker.start()

    def _build(self) -> None:
        self.folder_label = QLabel("no result folder is open")
        self.folder_label.setWordWrap(True)
        self.open_button = QPushButton("Open…")
        self.marker_box = QComboBox()
        self.histogram = GateHistogram()
        self.spin = QDoubleSpinBox()
        self.spin.setKeyboardTracking(False)
        self.reset_button = QPushButton("Reset")
        self.reset_button.setToolTip("Let the gate be found automatically again.")
        self.counts = QLabel()
        self.counts.setWordWrap(True)
        self.grade = QLabel()
        self.grade.setWordWrap(True)
        self.origin = QLabel()
        self.origin.setWordWrap(True)
        self.author = QLineEdit(getpass.getuser())
        self.note = QLineEdit()
        self.note.setPlaceholderText("why the gate was moved")
        self.save_button = QPushButton("Save")
        self.apply_button = QPushButton("Apply")
        self.apply_button.setToolTip(
            "Save, then name the cells, count and report anew with these gates."
        )
        self.status = QLabel()
        self.status.setWordWrap(True)
        self._arrange()
        self._connect()
        self._enable(False)
        self.open_button.setEnabled(True)

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.addLayout(_row(self.folder_label, self.open_button))
        form = QFormLayout()
        form.addRow("Marker", self.marker_box)
        layout.addLayout(form)
        layout.addWidget(self.histogram)
        form = QFormLayout()
        form.addRow("Gate", _row(self.spin, self.reset_button))
        layout.addLayout(form)
        layout.addWidget(self.counts)
        layout.addWidget(self.grade)
        layout.addWidget(self.origin)
        form = QFormLayout()
        form.addRow("Author", self.author)
        form.addRow("Note", self.note)
        layout.addLayout(form)
        buttons = QHBoxLayout()
        buttons.addWidget(self.save_button)
        buttons.addWidget(self.apply_button)
        layout.addLayout(buttons)
        layout.addWidget(self.status)
        layout.addStretch()

    def _connect(self) -> None:
        self.open_button.clicked.connect(self._ask_for_folder)
        self.marker_box.currentTextChanged.connect(self._show_marker)
        self.histogram.moved.connect(lambda x: self.move_gate(_rounded(x)))
        self.spin.valueChanged.connect(self._spin_moved)
        self.reset_button.clicked.connect(self._reset)
        self.save_button.clicked.connect(self.save)
        self.apply_button.clicked.connect(self.apply)

    def _enable(self, on: bool) -> None:
        for widget in (
            self.open_button,
            self.marker_box,
            self.histogram,
            self.spin,
            self.reset_button,
            self.apply_button,
        ):
            widget.setEnabled(on)
        moved = self._editor is not None and self._editor.is_moved
        self.save_button.setEnabled(on and moved)

    def _ask_for_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "A result folder")
        if chosen:
            self.open_folder(Path(chosen))

    def _adopt(self, event: Any = None) -> None:
        """Edit the gates of the folder whose cells have come into the viewer."""
        for layer in list(self._viewer.layers) if event is None else [event.value]:
            origin = layer.metadata.get(ORIGIN)
            if isinstance(origin, Origin) and origin.role == "cells":
                with notified():
                    self._edit(origin.folder)

    def _edit(self, folder: Path) -> None:
        self._editor = GateEditor(folder)
        self.folder_label.setText(folder.name)
        self.folder_label.setToolTip(str(folder))
        self._add_highlight(folder)
        for layer, origin in layers_of(self._viewer.layers, folder):
            # Phenotypes would cover the stain that gates are judged by.
            layer.visible = layer.visible and origin.painted is None
        self._enable(True)
        self.marker_box.clear()
        self.marker_box.addItems(self._editor.markers)

    def _add_highlight(self, folder: Path) -> None:
        levels = open_label_store(folder / "labels.zarr")["cells"]
        self._above = PaintedLabels(levels.levels, np.zeros(1, np.uint32))
        if self._highlight in self._viewer.layers:
            self._viewer.layers.remove(self._highlight)
        self._highlight = Labels(
            self._above.data,
            name=HIGHLIGHT,
            scale=(levels.um, levels.um),
            units="µm",
            opacity=1.0,
            colormap=CyclicLabelColormap(colors=HIGHLIGHT_COLOURS, name=HIGHLIGHT),
        )
        # Outlines leave the stain in view.
        self._highlight.contour = 1
        self._viewer.add_layer(self._highlight)

    def _show_marker(self, marker: str) -> None:
        if self._editor is None or not marker:
            return
        levels = self._editor.levels(marker)
        in_use = self._editor.in_use(marker)
        self.histogram.show_levels(levels, float(in_use["threshold"]))
        highest = float(levels[np.isfinite(levels)].max(initial=0.0)) or 1.0
        self.spin.blockSignals(True)
        self.spin.setDecimals(_decimals(highest))
        self.spin.setRange(0.0, highest)
        self.spin.setSingleStep(10.0 ** (1 - _decimals(highest)))
        self.spin.blockSignals(False)
        self._show_channel(self._editor.channel(marker))
        self._show_gate()

    def _show_channel(self, channel: str) -> None:
        """Show a marker's channel on the nuclear one, and no other."""
        assert self._editor is not None
        shown = {channel, self._editor.nucleus}
        for layer, origin in layers_of(self._viewer.layers, self._editor.folder):
            if origin.role == "channel":
                layer.visible = origin.channel in shown

    def _show_gate(self) -> None:
        """Bring line, spin box, counts and highlighted cells up to date."""
        assert self._editor is not None
        assert self._above is not None
        assert self._highlight is not None
        gate = self._editor.threshold(self.marker)
        self.histogram.show_gate(gate)
        self.spin.blockSignals(True)
        # The lowest value stands for NaN.
        decided = self._editor.is_decided(self.marker)
        self.spin.setSpecialValueText("no gate" if decided else "undecided")
        self.spin.setValue(self.spin.minimum() if np.isnan(gate) else gate)
        self.spin.blockSignals(False)
        self._above.paint(self._editor.shown_values(self.marker))
        self._highlight.refresh()
        self.counts.setText(self._editor.describe(self.marker))
        self.grade.setText(f"in use: {self._editor.describe_grade(self.marker)}")
        self.origin.setText(self._editor.describe_origin(self.marker))
        self.save_button.setEnabled(self._editor.is_moved)

    def _spin_moved(self, value: float) -> None:
        self.move_gate(value if value > self.spin.minimum() else np.nan)

    def _reset(self) -> None:
        if self._editor is not None:
            self._editor.reset(self.marker)
            self._show_gate()

    def _run_stages(self) -> Generator[str, None, str]:
        """Run in the worker; returns what a user can mend, or ``""``."""
        assert self._editor is not None
        try:
            yield from self._editor.apply()
        except MifprofileError as error:
            return str(error)
        return ""

    def _show_stage(self, stage: str) -> None:
        self.status.setText(f"{stage} …")

    def _show_outcome(self, problem: str) -> None:
        assert self._editor is not None
        if problem:
            self.status.setText("Not applied.")
            show_error(f"gates not applied: {problem}")
            return
        with notified():
            self._editor.reload()
            refresh_layers(self._viewer.layers, self._editor.folder)
            self._show_marker(self.marker)
            self.status.setText("Applied: cells, counts and report are up to date.")
            show_info(f"{self._editor.folder.name}: gates applied")

    def _finished(self) -> None:
        self._enable(True)


@contextmanager
def notified() -> Iterator[None]:
    """Turn what a user can mend into one notification."""
    try:
        yield
    except MifprofileError as error:
        show_error(str(error))


def _row(*widgets: QWidget) -> QHBoxLayout:
    layout = QHBoxLayout()
    for i, widget in enumerate(widgets):
        layout.addWidget(widget, 1 if i == 0 else 0)
    return layout


def _decimals(highest: float) -> int:
    """Decimals that tell apart some thousand levels."""
    return int(np.clip(3 - np.floor(np.log10(highest)), 0, 12))


def _rounded(level: float) -> float:
    """Round to four significant digits: a gate is read and typed by people."""
    return float(f"{level:.4g}")
