"""What is done to the pixels of a block; `Correction` sets the order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mifprofile.core.correct.grids import bilinear, places_um

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Coordinate descent gets within rounding of the answer long before this.
SWEEPS = 200
TOLERANCE = 1e-6


@dataclass(frozen=True)
class FlatField:
    """How light falls off over the camera's field, repeated from the slide's corner.

    Attributes
    ----------
    profiles : (c, r, k) float32 array
        Share of the light that arrives, by channel; mean 1, above 0.
    field_um : (float, float)
        Height and width of a camera field, µm.
    dark_level : float
        Camera counts without light.
    """

    profiles: NDArray[np.float32]
    field_um: tuple[float, float]
    dark_level: float

    def apply(
        self, plane: NDArray[Any], channel: int, origin: tuple[int, int], um: float
    ) -> NDArray[np.float32]:
        """Plane (h, w) of one channel as even light would show it."""
        profile = self.profiles[channel]
        at = [
            (places_um(start, count, um) % field) / field * size - 0.5
            for start, count, field, size in zip(
                origin, plane.shape, self.field_um, profile.shape, strict=True
            )
        ]
        dark = np.float32(self.dark_level)
        return dark + (plane.astype(np.float32) - dark) / bilinear(profile, *at)


@dataclass(frozen=True)
class Background:
    """Light that is no signal, by channel.

    Attributes
    ----------
    levels : (c, r, k) float32 array
        On a grid over the slide; a single node is one level for the whole slide.
    step_um : float
        Distance of the nodes, µm; the first lies half a step from the slide's corner.
    """

    levels: NDArray[np.float32]
    step_um: float

    def apply(
        self, plane: NDArray[Any], channel: int, origin: tuple[int, int], um: float
    ) -> NDArray[np.float32]:
        """Plane (h, w) of one channel without its background."""
        at = [
            places_um(start, count, um) / self.step_um - 0.5
            for start, count in zip(origin, plane.shape, strict=True)
        ]
        return plane.astype(np.float32) - bilinear(self.levels[channel], *at)


@dataclass(frozen=True)
class Autofluorescence:
    """Light of unstained tissue, seen alone in a channel of its own.

    Attributes
    ----------
    channel : int
        The channel that sees nothing else.
    level : float
        What it shows where nothing glows.
    factors : (c,) float32 array
        How much of it each channel sees; 0 leaves a channel as it is.
    """

    channel: int
    level: float
    factors: NDArray[np.float32]

    def apply(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Image (c, h, w) without the glow; it never adds light."""
        glow = np.maximum(image[self.channel] - np.float32(self.level), 0)
        return np.stack(
            [plane - f * glow for plane, f in zip(image, self.factors, strict=True)]
        )


@dataclass(frozen=True)
class Unmixing:
    """Which channel sees which fluorophore.

    Attributes
    ----------
    mixing : (c, c) float64 array
        Share of fluorophore j (column) that channel i (row) sees.
    non_negative : bool
        Least squares over light that is nowhere negative, instead of the inverse.
    """

    mixing: NDArray[np.float64]
    non_negative: bool = False

    def apply(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Fluorophores (c, h, w) of an image (c, h, w)."""
        light = _combine(np.linalg.inv(self.mixing), image)
        if self.non_negative:
            gram = self.mixing.T @ self.mixing
            _descend(gram, _combine(self.mixing.T, image), light)
        return light


@dataclass(frozen=True)
class Correction:
    """All corrections of a slide, applied in this order; None leaves one out.

    Channels are numbered as in the images that are corrected.
    """

    flat_field: FlatField | None = None
    background: Background | None = None
    autofluorescence: Autofluorescence | None = None
    unmixing: Unmixing | None = None

    def apply(
        self, image: NDArray[Any], origin: tuple[int, int], um: float
    ) -> NDArray[np.float32]:
        """Correct a block of the slide.

        Parameters
        ----------
        image : (c, h, w) array
        origin : (int, int)
            (y, x) of the first pixel on the slide.
        um : float
            Pixel size, µm.

        Returns
        -------
        (c, h, w) float32 array
            Not below 0. A pixel's value does not depend on the block around it.
        """
        light = np.stack(
            [self.apply_to_plane(p, c, origin, um) for c, p in enumerate(image)]
        )
        if self.autofluorescence is not None:
            light = self.autofluorescence.apply(light)
        if self.unmixing is not None:
            light = self.unmixing.apply(light)
        return np.maximum(light, 0, out=light)

    def apply_to_plane(
        self, plane: NDArray[Any], channel: int, origin: tuple[int, int], um: float
    ) -> NDArray[np.float32]:
        """Flat-field and background of one channel, (h, w), which may fall below 0."""
        light = plane.astype(np.float32)
        for part in (self.flat_field, self.background):
            if part is not None:
                light = part.apply(light, channel, origin, um)
        return light


def _combine(
    weights: NDArray[np.float64], image: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Weighted sums over the channels, in an order that no block size changes."""
    shares = weights.astype(np.float32)
    total = np.zeros_like(image)
    for i, row in enumerate(shares):
        for j in np.flatnonzero(row):
            total[i] += row[j] * image[j]
    return total


@njit(cache=True, nogil=True)
def _descend(
    gram: NDArray[np.float64],
    target: NDArray[np.float32],
    light: NDArray[np.float32],
) -> None:
    """Non-negative least squares by cyclic coordinate descent, in place.

    Only pixels whose unbounded answer is somewhere negative need it.
    """
    count = gram.shape[0]
    x = np.empty(count)
    for r in range(light.shape[1]):
        for k in range(light.shape[2]):
            if light[:, r, k].min() >= 0:
                continue
            for i in range(count):
                x[i] = max(light[i, r, k], 0.0)
            for _ in range(SWEEPS):
                moved = 0.0
                for i in range(count):
                    slope = -float(target[i, r, k])
                    for j in range(count):
                        slope += gram[i, j] * x[j]
                    new = max(x[i] - slope / gram[i, i], 0.0)
                    moved = max(moved, abs(new - x[i]))
                    x[i] = new
                if moved <= TOLERANCE * (1 + x.max()):
                    break
            for i in range(count):
                light[i, r, k] = x[i]
