"""Models of Cellpose, versions 3 and 4, run through Cellpose's own networks."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mifprofile.errors import DependencyError, FormatError, MissingError, UsageError
from mifprofile.model import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLOW_SCALE = 5.0
# Object diameter in px to which Cellpose's own models were trained.
DIAMETER_PX = {"nuclei": 17.0}
CYTO_DIAMETER_PX = 30.0
V3_MODELS = (
    "cyto3",
    "cyto2",
    "cyto",
    "nuclei",
    "tissuenet_cp3",
    "livecell_cp3",
    "yeast_PhC_cp3",
    "yeast_BF_cp3",
    "bact_phase_cp3",
    "bact_fluor_cp3",
    "deepbacs_cp3",
    "cyto2_cp3",
)
V3_FILES = {
    "cyto": "cytotorch_0",
    "cyto2": "cyto2torch_0",
    "nuclei": "nucleitorch_0",
}
V4_MODELS = ("cpsam_v2", "cpsam")


class CellposeSegmenter:
    """Runs a Cellpose network on single tiles; a `mifprofile.engines.Segmenter`.

    The nuclear stain goes into the first channel, the others are 0.
    """

    def __init__(
        self, net: torch.nn.Module, name: str, um: float, channels: int, tile_px: int
    ) -> None:
        self.net = net.eval()
        self.name = name
        self.um = um
        self.channels = channels
        self.tile_px = tile_px
        self.margin_px = 32 if tile_px == 256 else 64

    def predict(self, tile: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `mifprofile.engines.Segmenter.predict`."""
        batch = torch.zeros((1, self.channels, *tile.shape))
        batch[0, 0] = torch.from_numpy(np.ascontiguousarray(tile, np.float32))
        with torch.inference_mode():
            out = self.net(batch)[0][0].float().numpy().copy()
        out[:2] /= FLOW_SCALE
        return np.ascontiguousarray(out[:3], np.float32)


def cellpose_segmenter(model: str, diameter_um: float) -> CellposeSegmenter:
    """Load a Cellpose model by name or path; never downloads.

    Parameters
    ----------
    model : str
        A built-in name such as ``"cyto3"`` (its file must lie in Cellpose's model
        folder already) or the path of a model file.
    diameter_um : float
        What a typical object measures; the image is scaled so that it gets the
        diameter the model was trained on.

    Raises
    ------
    DependencyError
        Cellpose is not installed.
    MissingError
        The file is not there.
    FormatError
        The file is not a model of the installed Cellpose version.
    """
    major = _major_version()
    path = _model_path(model, major)
    state = _read_state(path)
    if major >= 4:
        return _sam_segmenter(state, model, path, diameter_um)
    return _cpnet_segmenter(state, model, path, diameter_um)


def _major_version() -> int:
    try:
        return int(version("cellpose").split(".")[0])
    except PackageNotFoundError as e:
        raise DependencyError(
            "a Cellpose model was asked for but cellpose is not installed; "
            "run: pip install 'mifprofile[cellpose]'"
        ) from e


def _model_path(model: str, major: int) -> Path:
    """Where the weights lie; Cellpose itself would fall back to another model."""
    if Path(model).is_file():
        return Path(model)
    built_in = V4_MODELS if major >= 4 else V3_MODELS
    if model not in built_in:
        others = V3_MODELS if major >= 4 else V4_MODELS
        if model in others:
            raise UsageError(
                f"model {model!r} belongs to another version of Cellpose than the "
                f"installed {major}; install that version in an environment of its own"
            )
        raise MissingError(
            f"model {model!r}{nearest(model, built_in)}: no such file, nor a name that "
            f"Cellpose {major} knows ({', '.join(built_in)})"
        )
    folder = os.environ.get("CELLPOSE_LOCAL_MODELS_PATH")
    home = Path(folder) if folder else Path.home() / ".cellpose" / "models"
    path = home / V3_FILES.get(model, model)
    if not path.is_file():
        raise MissingError(
            f"{path}: the weights of Cellpose's {model!r} are not there; get them on a "
            f'machine with internet access (python -c "from cellpose import models; '
            f"models.model_path('{model}')\"), and copy the file to this place"
        )
    return path


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, OSError, UnpicklingError) as e:
        raise FormatError(f"{path}: not a file of PyTorch weights") from e
    if not isinstance(state, dict):
        raise FormatError(f"{path}: not a file of Cellpose weights")
    return {k.removeprefix("module."): v for k, v in state.items()}


def _cpnet_segmenter(
    state: dict[str, Any], model: str, path: Path, diameter_um: float
) -> CellposeSegmenter:
    from cellpose.resnet_torch import CPnet

    widths = _cpnet_widths(state, path)
    net = CPnet(widths, 3, sz=3, mkldnn=False, max_pool=True, diam_mean=30.0)
    _fill(net, state, path, 3)
    trained = float(state.get("diam_labels", state.get("diam_mean", 0.0)))
    diameter_px = DIAMETER_PX.get(model, trained or CYTO_DIAMETER_PX)
    return CellposeSegmenter(net, model, diameter_um / diameter_px, widths[0], 640)


def _cpnet_widths(state: dict[str, Any], path: Path) -> list[int]:
    """Read the channels of each level off the shapes of the projections."""
    widths: list[int] = []
    while (key := f"downsample.down.res_down_{len(widths)}.proj.1.weight") in state:
        widths.append(int(state[key].shape[0]))
    if not widths:
        raise FormatError(
            f"{path}: not a Cellpose 3 model; Cellpose 4 models need cellpose 4"
        )
    first = state["downsample.down.res_down_0.proj.1.weight"]
    return [int(first.shape[1]), *widths]


def _sam_segmenter(
    state: dict[str, Any], model: str, path: Path, diameter_um: float
) -> CellposeSegmenter:
    from cellpose.vit_sam import Transformer

    net = Transformer(dtype=torch.float32)
    _fill(net, state, path, 4)
    return CellposeSegmenter(net, model, diameter_um / CYTO_DIAMETER_PX, 3, 256)


def _fill(net: torch.nn.Module, state: dict[str, Any], path: Path, major: int) -> None:
    """Load weights; ones that are not there would silently stay random."""
    try:
        lacking = net.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as e:
        raise FormatError(f"{path}: not a Cellpose {major} model") from e
    if any(not key.startswith("diam_") for key in lacking):
        raise FormatError(f"{path}: not a Cellpose {major} model, or incomplete")
