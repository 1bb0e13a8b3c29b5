"""Our weights inside Cellpose's own network class."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Self

import torch
from cellpose.resnet_torch import CPnet

from mifprofile.engines.network import NarrowNet, load_network

DEFAULT_WIDTHS = (32, 64, 128, 256)
# Cellpose 3 sums styles into an array of this length.
STYLE = 256
OUTPUTS = 3
PARTS = {
    "project": "proj",
    "first": "conv.conv_0",
    "second": "conv.conv_1",
    "third": "conv.conv_2",
    "fourth": "conv.conv_3",
}


class CellposeTwin(torch.nn.Module):
    """A network that `CellposeModel` runs as one of its own."""

    nout = OUTPUTS
    mkldnn = False
    diam_mean = torch.tensor([30.0])
    diam_labels = torch.tensor([30.0])

    def __init__(self, net: CPnet) -> None:
        super().__init__()
        self.net = net.eval()
        self.device = torch.device("cpu")

    @classmethod
    def default(cls) -> Self:
        """Cellpose's default widths; its weights cannot be had here."""
        torch.manual_seed(0)
        return cls(CPnet([2, *DEFAULT_WIDTHS], nout=OUTPUTS, sz=3))

    @classmethod
    def of_embedded(cls) -> Self:
        """The embedded model's nuclear half."""
        with as_file(files("mifprofile.engines") / "models" / "embedded.pt") as path:
            return cls(as_cellpose(load_network(path)[0]))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Flows and probability of nuclei, and a style of the length expected."""
        planes, style = self.net(x)[:2]
        return planes[:, :OUTPUTS], torch.nn.functional.pad(
            style, (0, STYLE - style.shape[1])
        )


def as_cellpose(net: NarrowNet) -> CPnet:
    """Map our network into Cellpose's class; styles are 0."""
    theirs = CPnet([net.inputs, *net.widths], nout=net.outputs, sz=3)
    theirs.style_on = False
    state = theirs.state_dict()
    for name, value in state.items():
        if ".full." in name:
            value.zero_()
    mapped = {cellpose_key(name): value for name, value in net.state_dict().items()}
    theirs.load_state_dict(state | mapped)
    return theirs.eval()


def cellpose_key(key: str) -> str:
    """Name of our weight in CPnet (its style layers have none of ours)."""
    side, *rest = key.split(".")
    if side == "output":
        return key
    level, part, *tail = rest
    styled = ".conv" if side == "up" and part in ("second", "third", "fourth") else ""
    outer = {"down": "downsample.down.res_down_", "up": "upsample.up.res_up_"}[side]
    return ".".join([f"{outer}{level}", PARTS[part] + styled, *tail])
