import numpy as np
import pytest

from mifprofile.core.quality import background_excess, find_folds

UM = 4.0
OPTIONS = {"um": UM, "limit": 2.5, "min_area_um2": 5000.0}
SHAPE = (200, 240)
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]]


def band(length_um, width_um, angle=0.5, bend_um=0.0, at=(100, 120)):
    """A straight or bent band, its ends cut off square."""
    y, x = (Y - at[0]) * UM, (X - at[1]) * UM
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    across = across - bend_um * (2 * along / length_um) ** 2
    return (abs(along) <= length_um / 2) & (abs(across) <= width_um / 2)


def disc(radius_um, at=(100, 120)):
    return np.hypot(Y - at[0], X - at[1]) * UM <= radius_um


def vessels():
    """Three narrow arms of one length that meet."""
    return np.any([band(400, 40, angle) for angle in (0.2, 1.25, 2.3)], axis=0)


def found(high, nuclei=None, seed=0):
    """Folds where a marker is high, and the nuclei too unless told otherwise."""
    rng = np.random.default_rng(seed)
    marker = rng.gamma(30, 3, SHAPE) * np.where(high, 4.0, 1.0)
    where = high if nuclei is None else nuclei
    stain = rng.gamma(30, 10, SHAPE) * np.where(where, 2.0, 1.0)
    tissue = np.ones(SHAPE, bool)
    excess = background_excess(marker.astype(np.float32), tissue, UM)
    folds = find_folds(stain.astype(np.float32), excess, tissue, **OPTIONS)
    union = (folds | high).sum()
    return float((folds & high).sum() / union), float(folds.mean())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "high",
    [band(500, 30), band(400, 60), band(500, 40, bend_um=60.0), band(900, 40, 0.0)],
    ids=["narrow", "broad", "bent", "from border to border"],
)
def test_bands_of_doubled_light_are_folds(high, seed):
    assert found(high, seed=seed)[0] > 0.7


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "high",
    [
        disc(45),
        band(150, 60),
        vessels(),
        disc(150, at=(100, -28)),
        disc(150, at=(218, 258)),
    ],
    ids=["cluster", "long cluster", "vessels", "rim of a nest", "corner of a nest"],
)
def test_clusters_vessels_and_rims_are_none(high, seed):
    assert found(high, seed=seed)[1] == 0


def test_a_stained_band_without_more_nuclei_is_none():
    high = band(500, 40)
    assert found(high)[1] > 0
    assert found(high, nuclei=np.zeros(SHAPE, bool))[1] == 0


def test_a_fold_goes_on_beyond_a_gap_in_line_with_it():
    long, rest = band(400, 40, 0.0, at=(100, 90)), band(140, 40, 0.0, at=(100, 175))
    assert found(long | rest)[0] > 0.7
    assert found(rest)[1] == 0
    beside = band(140, 40, 0.0, at=(150, 90))
    share = found(long | beside)[0]
    assert share == pytest.approx(long.sum() / (long | beside).sum(), abs=0.1)
