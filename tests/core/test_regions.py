import numpy as np
import pytest

from mifprofile.core.landscape import GLASS, OUTSIDE, STROMA, TUMOUR
from mifprofile.core.landscape.regions import interface_bands, invasive_margin


@pytest.fixture
def stripe():
    """Columns of 10 µm: 20 of glass, 20 of tumour, 60 of stroma, 150 outside."""
    out = np.full((250, 250), OUTSIDE, np.uint8)
    out[:, :20], out[:, 20:40], out[:, 40:100] = GLASS, TUMOUR, STROMA
    return out


def test_bands_tile_the_tissue_around_the_nests(stripe):
    bands = interface_bands(stripe, 10.0, (10.0, 30.0))
    columns = {name: np.flatnonzero(mask[0]).tolist() for name, mask in bands.items()}
    assert columns["interface_0_10_um"] == [40]
    assert columns["interface_10_30_um"] == [41, 42]
    assert columns["distal"] == list(range(43, 250))
    total = sum(mask.astype(int) for mask in bands.values())
    np.testing.assert_array_equal(total, (stripe != GLASS) & (stripe != TUMOUR))


def test_without_nests_there_are_no_bands(stripe):
    stripe[stripe == TUMOUR] = STROMA
    bands = interface_bands(stripe, 10.0, (10.0, 30.0))
    assert not any(mask.any() for mask in bands.values())


def test_the_margin_lies_on_both_sides_of_the_bed(stripe):
    zone, visible_mm = invasive_margin(stripe, 10.0, 500.0)
    assert np.flatnonzero(zone[100]).tolist() == list(range(50, 150))
    assert visible_mm == pytest.approx(2.5)


def test_an_edge_of_glass_is_no_margin(stripe):
    stripe[stripe == OUTSIDE] = GLASS
    zone, visible_mm = invasive_margin(stripe, 10.0, 500.0)
    assert not zone.any()
    assert visible_mm == 0


def test_the_margin_on_a_finer_map_is_the_same(stripe):
    fine = np.repeat(np.repeat(stripe, 5, axis=0), 5, axis=1)
    zone, visible_mm = invasive_margin(fine, 2.0, 500.0)
    assert np.flatnonzero(zone[500]).tolist() == list(range(250, 750))
    assert visible_mm == pytest.approx(2.5)
