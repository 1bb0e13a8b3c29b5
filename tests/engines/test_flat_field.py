import numpy as np
import pytest

from mifprofile.engines import flat_field
from mifprofile.errors import DependencyError


def test_without_basicpy_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(flat_field, "find_spec", lambda _: None)
    with pytest.raises(DependencyError, match=r"mifprofile\[flatfield\]"):
        flat_field.basic_profile(np.ones((8, 4, 4), np.float32))


@pytest.mark.filterwarnings("ignore")  # of packages that only this test loads
def test_basic_finds_the_shading():
    pytest.importorskip("basicpy", reason="needs the extra 'flatfield'")
    v = np.linspace(-1, 1, 64)
    shading = 1 - 0.2 * (v[:, None] ** 2 + v**2)
    tissue = 50 + np.random.default_rng(0).gamma(2.0, 100, (30, 64, 64))
    found = flat_field.basic_profile((tissue * shading).astype(np.float32))
    assert found.shape == (64, 64)
    np.testing.assert_allclose(found, shading / shading.mean(), atol=0.08)
