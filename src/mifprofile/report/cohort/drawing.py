"""A figure with its numbers, and what all figures share."""

from __future__ import annotations

import base64
import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

INK, SOFT, GRID = "#1d2126", "#5c636e", "#dfe3e8"
# Told apart by people with any colour vision, in this order.
COLOURS = ("#1f5fa8", "#d9971a", "#2f8f6b", "#a3241b", "#7a5ea8", "#5c636e")
RESPONSE = {True: "#2f8f6b", False: "#a3241b", None: "#9aa1ab"}
RESPONSE_NAMES = {True: "responder", False: "no responder", None: "response not known"}
CLASSES = {
    "inflamed": "#a3241b",
    "excluded": "#d9971a",
    "desert": "#1f5fa8",
    "indeterminate": "#9aa1ab",
}
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mifprofile",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


@dataclass(frozen=True)
class Drawing:
    """A figure, what it shows, and its numbers.

    Attributes
    ----------
    name : str
        Of its files, without suffix.
    title, caption : str
    svg : str
        Empty where there is nothing to draw; the caption then says why.
    table : pandas.DataFrame
        The numbers that are drawn.
    """

    name: str
    title: str
    caption: str
    svg: str
    table: pd.DataFrame

    @property
    def address(self) -> str:
        """The figure as a data address, so that the page needs no other file."""
        coded = base64.b64encode(self.svg.encode()).decode("ascii")
        return f"data:image/svg+xml;base64,{coded}"


@contextmanager
def canvas(width: float, height: float) -> Iterator[Figure]:
    """A figure in the report's style, in inches."""
    with mpl.rc_context(STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def as_svg(figure: Figure) -> str:
    """The figure as SVG; the same figure gives the same text."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name."""
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}


def say_nothing(axes: Axes, text: str) -> None:
    """Say in words why there is nothing to draw."""
    axes.text(0.5, 0.5, text, ha="center", va="center", color=SOFT, wrap=True)
    axes.set_axis_off()


def legend(axes: Axes, colours: dict[str, str], **where: object) -> None:
    """Name what colours mean."""
    for name, colour in colours.items():
        axes.plot([], [], "o", color=colour, label=name, markersize=5)
    axes.legend(**where)
