import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import mifprofile.engines as engines
from mifprofile.core.segment import ObjectRules, segment_nuclei
from mifprofile.engines import Segmenter, load_segmenter
from mifprofile.engines.embedded import MARGIN_PX
from mifprofile.errors import DependencyError, FormatError, UsageError
from mifprofile.options import SegmentOptions
from mifprofile.synthetic import nuclei_field

torch = pytest.importorskip("torch")

SHIPPED = Path(engines.__file__).parent / "models" / "embedded.pt"
needs_openvino = pytest.mark.skipif(
    find_spec("openvino") is None, reason="openvino is not installed"
)
PRECISIONS = ["float32", pytest.param("int8", marks=needs_openvino)]


@pytest.fixture(scope="module", params=PRECISIONS)
def embedded(request):
    return load_segmenter("embedded", 8.0, request.param)


@pytest.fixture
def without_gpu(monkeypatch):
    monkeypatch.setattr(engines, "_has_gpu", lambda: False)


@pytest.fixture
def without_openvino(monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: None)


@pytest.fixture
def torch_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def field_tiles(size=256, n=1, seed=0):
    """Tiles of a generated picture of nuclei, without membrane, and their labels."""
    rng = np.random.default_rng(seed)
    fields = [nuclei_field(rng, (size, size)) for _ in range(n)]
    tiles = np.zeros((n, 2, size, size), np.float32)
    for tile, (image, _) in zip(tiles, fields, strict=True):
        low, high = np.percentile(image, (1, 99.8))
        tile[0] = (image - low) / (high - low)
    return tiles, np.stack([labels for _, labels in fields])


def nuclei_of(planes, um):
    """Nuclei as the segmentation stage finds them."""
    options = SegmentOptions()
    rules = ObjectRules.at(
        um,
        cell_probability=options.cell_probability,
        flow_error=options.flow_error,
        min_contrast=0.0,
        min_area_um2=options.min_nucleus_um2,
        max_area_um2=options.max_nucleus_um2,
    )
    return segment_nuclei(planes[:2], planes[2], rules)[0]


def average_precision(a, b, iou):
    """Objects of both that overlap so much, among all objects."""
    pairs, shared = np.unique(
        np.stack([a, b])[:, (a > 0) & (b > 0)], axis=1, return_counts=True
    )
    union = np.bincount(a.ravel())[pairs[0]] + np.bincount(b.ravel())[pairs[1]] - shared
    hits = (shared >= iou * union).sum()
    return hits / (a.max() + b.max() - hits)


def test_what_the_model_says_of_itself(embedded: Segmenter, request):
    assert embedded.name == "embedded"
    assert embedded.um == 0.5
    assert embedded.planes == 6
    assert embedded.precision in request.node.name
    if embedded.device == "cpu":
        assert embedded.batch == 1


def test_the_embedded_model_sees_nuclei(embedded):
    tiles, labels = field_tiles()
    out = embedded.predict(tiles)
    assert out.shape == (1, 3, 256, 256)
    assert out.dtype == np.float32
    found = out[:, 2] > 0
    overlap = (found & (labels > 0)).sum() / (found | (labels > 0)).sum()
    assert overlap > 0.7
    flow = np.hypot(out[:, 0], out[:, 1])[found & (labels > 0)]
    assert 0.7 < np.median(flow) < 1.2


def test_membranes_do_not_change_the_nuclei(embedded):
    tiles, _ = field_tiles()
    seen = tiles.copy()
    seen[:, 1] = tiles[:, 0, ::-1]
    nuclei = embedded.predict(tiles)
    blind, both = (embedded.predict(t, cells=True) for t in (tiles, seen))
    np.testing.assert_array_equal(both[:, :3], nuclei)
    np.testing.assert_array_equal(blind[:, :3], nuclei)
    assert np.abs(both[:, 3:] - blind[:, 3:]).max() > 0.1


def test_a_tile_gives_the_same_alone_and_in_company(embedded):
    tiles, _ = field_tiles(n=3)
    together = embedded.predict(tiles)
    for tile, out in zip(tiles, together, strict=True):
        np.testing.assert_array_equal(embedded.predict(tile[None])[0], out)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_threads_do_not_change_the_result(precision, torch_threads):
    tiles, _ = field_tiles(320)
    outputs = [
        load_segmenter("embedded", 8.0, precision, threads).predict(tiles)
        for threads in (1, 2, 4)
    ]
    for out in outputs[1:]:
        np.testing.assert_array_equal(out, outputs[0])


def test_what_is_kept_does_not_depend_on_the_tile(embedded):
    tiles, _ = field_tiles(448)
    margin, shift = MARGIN_PX, 64
    wide = embedded.predict(tiles)
    narrow = embedded.predict(np.ascontiguousarray(tiles[..., shift:, shift:]))
    inner = slice(margin, -margin)
    moved = slice(shift + margin, -margin)
    np.testing.assert_allclose(
        narrow[..., inner, inner], wide[..., moved, moved], rtol=0, atol=1e-4
    )


