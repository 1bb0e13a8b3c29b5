import numpy as np
import pytest
from scipy.ndimage import binary_closing

from mifprofile.core.masks import area_mm2, close_mask
from mifprofile.core.quality import border_share, flat_light, tissue_mask

OPTIONS = {"um": 4.0, "smooth_um": 12.0, "close_um": 30.0, "min_area_um2": 10_000.0}


def slide(tissue, seed=0, glass=40.0):
    """Nuclei-like texture inside ``tissue``, flat noise outside."""
    rng = np.random.default_rng(seed)
    flat = rng.normal(glass, 1.0, tissue.shape)
    nuclei = rng.gamma(1.5, 300.0, tissue.shape)
    return np.where(tissue, nuclei + glass, flat).astype(np.float32)


def test_tissue_is_found_on_glass():
    tissue = np.zeros((120, 150), bool)
    tissue[30:90, 40:110] = True
    mask = tissue_mask(slide(tissue), **OPTIONS)
    overlap = (mask & tissue).sum() / (mask | tissue).sum()
    assert overlap > 0.85


@pytest.mark.parametrize("seed", range(3))
def test_a_field_full_of_tissue_has_no_glass(seed):
    assert tissue_mask(slide(np.ones((125, 125), bool), seed), **OPTIONS).all()


@pytest.mark.parametrize("glass", [0.0, 40.0, 4000.0])
def test_glass_alone_is_no_tissue(glass):
    noise = slide(np.zeros((125, 125), bool), glass=glass) if glass else None
    plane = np.zeros((125, 125), np.float32) if noise is None else noise
    assert not tissue_mask(plane, **OPTIONS).any()


def test_area():
    assert area_mm2(np.ones((100, 50), bool), 10.0) == pytest.approx(0.5)


def test_closing_as_scipy_has_it():
    mask = np.zeros((40, 40), bool)
    mask[10:20, 10:14] = mask[10:20, 18:30] = True
    y, x = np.mgrid[-4:5, -4:5]
    oracle = binary_closing(np.pad(mask, 9), y**2 + x**2 <= 16)[9:-9, 9:-9]
    assert (close_mask(mask, 4) == oracle).all()


def test_the_edge_is_drawn_where_the_glow_of_tissue_ends():
    y, x = np.mgrid[:150, :150]
    tissue = (y > 12) & (x > 30 + 6 * np.sin(y / 9))
    mask = tissue_mask(slide(tissue) + np.float32(60) * tissue, **OPTIONS)
    glass = (~mask & ~tissue).sum() / (~mask | ~tissue).sum()
    assert glass > 0.8


def test_a_field_within_tissue_has_tissue_on_its_border():
    mask = np.zeros((10, 10), bool)
    mask[2:8, 2:8] = True
    assert border_share(mask) == 0
    assert border_share(~mask) == 1
    mask[:, :] = True
    mask[0] = False
    assert border_share(mask) == pytest.approx(26 / 36)


def test_a_flat_bright_area_is_light_and_a_speck_is_none():
    plane = np.zeros((30, 30), np.float32)
    plane[:, :10] = plane[20, 20] = 255.0
    found = flat_light(plane, 255.0, 50)
    assert found[:, :10].all()
    assert not found[:, 10:].any()
