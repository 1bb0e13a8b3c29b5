import numpy as np
import pytest

from mifprofile.engines import load_segmenter
from mifprofile.testing import nuclei_field

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def embedded():
    return load_segmenter("embedded", 8.0)


def test_the_embedded_model_sees_nuclei(embedded):
    size = embedded.tile_px
    image, labels = nuclei_field(np.random.default_rng(0), (size, size))
    low, high = np.percentile(image, (1, 99.8))
    out = embedded.predict(((image - low) / (high - low)).astype(np.float32))
    assert out.shape == (3, size, size)
    assert out.dtype == np.float32
    found = out[2] > 0
    overlap = (found & (labels > 0)).sum() / (found | (labels > 0)).sum()
    assert overlap > 0.7


def test_predictions_repeat_to_the_last_bit(embedded):
    tile = np.random.default_rng(1).random((640, 640), np.float32)
    assert (embedded.predict(tile) == embedded.predict(tile)).all()


def test_a_path_to_a_model_of_our_own(tmp_path):
    from mifprofile.engines.network import NarrowNet, save_network

    path = tmp_path / "own.pt"
    save_network(NarrowNet((4, 8)), path, {"pixel_size_um": 0.4})
    segmenter = load_segmenter(str(path), 8.0)
    assert segmenter.um == 0.4
    assert segmenter.name == str(path)
