"""The narrow Cellpose-type network of the embedded model."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from mifprofile.errors import FormatError, MissingError

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "mifprofile-narrow-2"
WIDTHS = (16, 32, 64, 128)
# Nuclear stain and membrane in; flows and logit of nuclei, then of cells, out.
INPUTS = 2
OUTPUTS = 6
WAY_OUT = "name another model, or reinstall mifprofile for the embedded one"


def _convolution(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm2d(n_in, momentum=0.05),
        nn.ReLU(inplace=True),
        nn.Conv2d(n_in, n_out, 3, padding=1),
    )


class _Stage(nn.Module):
    """Two residual pairs of pre-activated convolutions; a skip joins the first pair."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.project = nn.Sequential(
            nn.BatchNorm2d(n_in, momentum=0.05), nn.Conv2d(n_in, n_out, 1)
        )
        self.first = _convolution(n_in, n_out)
        self.second = _convolution(n_out, n_out)
        self.third = _convolution(n_out, n_out)
        self.fourth = _convolution(n_out, n_out)

    def forward(
        self, x: torch.Tensor, skip: torch.Tensor | None = None
    ) -> torch.Tensor:
        inner = self.first(x)
        if skip is not None:
            inner = inner + skip
        x = self.project(x) + self.second(inner)
        out: torch.Tensor = x + self.fourth(self.third(x))
        return out


class NarrowNet(nn.Module):
    """Residual U-Net with three of Cellpose's outputs per object, without style.

    Parameters
    ----------
    widths : tuple of int
        Channels of each level, full resolution first.
    inputs, outputs : int
        Channels in and out.

    Notes
    -----
    Computes what ``cellpose.resnet_torch.CPnet`` computes with its style off, so
    weights of either can be mapped into the other.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = WIDTHS,
        inputs: int = INPUTS,
        outputs: int = OUTPUTS,
    ) -> None:
        super().__init__()
        self.widths, self.inputs, self.outputs = tuple(widths), inputs, outputs
        inward = (inputs, *self.widths[:-1])
        outward = (*self.widths[1:], self.widths[-1])
        pairs = zip(inward, self.widths, strict=True)
        self.down = nn.ModuleList(_Stage(n_in, n_out) for n_in, n_out in pairs)
        pairs = zip(outward, self.widths, strict=True)
        self.up = nn.ModuleList(_Stage(n_in, n_out) for n_in, n_out in pairs)
        self.output = nn.Sequential(
            nn.BatchNorm2d(self.widths[0], momentum=0.05),
            nn.ReLU(inplace=True),
            nn.Conv2d(self.widths[0], outputs, 1),
        )

    @property
    def stride_px(self) -> int:
        """Height and width of the input must be multiples of this."""
        return int(2 ** (len(self.widths) - 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Predict flows and cell probability.

        Parameters
        ----------
        x : torch.Tensor
            (n, inputs, y, x), normalised; y and x multiples of `stride_px`.

        Returns
        -------
        torch.Tensor
            (n, outputs, y, x): 5 · flow along y, 5 · flow along x and the logit of
            being inside, for each kind of object.
        """
        skips: list[torch.Tensor] = []
        for level, stage in enumerate(self.down):
            skips.append(stage(functional.max_pool2d(skips[-1], 2) if level else x))
        x = self.up[-1](skips[-1], skips[-1])
        for level in range(len(self.up) - 2, -1, -1):
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = self.up[level](x, skips[level])
        out: torch.Tensor = self.output(x)
        return out


def save_network(net: NarrowNet, path: Path | str, metadata: Mapping[str, Any]) -> None:
    """Write a network's weights as float16, with what is needed to use them.

    Parameters
    ----------
    net : NarrowNet
    path : Path or str
    metadata : mapping
        Numbers, strings and lists of them only, so that reading runs no code.
    """
    state = {
        name: value.detach().cpu().half() if value.is_floating_point() else value.cpu()
        for name, value in net.state_dict().items()
    }
    content = {
        "format": FORMAT,
        "widths": list(net.widths),
        "inputs": net.inputs,
        "outputs": net.outputs,
        "metadata": dict(metadata),
        "state": state,
    }
    torch.save(content, path)


def load_network(path: Path | str) -> tuple[NarrowNet, dict[str, Any]]:
    """Read a network that `save_network` wrote.

    Parameters
    ----------
    path : Path or str

    Returns
    -------
    net : NarrowNet
        In evaluation mode, float32, on the CPU.
    metadata : dict
        As given to `save_network`.

    Raises
    ------
    MissingError
        If there is no such file.
    FormatError
        If the file is damaged or of another kind.
    """
    if not Path(path).is_file():
        raise MissingError(f"{path}: no such model file; {WAY_OUT}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        shape = content["widths"], content["inputs"], content["outputs"]
        net = NarrowNet(*shape)
        net.load_state_dict(content["state"])
        metadata = dict(content["metadata"])
    except (
        EOFError,
        KeyError,
        RuntimeError,
        TypeError,
        pickle.UnpicklingError,
    ) as error:
        raise FormatError(
            f"{path}: not a {FORMAT} model, or damaged; {WAY_OUT}"
        ) from error
    return net.eval(), metadata
