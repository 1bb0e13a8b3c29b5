import numpy as np
import pytest

from mifprofile.engines import load_segmenter
from mifprofile.errors import FormatError, MissingError, UsageError
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


@pytest.fixture
def cellpose_models(tmp_path, monkeypatch):
    pytest.importorskip("cellpose")
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    return tmp_path


def cpnet(channels=2):
    from cellpose.resnet_torch import CPnet

    torch.manual_seed(0)
    return CPnet([channels, 4, 8], 3, sz=3, diam_mean=30.0).eval()


def test_a_cellpose_model_runs_through_its_own_network(cellpose_models):
    net = cpnet()
    path = cellpose_models / "mine"
    torch.save(net.state_dict(), path)
    segmenter = load_segmenter(str(path), 9.0)
    assert segmenter.um == pytest.approx(9.0 / 30.0)
    tile = np.random.default_rng(0).random((64, 64), np.float32)
    with torch.inference_mode():
        both = torch.stack([torch.from_numpy(tile), torch.zeros(64, 64)])[None]
        expected = net(both)[0][0].numpy()
    out = segmenter.predict(tile)
    np.testing.assert_allclose(out[:2], expected[:2] / 5, atol=1e-6)
    np.testing.assert_allclose(out[2], expected[2], atol=1e-6)


def test_weights_that_lie_in_cellposes_folder_are_found_by_name(cellpose_models):
    torch.save(cpnet().state_dict(), cellpose_models / "nucleitorch_0")
    assert load_segmenter("nuclei", 8.5).um == pytest.approx(8.5 / 17)


def test_missing_weights_are_never_downloaded(cellpose_models):
    with pytest.raises(MissingError, match=r"cyto3.*copy the file"):
        load_segmenter("cyto3", 8.0)
    assert not list(cellpose_models.iterdir())


@pytest.mark.parametrize("name", ["cyto33", "weights/none"])
def test_an_unknown_model_is_no_other_model(cellpose_models, name):
    with pytest.raises(MissingError, match="no such file, nor a name"):
        load_segmenter(name, 8.0)


def test_a_model_of_another_cellpose_is_refused(cellpose_models):
    with pytest.raises(UsageError, match="another version"):
        load_segmenter("cpsam_v2", 8.0)


@pytest.mark.parametrize("content", [b"", b"no weights at all"])
def test_a_file_that_is_no_model(cellpose_models, content):
    path = cellpose_models / "broken"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="broken"):
        load_segmenter(str(path), 8.0)


def test_incomplete_weights_are_refused(cellpose_models):
    state = cpnet().state_dict()
    state.pop("output.2.weight")
    torch.save(state, cellpose_models / "half")
    with pytest.raises(FormatError, match="incomplete"):
        load_segmenter(str(cellpose_models / "half"), 8.0)


def test_weights_that_run_code_are_not_read(cellpose_models):
    class Evil:
        def __reduce__(self):
            return (open, (str(cellpose_models / "ran"), "w"))

    torch.save({"x": Evil()}, cellpose_models / "evil")
    with pytest.raises(FormatError):
        load_segmenter(str(cellpose_models / "evil"), 8.0)
    assert not (cellpose_models / "ran").exists()
