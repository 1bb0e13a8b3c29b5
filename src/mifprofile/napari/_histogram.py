"""A histogram on which a gate is moved with the mouse."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPalette, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from mifprofile.viewer import from_scale, to_scale, unit_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtGui import QMouseEvent, QPaintEvent

BINS = 96
ABOVE = QColor(255, 235, 60)
BELOW = QColor(125, 135, 150)
MARGIN_PX = 12
AXIS_PX = 34
TOP_PX = 8


class GateHistogram(QWidget):
    """Levels of all cells on a logarithmic axis, with the gate as a line.

    Heights are square roots of the counts, so that a rare population is seen beside a
    common one. The gate in use is a dashed line, the moved one a solid line; a click
    or a drag moves it.
    """

    moved = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumSize(260, 230)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setToolTip(
            "Cells by level; heights are square roots of the counts. "
            "Click or drag to move the gate; dashed: the gate in use."
        )
        self._counts = np.zeros(BINS)
        self._edges = np.linspace(0.0, 1.0, BINS + 1)
        self._unit = 1.0
        self._gate = self._in_use = np.nan

    def show_levels(self, levels: NDArray[np.float64], in_use: float) -> None:
        """Show a marker's levels and the gate that is in use."""
        self._unit = unit_of(levels)
        self._counts, self._edges = log_histogram(levels, self._unit)
        self._gate = self._in_use = in_use
        self.update()

    def show_gate(self, gate: float) -> None:
        """Move the line; NaN hides it."""
        self._gate = gate
        self.update()

    def level_at(self, x_px: float) -> float:
        """Level under a place of the widget, within the range of the levels."""
        share = (x_px - MARGIN_PX) / max(self.width() - 2 * MARGIN_PX, 1)
        low, high = self._edges[0], self._edges[-1]
        scaled = low + np.clip(share, 0, 1) * (high - low)
        return float(from_scale(scaled, self._unit))

    def x_of(self, level: float) -> float:
        """Place of a level, px from the widget's left edge."""
        low, high = self._edges[0], self._edges[-1]
        scaled = float(to_scale(np.array(level), self._unit))
        share = (scaled - low) / (high - low)
        return float(MARGIN_PX + share * (self.width() - 2 * MARGIN_PX))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Move the gate to where the mouse is."""
        self.moved.emit(self.level_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the gate; Qt asks only while a button is down."""
        self.moved.emit(self.level_at(event.position().x()))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        """Draw bars, axis and gates."""
        painter = QPainter(self)
        self._draw_bars(painter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_axis(painter)
        text = self.palette().color(QPalette.ColorRole.WindowText)
        self._draw_gate(painter, self._in_use, QPen(text, 1, Qt.PenStyle.DashLine))
        self._draw_gate(painter, self._gate, QPen(ABOVE, 2))
        painter.end()

    def _draw_bars(self, painter: QPainter) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        bottom = self.height() - AXIS_PX
        tallest = max(np.sqrt(self._counts.max()), 1.0)
        levels = from_scale(self._edges, self._unit)
        left = np.array([self.x_of(level) for level in levels])
        heights = np.sqrt(self._counts) / tallest * (bottom - TOP_PX)
        gate = np.inf if np.isnan(self._gate) else self.x_of(self._gate)
        for x0, x1, height in zip(left, left[1:], heights, strict=False):
            cut = float(np.clip(gate, x0, x1))
            for start, end, colour in ((x0, cut, BELOW), (cut, x1, ABOVE)):
                bar = QRectF(start, bottom - height, max(end - start, 0.0), height)
                painter.fillRect(bar, colour)

    def _draw_axis(self, painter: QPainter) -> None:
        text = self.palette().color(QPalette.ColorRole.WindowText)
        painter.setPen(QPen(text, 1))
        bottom = self.height() - AXIS_PX
        painter.drawLine(
            QPointF(MARGIN_PX, bottom), QPointF(self.width() - MARGIN_PX, bottom)
        )
        for level in self._ticks():
            x = self.x_of(level)
            painter.drawLine(QPointF(x, bottom), QPointF(x, bottom + 4))
            box = QRectF(x - 30, bottom + 5, 60, 14)
            painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, f"{level:g}")
        box = QRectF(0, bottom + 18, self.width(), 16)
        painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, "level (log scale)")

    def _ticks(self) -> list[float]:
        """Round levels whose labels do not meet."""
        lowest, highest = from_scale(self._edges[[0, -1]], self._unit)
        first, last = (math.floor(math.log10(x)) for x in (self._unit, highest))
        round_levels = [
            float(f"{k}e{p}") for p in range(first, last + 1) for k in (1, 2, 5)
        ]
        kept: list[float] = []
        for level in round_levels:
            inside = lowest <= level <= highest
            if inside and (not kept or self.x_of(level) - self.x_of(kept[-1]) > 44):
                kept.append(level)
        return kept

    def _draw_gate(self, painter: QPainter, gate: float, pen: QPen) -> None:
        if np.isnan(gate):
            return
        painter.setPen(pen)
        x = self.x_of(gate)
        painter.drawLine(QPointF(x, 0), QPointF(x, self.height() - AXIS_PX))


def log_histogram(
    levels: NDArray[np.float64], unit: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts per bin, and the bins' edges on `to_scale`; negative levels are 0."""
    scaled = to_scale(levels[np.isfinite(levels)], unit)
    low, high = (scaled.min(), scaled.max()) if scaled.size else (0.0, 0.0)
    counts, edges = np.histogram(scaled, BINS, (low, high if high > low else low + 1))
    return counts.astype(float), edges
