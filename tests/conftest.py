import json
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

from mifprofile.io.config import read_panel
from mifprofile.io.results import Results
from mifprofile.io.synthetic import write_synthetic_slide
from mifprofile.panels import demo_panel_path
from mifprofile.stages import Job, run_all
from mifprofile.synthetic import SynthOptions

# The first example may have to wait for numba.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

if find_spec("hypothesis") is not None:
    from hypothesis import HealthCheck, settings

    # How long an example takes depends on what else the machine does.
    settings.register_profile(
        "tests", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("tests")

# What takes longest starts first: no process is left with it at the end.
LONGEST = ("workflow", "real", "stages", "napari")


def pytest_collection_modifyitems(items):
    """Order the folders."""
    places = {Path(__file__).parent / name: n for n, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.parent, len(places)))


@pytest.fixture(scope="session")
def panel_path():
    with demo_panel_path() as path:
        yield Path(path)


@pytest.fixture(scope="session")
def demo_panel(panel_path):
    return read_panel(panel_path)


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory):
    """Files of a small synthetic slide: 0.3 x 0.25 mm, some 400 cells."""
    folder = tmp_path_factory.mktemp("synthetic")
    options = SynthOptions(size_mm=(0.3, 0.25), seed=3, glass_margin_um=15)
    return write_synthetic_slide(folder / "slide.ome.tiff", options)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, synthetic, demo_panel):
    """The job of a finished run; tests must not change its folder."""
    results = Results(tmp_path_factory.mktemp("finished") / "sample")
    job = Job(results, demo_panel, slide=synthetic.slide, quiet=True)
    run_all(job)
    return job


@pytest.fixture(scope="session")
def draw_square():
    """Write a square, in px of the slide, as an area to exclude."""

    def draw(path, low, high):
        ring = [[low, low], [high, low], [high, high], [low, high], [low, low]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        dust = {"type": "Feature", "geometry": geometry, "properties": {"name": "dust"}}
        path.write_text(json.dumps({"type": "FeatureCollection", "features": [dust]}))
        return path

    return draw


@pytest.fixture(scope="session")
def partly_excluded(finished, tmp_path_factory, draw_square):
    """The job of a finished run of which a square of 0.2 mm is excluded."""
    root = tmp_path_factory.mktemp("partly")
    shutil.copytree(finished.results.folder, root / "sample", symlinks=True)
    drawn = draw_square(root / "drawn.geojson", 0, 400)
    job = replace(finished, results=Results(root / "sample"), exclusions=drawn)
    run_all(job)
    return job


@pytest.fixture
def copy(finished, tmp_path):
    """The job of a finished result folder that a test may change."""
    folder = tmp_path / "sample"
    shutil.copytree(finished.results.folder, folder, symlinks=True)
    return replace(finished, results=Results(folder))
