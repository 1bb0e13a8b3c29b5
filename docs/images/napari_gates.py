"""Make ``napari_gates.png`` from a finished result folder, on a screen or under Xvfb.

mifprofile demo -o demo
xvfb-run -a -s "-screen 0 1280x1024x24" python docs/images/napari_gates.py demo/results
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

TARGET = Path(__file__).with_suffix(".png")
CENTRE_UM = (480.0, 560.0)
ZOOM = 4.5
COLOURS = 160


def main(folder: Path) -> None:
    """Open the folder, move the gate of CD8, and take the picture."""
    viewer = napari.Viewer()
    viewer.window.resize(1260, 860)
    viewer.open(str(folder), plugin="mifprofile")
    _, gates = viewer.window.add_plugin_dock_widget("mifprofile", "Gates")
    viewer.scene.camera.center = CENTRE_UM
    viewer.scene.camera.zoom = ZOOM
    gates.author.setText("a. pathologist")
    gates.note.setText("dim CD8+ cells in the nests")
    gates.histogram.moved.emit(800.0)
    settle()
    viewer.screenshot(str(TARGET), canvas_only=False, flash=False)
    # Few colours keep the file small.
    Image.open(TARGET).convert("RGB").quantize(COLOURS).save(TARGET, optimize=True)


def settle() -> None:
    """Let the window draw what has changed."""
    for _ in range(20):
        QApplication.processEvents()
        time.sleep(0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