def test_tiles_of_large_slides_keep_the_reach_off(embedded):
    tiling = embedded.tiling((90_000, 90_001))
    assert tiling.margin_px == MARGIN_PX
    assert tiling.tile_px % 64 == 0


@needs_openvino
def test_int8_finds_the_nuclei_that_float32_finds():
    tiles, labels = field_tiles(512, seed=4)
    found = {
        precision: nuclei_of(
            load_segmenter("embedded", 8.0, precision).predict(tiles)[0], 0.5
        )
        for precision in ("float32", "int8")
    }
    assert found["float32"].max() > 50
    assert average_precision(found["float32"], found["int8"], 0.75) > 0.9
    loss = [average_precision(labels[0], nuclei, 0.5) for nuclei in found.values()]
    assert loss[1] > loss[0] - 0.03


@needs_openvino
def test_int8_needs_neither_torch_nor_the_network():
    code = """
import sys, numpy as np
from mifprofile.engines import load_segmenter
load_segmenter("embedded", 8.0, "int8").predict(np.zeros((1, 2, 64, 64), np.float32))
assert "torch" not in sys.modules
assert not sys.modules["openvino_telemetry"]
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@needs_openvino
def test_int8_is_chosen_where_openvino_is_installed(without_gpu):
    assert load_segmenter("embedded", 8.0).precision == "int8"


def test_float32_is_chosen_where_it_is_not(without_gpu, without_openvino):
    assert load_segmenter("embedded", 8.0).precision == "float32"


def test_float32_is_chosen_where_there_is_no_int8_file(without_gpu, tmp_path):
    shutil.copy(SHIPPED, tmp_path / "own.pt")
    segmenter = load_segmenter(str(tmp_path / "own.pt"), 8.0)
    assert segmenter.precision == "float32"
    assert segmenter.name == str(tmp_path / "own.pt")


def test_int8_without_openvino(without_openvino):
    with pytest.raises(DependencyError, match=r"pip install 'mifprofile\[openvino\]'"):
        load_segmenter("embedded", 8.0, "int8")


@pytest.mark.parametrize("name", ["own.pt", "cyto3", ""])
def test_int8_without_an_int8_file(name, tmp_path, monkeypatch):
    shutil.copy(SHIPPED, tmp_path / "own.pt")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"cannot run in int8: there is no \.xml"):
        load_segmenter(name, 8.0, "int8")


def test_bfloat16_without_a_gpu(without_gpu):
    with pytest.raises(UsageError, match="needs a GPU"):
        load_segmenter("embedded", 8.0, "bfloat16")


@pytest.fixture
def own_int8(tmp_path):
    for suffix in (".pt", ".xml", ".bin"):
        shutil.copy(SHIPPED.with_suffix(suffix), tmp_path / f"own{suffix}")
    return tmp_path / "own.pt"


@needs_openvino
def test_an_int8_file_of_our_own(own_int8):
    segmenter = load_segmenter(str(own_int8), 8.0, "int8")
    assert segmenter.name == str(own_int8)
    assert segmenter.um == 0.5


@needs_openvino
def test_an_int8_file_made_from_other_weights(own_int8):
    from mifprofile.engines.network import NarrowNet, save_network

    save_network(NarrowNet(), own_int8, {"pixel_size_um": 0.5})
    with pytest.raises(FormatError, match=r"own\.xml: made from other weights"):
        load_segmenter(str(own_int8), 8.0, "int8")


@needs_openvino
@pytest.mark.parametrize(
    "damage",
    [
        lambda xml: xml.write_text("no model"),
        lambda xml: xml.write_text(xml.read_text()[:5000]),
        lambda xml: xml.write_text(xml.read_text().replace("weights_sha256", "odd")),
        lambda xml: xml.with_suffix(".bin").unlink(),
    ],
)
def test_a_damaged_int8_file_is_named(own_int8, damage):
    damage(own_int8.with_suffix(".xml"))
    with pytest.raises(FormatError, match=r"own\.xml: not a model that training"):
        load_segmenter(str(own_int8), 8.0, "int8")


def test_bfloat16_is_near_float32():
    from mifprofile.engines.embedded_torch import TorchSegmenter
    from mifprofile.engines.network import load_network

    net, _ = load_network(SHIPPED)
    tiles, _ = field_tiles(128)
    half = TorchSegmenter(net, "half", 0.5, half=True)
    assert half.precision == "bfloat16"
    out = half.predict(tiles)
    assert out.dtype == np.float32
    near = TorchSegmenter(net, "full", 0.5).predict(tiles)
    assert ((out[0, 2] > 0) == (near[0, 2] > 0)).mean() > 0.97


def test_a_path_to_a_model_of_our_own(tmp_path):
    from mifprofile.engines.network import NarrowNet, save_network

    path = tmp_path / "own.pt"
    save_network(NarrowNet((4, 8)), path, {"pixel_size_um": 0.4})
    segmenter = load_segmenter(str(path), 8.0)
    assert segmenter.um == 0.4
    assert segmenter.name == str(path)
