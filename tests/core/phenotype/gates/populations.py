"""Levels whose populations are known."""

import numpy as np
import pandas as pd

from tests.panels import make_panel

PANEL = make_panel(("CD8", "CK", "CD3"), phenotypes={"tumour": "CK+"})


def population(rng, n, level, spread=0.25):
    return np.expm1(rng.normal(np.log1p(level), spread, n))


def mixed(seed, share, n=3000, high=900):
    """Levels of which the last are positive."""
    rng = np.random.default_rng(seed)
    count = round(n * share)
    return np.r_[population(rng, n - count, 100), population(rng, count, high)]


def table(cells=1000):
    """Half CK+ with a little CD8 light, a fifth CD8+."""
    rng = np.random.default_rng(0)
    tumour = np.arange(cells) < cells // 2
    lymphoid = np.arange(cells) >= cells * 4 // 5
    return pd.DataFrame(
        {
            "CK": population(rng, cells, np.where(tumour, 2000, 100)),
            "CD8": population(rng, cells, np.where(lymphoid, 900, 100)),
            "CD3": population(rng, cells, np.where(lymphoid, 900, 100)),
        }
    )
