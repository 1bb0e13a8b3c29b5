"""Cellpose 4's network with random weights, since its own cannot be fetched here."""

import shutil

import pytest
import torch

LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
# What torchvision registers in Python for operators that its binary part defines.
OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def register_operators():
    """Name torchvision's operators where its binary part does not fit torch's."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for operator in OPERATORS:
            LIBRARY.define(operator)


register_operators()


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A file ``cpsam_v2``; in half precision, which takes 0.6 GB."""
    from cellpose.vit import CPSAM

    torch.manual_seed(0)
    state = CPSAM().state_dict()
    folder = tmp_path_factory.mktemp("models")
    path = folder / "cpsam_v2"
    torch.save({key: value.bfloat16() for key, value in state.items()}, path)
    yield path
    shutil.rmtree(folder)


@pytest.fixture
def models(weights, monkeypatch):
    """The folder in which Cellpose looks for its models."""
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(weights.parent))
    return weights.parent
