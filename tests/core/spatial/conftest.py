import numpy as np
import pytest

from mifprofile.core.spatial import Pattern, Window


def _scatter(rng, mask, um, size):
    """Points at random in a mask, uniform within its pixels."""
    rows, cols = np.nonzero(mask)
    at = rng.integers(0, rows.size, size)
    places = np.column_stack([cols[at], rows[at]]) + rng.random((size, 2))
    return places * um


def rectangle():
    return np.ones((120, 160), bool)


def l_shape():
    mask = np.zeros((200, 200), bool)
    mask[:, :90] = True
    mask[110:, :] = True
    return mask


def two_cores():
    mask = np.zeros((180, 240), bool)
    mask[:80, :] = True
    mask[100:, :] = True
    return mask


def holes():
    mask = np.ones((200, 200), bool)
    rows, cols = np.mgrid[:200, :200]
    for row, col, radius in ((60, 60, 30), (140, 120, 40), (30, 150, 15)):
        mask[(rows - row) ** 2 + (cols - col) ** 2 < radius**2] = False
    return mask


@pytest.fixture(scope="session")
def scatter():
    return _scatter


@pytest.fixture(scope="session")
def holed():
    return Window(holes(), 4.0)


SHAPES = {"rectangle": rectangle, "l_shape": l_shape, "two_cores": two_cores}


@pytest.fixture(params=list(SHAPES))
def window(request):
    return Window(SHAPES[request.param](), 4.0)


@pytest.fixture
def clustered():
    """Two types in clusters of their own, one everywhere, in tissue with holes."""
    rng = np.random.default_rng(5)
    window = Window(holes(), 4.0)
    parents = _scatter(rng, window.mask, 4.0, 12)
    near = parents[rng.integers(0, 12, 900)] + rng.normal(0, 25, (900, 2))
    points = np.concatenate([near, _scatter(rng, window.mask, 4.0, 300)])
    types = np.repeat([0, 1, 2], [500, 400, 300])
    return Pattern.of(*points.T, types, 3, window)


def turned(pattern):
    """The same scene after a quarter turn."""
    window = pattern.window
    x, y = pattern.points.T
    height = window.mask.shape[0] * window.um
    return Pattern.of(
        height - y,
        x,
        pattern.types,
        pattern.n_types,
        Window(np.rot90(window.mask, -1).copy(), window.um),
    )


def finer(pattern):
    """The same scene on pixels of half the size."""
    mask = pattern.window.mask.repeat(2, axis=0).repeat(2, axis=1)
    window = Window(mask, pattern.window.um / 2)
    return Pattern.of(*pattern.points.T, pattern.types, pattern.n_types, window)


def shuffled(pattern):
    order = np.random.default_rng(1).permutation(len(pattern.points))
    x, y = pattern.points[order].T
    return Pattern.of(x, y, pattern.types[order], pattern.n_types, pattern.window)


@pytest.fixture(params=[turned, finer, shuffled], ids=lambda f: f.__name__)
def same_scene(request):
    return request.param
