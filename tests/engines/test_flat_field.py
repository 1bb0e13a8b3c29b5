import numpy as np
import pytest

from mifprofile.core.correct import FlatField
from mifprofile.engines import flat_field
from mifprofile.errors import DependencyError


def test_without_basicpy_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(flat_field, "find_spec", lambda _: None)
    with pytest.raises(DependencyError, match=r"mifprofile\[flatfield\]"):
        flat_field.basic_profile(np.ones((8, 4, 4), np.float32))


def shaded(count=30, size=64):
    """Fields of tissue under a known shading of mean 1."""
    v = np.linspace(-1, 1, size)
    shading = 1 - 0.2 * (v[:, None] ** 2 + v**2)
    tissue = 50 + np.random.default_rng(0).gamma(2.0, 100, (count, size, size))
    return (tissue * shading).astype(np.float32), shading / shading.mean()


@pytest.mark.filterwarnings("ignore")  # of packages that only this test loads
def test_basic_finds_the_shading():
    pytest.importorskip("basicpy", reason="needs the extra 'flatfield'")
    fields, shading = shaded()
    found = flat_field.basic_profile(fields)
    assert found.shape == shading.shape
    assert np.sqrt(((found / shading - 1) ** 2).mean()) < 0.05


@pytest.mark.filterwarnings("ignore")
def test_a_profile_is_applied_as_basic_applies_it():
    basicpy = pytest.importorskip("basicpy", reason="needs the extra 'flatfield'")
    fields, shading = shaded(count=3)
    profile = shading.astype(np.float32)
    basic = basicpy.BaSiC(flatfield=profile, darkfield=np.zeros_like(profile))
    ours = FlatField(profile[None], (64.0, 64.0), 0.0)
    slide = np.concatenate(fields, axis=1)
    whole = ours.apply(slide, 0, (0, 0), 1.0)
    wanted = np.concatenate(list(basic.transform(fields)), axis=1)
    np.testing.assert_allclose(whole, wanted, rtol=1e-4)
