"""Mixing matrices: which channel sees which fluorophore."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mifprofile.errors import UsageError
from mifprofile.model import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

# Unmixing multiplies noise by up to this; beyond it, channels cannot be told apart.
MAX_CONDITION = 100.0


def mixing_matrix(
    table: pd.DataFrame, channel_names: Sequence[str], source: str
) -> NDArray[np.float64]:
    """Mixing matrix over all channels of an image.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows are observed channels, columns fluorophores; both carry the same channel
        names. The diagonal is 1. Channels that are not named mix with none.
    channel_names : sequence of str
        Channels of the image, in order.
    source : str
        Named in errors.

    Returns
    -------
    (c, c) float64 array

    Raises
    ------
    UsageError
        Not square, unknown channels, a diagonal other than 1, a share that is negative
        or no number, or channels that cannot be told apart.
    """
    rows, columns = [str(n) for n in table.index], [str(n) for n in table.columns]
    _check_names(rows, columns, channel_names, source)
    shares = table.set_axis(rows).set_axis(columns, axis=1).loc[rows, rows].to_numpy()
    _check_shares(shares, source)
    matrix = np.eye(len(channel_names))
    at = [list(channel_names).index(name) for name in rows]
    matrix[np.ix_(at, at)] = shares
    return _invertible(matrix, source)


def bleed_through_matrix(
    shares: Mapping[str, Mapping[str, float]], channel_names: Sequence[str], source: str
) -> NDArray[np.float64]:
    """Mixing matrix of shares by the channel that shines and the channel that sees it.

    Raises
    ------
    UsageError
        An unknown channel, or channels that cannot be told apart.
    """
    matrix = np.eye(len(channel_names))
    for shining, seen in shares.items():
        for seeing, share in seen.items():
            _check_known([shining, seeing], channel_names, source)
            if shining == seeing:
                raise UsageError(f"{source}: {shining!r} cannot bleed into itself")
            at = [list(channel_names).index(name) for name in (seeing, shining)]
            matrix[at[0], at[1]] = share
    return _invertible(matrix, source)


def _check_names(
    rows: Sequence[str],
    columns: Sequence[str],
    channel_names: Sequence[str],
    source: str,
) -> None:
    if len(rows) != len(columns):
        raise UsageError(
            f"{source}: {len(rows)} channels but {len(columns)} fluorophores; the "
            "matrix must be square, a row and a column per channel"
        )
    _check_known([*rows, *columns], channel_names, source)
    odd = sorted(set(rows) ^ set(columns))
    if odd or len(set(rows)) < len(rows):
        name = odd[0] if odd else max(rows, key=rows.count)
        raise UsageError(f"{source}: {name!r} must name exactly one row and one column")


def _check_known(
    names: Sequence[str], channel_names: Sequence[str], source: str
) -> None:
    for name in names:
        if name not in channel_names:
            raise UsageError(
                f"{source}: no channel {name!r}{nearest(name, channel_names)}; the "
                f"slide has {', '.join(channel_names)}"
            )


def _check_shares(shares: NDArray[np.float64], source: str) -> None:
    if not (np.isfinite(shares).all() and (shares >= 0).all()):
        raise UsageError(f"{source}: every share must be a number of at least 0")
    if not np.allclose(np.diag(shares), 1):
        raise UsageError(
            f"{source}: the diagonal must be 1; divide each column by what the "
            "fluorophore's own channel sees"
        )


def _invertible(matrix: NDArray[np.float64], source: str) -> NDArray[np.float64]:
    condition = float(np.linalg.cond(matrix))
    if not condition <= MAX_CONDITION:
        raise UsageError(
            f"{source}: the matrix is singular or nearly so (condition number "
            f"{condition:.3g}): two fluorophores look alike in all channels; unmix "
            "fewer"
        )
    return matrix
