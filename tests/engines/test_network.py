import importlib
import warnings

import numpy as np
import pytest
import torch

from mifprofile.engines.embedded import MARGIN_PX
from mifprofile.engines.network import NarrowNet, load_network, save_network
from mifprofile.errors import FormatError, MissingError

NARROW = (4, 6, 8, 10)


def any_network(widths=NARROW, seed=0):
    """A network whose batch norms are not the identity."""
    torch.manual_seed(seed)
    net = NarrowNet(widths)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.3)
    return net.eval()


@pytest.fixture(scope="module")
def cellpose_twin():
    pytest.importorskip("cellpose")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cellpose's imports warn
        return importlib.import_module("benchmarks.cellpose_twin")


def test_cellpose_has_no_weights_but_ours_and_its_style(cellpose_twin):
    net = any_network()
    mapped = {cellpose_twin.cellpose_key(name) for name in net.state_dict()}
    theirs = set(cellpose_twin.as_cellpose(net).state_dict())
    assert mapped <= theirs
    left = {name for name in theirs - mapped if ".full." not in name}
    assert left == {"diam_mean", "diam_labels"}


@pytest.mark.parametrize("widths", [NARROW, (16, 32, 64, 128)])
def test_equals_cellpose(cellpose_twin, widths):
    net = any_network(widths)
    theirs = cellpose_twin.as_cellpose(net)
    x = torch.randn(2, 2, 40, 64)
    with torch.inference_mode():
        ours = net(x)
        expected, _, _ = theirs(x)
    np.testing.assert_allclose(ours.numpy(), expected.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("phase", range(8))
def test_the_margin_is_wider_than_the_networks_reach(phase):
    net = any_network((2, 2, 2, 2)).double()
    for weight in net.parameters():
        weight.detach().abs_().add_(0.1)  # so that nothing cancels or is cut off
    x = torch.rand(1, 2, 8, 320, dtype=torch.double, requires_grad=True)
    net(x)[0, :, :, 160 + phase].sum().backward()
    reached = x.grad[0].abs().sum((0, 1)).nonzero().ravel() - 160 - phase
    assert 116 < int(reached.abs().max()) < MARGIN_PX


def test_shape_and_stride():
    net = any_network()
    assert net.stride_px == 8
    with torch.inference_mode():
        assert net(torch.zeros(1, 2, 24, 32)).shape == (1, 6, 24, 32)


def test_channels_last_is_the_same():
    net = any_network()
    x = torch.randn(1, 2, 32, 32)
    with torch.inference_mode():
        plain = net(x)
        last = net.to(memory_format=torch.channels_last)(
            x.to(memory_format=torch.channels_last)
        )
    np.testing.assert_allclose(plain.numpy(), last.numpy(), rtol=1e-4, atol=1e-5)


def test_round_trip(tmp_path):
    net = any_network()
    metadata = {"pixel_size_um": 0.5, "percentiles": [1.0, 99.8]}
    save_network(net, tmp_path / "a.pt", metadata)
    again, read = load_network(tmp_path / "a.pt")
    assert read == metadata
    assert again.widths == NARROW
    assert not again.training
    x = torch.randn(1, 2, 32, 32)
    with torch.inference_mode():
        near = again(x).numpy()
        np.testing.assert_allclose(near, net(x).numpy(), rtol=0.02, atol=0.02)


def test_weights_are_stored_as_float16(tmp_path):
    save_network(any_network(), tmp_path / "a.pt", {})
    state = torch.load(tmp_path / "a.pt", weights_only=True)["state"]
    kinds = {value.dtype for value in state.values()}
    assert kinds == {torch.float16, torch.int64}


def test_missing_model_is_named(tmp_path):
    with pytest.raises(MissingError, match=r"absent\.pt: no such model file; name"):
        load_network(tmp_path / "absent.pt")


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04"])
def test_damaged_model_is_named(tmp_path, content):
    path = tmp_path / "odd.pt"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"odd\.pt: not a mifprofile-narrow-2 model"):
        load_network(path)


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {"state": {}},
        {"widths": [4, 6], "state": {}, "metadata": {}},
        {"widths": "ab", "state": {}, "metadata": {}},
    ],
)
def test_model_of_another_kind_is_named(tmp_path, content):
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(FormatError, match=r"odd\.pt"):
        load_network(tmp_path / "odd.pt")
