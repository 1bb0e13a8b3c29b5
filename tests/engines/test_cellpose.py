import sys

import numpy as np
import pytest

from mifprofile.engines import Tiling, load_segmenter
from mifprofile.errors import DependencyError, FormatError, MissingError, UsageError

torch = pytest.importorskip("torch")


@pytest.fixture
def cellpose_models(tmp_path, monkeypatch):
    pytest.importorskip("cellpose")
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    return tmp_path


def cpnet(channels=2):
    from cellpose.resnet_torch import CPnet

    torch.manual_seed(0)
    return CPnet([channels, 4, 8], 3, sz=3, diam_mean=30.0).eval()


def cpnet_file(folder):
    torch.save(cpnet().state_dict(), folder / "mine")
    return str(folder / "mine")


def test_a_cellpose_model_runs_through_its_own_network(cellpose_models):
    net = cpnet()
    segmenter = load_segmenter(cpnet_file(cellpose_models), 9.0)
    assert segmenter.um == pytest.approx(9.0 / 30.0)
    tiles = np.random.default_rng(0).random((3, 2, 64, 64), np.float32)
    images = torch.from_numpy(tiles.copy())
    images[:, 1] = 0
    with torch.inference_mode():
        expected = net(images)[0].numpy()
    out = segmenter.predict(tiles)
    np.testing.assert_allclose(out[:, :2], expected[:, :2] / 5, atol=1e-6)
    np.testing.assert_allclose(out[:, 2], expected[:, 2], atol=1e-6)


def test_what_a_cellpose_model_says_of_itself(cellpose_models):
    path = cpnet_file(cellpose_models)
    segmenter = load_segmenter(path, 9.0)
    assert segmenter.name == path
    assert segmenter.precision == "float32"
    assert (segmenter.batch, segmenter.planes) == (1, 3)
    tiling = Tiling(tile_px=640, margin_px=64)
    assert segmenter.tiling((100, 100)) == segmenter.tiling((9000, 50)) == tiling
    if not torch.cuda.is_available():
        assert segmenter.device == "cpu"


def test_a_tile_does_not_depend_on_its_company(cellpose_models):
    segmenter = load_segmenter(cpnet_file(cellpose_models), 9.0)
    tiles = np.random.default_rng(0).random((3, 2, 64, 64), np.float32)
    alone = np.concatenate([segmenter.predict(tile[None]) for tile in tiles])
    np.testing.assert_array_equal(segmenter.predict(tiles), alone)


def test_the_scale_is_what_images_were_scaled_to_in_training(cellpose_models):
    # Cellpose uses diam_mean / diameter; diam_labels is what objects measured before.
    state = cpnet().state_dict()
    state |= {"diam_mean": torch.tensor([24.0]), "diam_labels": torch.tensor([11.0])}
    torch.save(state, cellpose_models / "trained")
    segmenter = load_segmenter(str(cellpose_models / "trained"), 8.0)
    assert segmenter.um == pytest.approx(8.0 / 24.0)


def test_weights_that_lie_in_cellposes_folder_are_found_by_name(cellpose_models):
    torch.save(cpnet().state_dict(), cellpose_models / "nucleitorch_0")
    assert load_segmenter("nuclei", 8.5).um == pytest.approx(8.5 / 17)
    torch.save(cpnet().state_dict(), cellpose_models / "cyto3")
    assert load_segmenter("cyto3", 9.0).um == pytest.approx(9.0 / 30)


@pytest.mark.parametrize("precision", ["int8", "bfloat16"])
def test_cellpose_runs_in_float32_only(cellpose_models, precision):
    from mifprofile.engines.cellpose import cellpose_segmenter

    path = cpnet_file(cellpose_models)
    with pytest.raises(UsageError, match=precision):
        cellpose_segmenter(path, 9.0, precision)
    assert cellpose_segmenter(path, 9.0, "float32").precision == "float32"


def test_threads_of_a_cellpose_model(cellpose_models):
    from mifprofile.engines.cellpose import cellpose_segmenter

    before = torch.get_num_threads()
    try:
        cellpose_segmenter(cpnet_file(cellpose_models), 9.0, threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


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


@pytest.fixture
def cellpose_4(tmp_path, monkeypatch):
    """Stands for a Cellpose 4 whose torchvision does not fit its torch."""
    info = tmp_path / "lib" / "cellpose-4.2.1.1.dist-info"
    package = tmp_path / "lib" / "cellpose"
    info.mkdir(parents=True)
    package.mkdir()
    (info / "METADATA").write_text("Name: cellpose\nVersion: 4.2.1.1\n")
    (package / "__init__.py").touch()
    (package / "vit.py").write_text("raise RuntimeError('no torchvision::nms')")
    for name in [n for n in sys.modules if n.split(".")[0] == "cellpose"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path / "lib")
    return tmp_path


def test_a_cellpose_that_does_not_load(cellpose_4):
    torch.save({"W2": torch.zeros(1)}, cellpose_4 / "sam")
    with pytest.raises(DependencyError, match="torchvision that belongs to") as error:
        load_segmenter(str(cellpose_4 / "sam"), 8.0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("downsample.down.res_down_0.proj.1.weight", "a Cellpose 3 model"),
        ("encoder.cls_token", "DINO"),
    ],
)
def test_models_that_cellpose_4_cannot_run(cellpose_4, key, message):
    torch.save({key: torch.zeros(1)}, cellpose_4 / "other")
    with pytest.raises(FormatError, match=message):
        load_segmenter(str(cellpose_4 / "other"), 8.0)


def test_names_of_cellpose_3_are_refused_by_4(cellpose_4):
    with pytest.raises(UsageError, match="another version"):
        load_segmenter("cyto3", 8.0)
