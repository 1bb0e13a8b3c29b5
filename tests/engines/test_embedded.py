import numpy as np
import pytest

from mifprofile.engines import Tiling
from mifprofile.engines.embedded import looks, narrow_tiling


@pytest.mark.parametrize(
    ("shape", "tile_px", "margin_px"),
    [
        ((1, 1), 128, 32),
        ((64, 300), 384, 32),
        ((1024, 1000), 1088, 32),
        ((1025, 5), 576 + 256, 128),
        ((80_000, 10), 1024 + 256, 128),
    ],
)
def test_tiles_cover_a_slide_evenly(shape, tile_px, margin_px):
    assert narrow_tiling(shape, 1024) == Tiling(tile_px, margin_px)


def network(tiles, planes):
    """Planes that show what was seen: stain plus membrane, times the plane's number."""
    seen = tiles.sum(1, keepdims=True)
    return seen * np.arange(1, 7, dtype=np.float32)[None, planes, None, None]


def test_nuclei_are_found_without_the_membranes():
    tiles = np.full((1, 2, 1, 1), [[[[5.0]], [[10.0]]]], np.float32)
    out = looks(network, tiles, cells=True)[0, :, 0, 0]
    flow_y, flow_x, logit = 5 * 1 / 5, 5 * 2 / 5, 5 * 3
    cell_y, cell_x, inside = 15 * 4 / 5, 15 * 5 / 5, 15 * 6
    assert out.tolist() == [flow_y, flow_x, logit, cell_y, cell_x, inside]
    assert (tiles[0, 1] == 10).all()


def test_nuclei_alone():
    tiles = np.full((3, 2, 4, 4), [[[5.0]], [[10.0]]], np.float32)
    out = looks(network, tiles, cells=False)
    assert out.shape == (3, 3, 4, 4)
    assert out[2, :, 0, 0].tolist() == [5 * 1 / 5, 5 * 2 / 5, 5 * 3]
