"""Models of Cellpose, versions 3 and 4, run through Cellpose's own networks."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mifprofile.engines.base import Tiling
from mifprofile.errors import DependencyError, FormatError, MissingError, UsageError
from mifprofile.model import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.options import Precision

FLOW_SCALE = 5.0
# Object diameter in px to which Cellpose's images are scaled before its networks.
DIAMETER_PX = 30.0
NUCLEI_DIAMETER_PX = 17.0
PRECISIONS = ("auto", "float32")
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
    """Runs a Cellpose network; a `mifprofile.engines.Segmenter`.

    The nuclear stain goes into the network's first channel, that of the objects to be
    found; the others are 0, as in Cellpose where one channel is given.
    """

    precision: Precision = "float32"
    batch = 1
    planes = 3

    def __init__(
        self, net: torch.nn.Module, name: str, um: float, channels: int, tile_px: int
    ) -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._net = net.eval().to(self._device)
        self._channels = channels
        self._tiling = Tiling(tile_px, 32 if tile_px == 256 else 64)
        self.name = name
        self.um = um

    @property
    def device(self) -> str:
        """See `mifprofile.engines.Segmenter.device`."""
        if self._device.type == "cuda":
            return torch.cuda.get_device_name(self._device)
        return self._device.type

    def tiling(self, shape_px: tuple[int, int]) -> Tiling:  # noqa: ARG002
        """See `mifprofile.engines.Segmenter.tiling`."""
        return self._tiling

    def predict(
        self,
        tiles: NDArray[np.float32],
        *,
        cells: bool = False,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        """See `mifprofile.engines.Segmenter.predict`."""
        return np.concatenate([self._predict_one(stain) for stain in tiles[:, 0]])

    def _predict_one(self, stain: NDArray[np.float32]) -> NDArray[np.float32]:
        image = torch.zeros((1, self._channels, *stain.shape))
        image[0, 0] = torch.from_numpy(stain)
        with torch.inference_mode():
            out = self._net(image.to(self._device))[0].cpu().numpy()
        out[:, :2] /= FLOW_SCALE
        return np.asarray(out, np.float32)


def cellpose_segmenter(
    model: str,
    diameter_um: float,
    precision: str = "auto",
    threads: int | None = None,
) -> CellposeSegmenter:
    """Load a Cellpose model by name or path; never downloads.

    Parameters
    ----------
    model : str
        A built-in name such as ``"cyto3"`` (its file must lie in Cellpose's model
        folder already) or the path of a model file.
    diameter_um : float
        What a typical object measures; the image is scaled so that it gets the
        diameter the model was trained on.
    precision : str
        ``"auto"`` or ``"float32"``, which are the same here.
    threads : int, optional
        CPU threads that torch may use; all by default.

    Raises
    ------
    DependencyError
        Cellpose is not installed, or does not load.
    MissingError
        The file is not there.
    FormatError
        The file is not a model of the installed Cellpose version.
    UsageError
        The model belongs to another version of Cellpose, or cannot run in this
        precision.
    """
    if precision not in PRECISIONS:
        raise UsageError(
            f"model {model!r} cannot run in {precision}: Cellpose's models run in "
            f"{' or '.join(PRECISIONS)} only"
        )
    major = _major_version()
    path = _model_path(model, major)
    state = _read_state(path)
    if threads is not None:
        torch.set_num_threads(threads)
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
            f"print(models.cache_model_path('{path.name}'))\"), and copy the file to "
            "this place"
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
    net = CPnet(widths, 3, sz=3, mkldnn=False, max_pool=True, diam_mean=DIAMETER_PX)
    _fill(net, state, path, 3)
    um = diameter_um / _cpnet_diameter_px(state, model, path)
    return CellposeSegmenter(net, model, um, widths[0], 640)


def _cpnet_diameter_px(state: dict[str, Any], model: str, path: Path) -> float:
    """Diameter to which Cellpose scaled objects in training.

    Not to be confused with ``diam_labels``, what they measured before.
    """
    if path.name == V3_FILES["nuclei"]:
        return NUCLEI_DIAMETER_PX
    if model in V3_MODELS:
        return DIAMETER_PX
    return float(state.get("diam_mean", DIAMETER_PX))


def _cpnet_widths(state: dict[str, Any], path: Path) -> list[int]:
    """Read the channels of each level off the shapes of the projections."""
    widths: list[int] = []
    while (key := f"downsample.down.res_down_{len(widths)}.proj.1.weight") in state:
        widths.append(int(state[key].shape[0]))
    if not widths:
        raise FormatError(
            f"{path}: not a Cellpose 3 model; Cellpose 4 models need cellpose 4, in an "
            "environment of its own"
        )
    first = state["downsample.down.res_down_0.proj.1.weight"]
    return [int(first.shape[1]), *widths]


def _sam_segmenter(
    state: dict[str, Any], model: str, path: Path, diameter_um: float
) -> CellposeSegmenter:
    if any(key.startswith("downsample.") for key in state):
        raise FormatError(
            f"{path}: a Cellpose 3 model; it needs cellpose 3, in an environment of "
            "its own"
        )
    if "encoder.cls_token" in state:
        raise FormatError(
            f"{path}: a Cellpose model with a DINO encoder; of Cellpose 4, only models "
            f"with a SAM encoder are supported, such as {V4_MODELS[0]!r}"
        )
    net = _sam_class()(dtype=torch.float32)
    _fill(net, state, path, 4)
    return CellposeSegmenter(net, model, diameter_um / DIAMETER_PX, 3, 256)


def _sam_class() -> Any:
    """Cellpose 4's network; its torchvision loads beside its own torch only."""
    try:
        from cellpose.vit import CPSAM
    except (ImportError, RuntimeError) as e:
        raise DependencyError(
            f"cellpose {version('cellpose')} does not load ({e!r}); install the "
            f"torchvision that belongs to torch {torch.__version__}, from the same "
            "index as torch, and of Cellpose 4 at least 4.2"
        ) from e
    return CPSAM


def _fill(net: torch.nn.Module, state: dict[str, Any], path: Path, major: int) -> None:
    """Load weights; ones that are not there would silently stay random."""
    try:
        lacking = net.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as e:
        raise FormatError(f"{path}: not a Cellpose {major} model") from e
    if any(not key.startswith("diam_") for key in lacking):
        raise FormatError(f"{path}: not a Cellpose {major} model, or incomplete")
