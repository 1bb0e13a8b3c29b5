import numpy as np
import pytest

from mifprofile.engines import load_segmenter
from mifprofile.testing import nuclei_field

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def embedded():
    return load_segmenter("embedded", 8.0, "float32")


def field_tiles(size=256, n=1, seed=0):
    """Tiles of a generated picture of nuclei, without membrane, and their labels."""
    rng = np.random.default_rng(seed)
    fields = [nuclei_field(rng, (size, size)) for _ in range(n)]
    tiles = np.zeros((n, 2, size, size), np.float32)
    for tile, (image, _) in zip(tiles, fields, strict=True):
        low, high = np.percentile(image, (1, 99.8))
        tile[0] = (image - low) / (high - low)
    return tiles, np.stack([labels for _, labels in fields])


def test_the_embedded_model_sees_nuclei(embedded):
    tiles, labels = field_tiles()
    out = embedded.predict(tiles)
    assert out.shape == (1, 6, 256, 256)
    assert out.dtype == np.float32
    found = out[:, 2] > 0
    overlap = (found & (labels > 0)).sum() / (found | (labels > 0)).sum()
    assert overlap > 0.7
    flow = np.hypot(out[:, 0], out[:, 1])[found & (labels > 0)]
    assert 0.7 < np.median(flow) < 1.2


def test_a_tile_gives_the_same_alone_and_in_company(embedded):
    tiles, _ = field_tiles(n=3)
    together = embedded.predict(tiles)
    for tile, out in zip(tiles, together, strict=True):
        np.testing.assert_array_equal(embedded.predict(tile[None])[0], out)


@pytest.mark.parametrize(
    ("shape", "edge"), [((1, 1), 320), ((64, 300), 576), ((90_000, 90_001), None)]
)
def test_small_slides_have_small_tiles(embedded, shape, edge):
    tile = embedded.tile_px(shape)
    assert tile == (edge or embedded.tile_px((80_000, 10)))
    assert tile % 64 == 0


def test_a_path_to_a_model_of_our_own(tmp_path):
    from mifprofile.engines.network import NarrowNet, save_network

    path = tmp_path / "own.pt"
    save_network(NarrowNet((4, 8)), path, {"pixel_size_um": 0.4})
    segmenter = load_segmenter(str(path), 8.0)
    assert segmenter.um == 0.4
    assert segmenter.name == str(path)
