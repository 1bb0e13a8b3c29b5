import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from npe2 import PluginManifest

HEAVY = ("pandas", "numpy", "torch", "zarr", "dask", "matplotlib", "napari")


def test_the_manifest_is_valid_and_its_names_exist():
    manifest = PluginManifest.from_distribution("mifprofile")
    manifest.validate_imports()
    assert {c.id for c in manifest.contributions.commands} == {
        "mifprofile.open_results",
        "mifprofile.gates",
    }


def test_the_entry_point_names_the_manifest():
    (found,) = entry_points(group="napari.manifest", name="mifprofile")
    assert found.value == "mifprofile.napari:napari.yaml"


@pytest.mark.parametrize("name", ["mifprofile", "mifprofile.napari"])
def test_finding_the_manifest_imports_nothing_heavy(name):
    code = f"import sys, {name}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not set(HEAVY) & set(done.stdout.split())
