import os
import sys
import warnings
from importlib.util import find_spec

import pytest

if find_spec("napari") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    os.environ["NAPARI_CONFIG"] = ""
    with warnings.catch_warnings():
        # Their models are made in a way that pydantic no longer likes.
        warnings.simplefilter("ignore", DeprecationWarning)
        import napari
        import napari.viewer
        import npe2  # noqa: F401


@pytest.fixture(scope="session")
def screen():
    """Ask for it before Qt starts: without a screen Qt ends the whole process."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        pytest.skip("there is no screen; run under xvfb-run")


@pytest.fixture
def viewer(screen, qtbot):
    """A napari window on a real canvas."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        window = napari.Viewer()
    yield window
    window.close()
