import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pkgutil import iter_modules

import pytest

import mifprofile
from mifprofile import viewer

HEAVY = {"pandas", "numpy", "pydantic", "torch", "zarr", "dask", "anndata", "napari"}


@pytest.mark.parametrize("module", [mifprofile, viewer])
def test_every_public_name_is_shown_and_there(module):
    assert dir(module) == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'mifprofile' has no attribute 'rum'"):
        mifprofile.rum  # noqa: B018


def test_the_version_is_the_installed_one():
    assert mifprofile.__version__ == version("mifprofile")


def test_no_submodule_can_take_the_place_of_a_name():
    modules = {module.name for module in iter_modules(mifprofile.__path__)}
    assert not modules & set(mifprofile.__all__)


def test_names_stay_after_the_stages_are_imported():
    import_module("mifprofile.stages.landscape")
    import_module("mifprofile.stages.shared_gates")
    from mifprofile import gates, landscape, run

    assert all(map(callable, (run, landscape, gates, mifprofile.open)))


def test_names_are_imported_when_asked_for():
    code = "import sys, mifprofile.viewer; dir(mifprofile); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stdout.split())


def test_a_sample_is_light_to_import():
    code = "import sys; from mifprofile import Sample; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"pandas", "torch", "zarr", "dask", "anndata", "napari", "scipy", "numba"}
    assert not heavy & set(done.stdout.split())
