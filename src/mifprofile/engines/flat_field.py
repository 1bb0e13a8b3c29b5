"""Flat-field profiles by BaSiC (Peng et al., Nature Communications 8:14836, 2017)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.errors import DependencyError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def require_basic() -> None:
    """Raise DependencyError unless BaSiCPy is installed."""
    if find_spec("basicpy") is None:
        raise DependencyError(
            "correct.flat_field: basic was asked for but BaSiCPy is not installed; "
            "run: pip install 'mifprofile[flatfield]', or use 'quartile'"
        )


def basic_profile(fields: NDArray[np.float32]) -> NDArray[np.float32]:
    """Flat-field of one channel from fields all over the slide.

    Parameters
    ----------
    fields : (n, h, w) float32 array
        Light above the camera's dark level.

    Returns
    -------
    (h, w) float32 array
        Mean about 1.

    Raises
    ------
    DependencyError
        BaSiCPy is not installed.
    """
    require_basic()
    from basicpy import BaSiC

    basic = BaSiC(get_darkfield=False, device="cpu", working_size=fields.shape[-1])
    basic.fit(fields)
    return np.asarray(basic.flatfield, np.float32)
