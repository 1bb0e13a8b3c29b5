"""Time a function where it runs: by clock, and by CPU with all of its processes."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]
    Step = Callable[[], NDArray[Any]]


def run(steps_of: Callable[[NDArray[Any], NDArray[Any]], dict[str, Step]]) -> None:
    """Time all steps on the cells of a file; numbers and values go beside it.

    Each step runs on few cells first, so that nothing is compiled while the clock runs.
    """
    folder = Path(sys.argv[1])
    with np.load(folder / "cells.npz") as given:
        points, types = given["points"], given["types"]
    # Few, but every type.
    some = np.argsort(types, kind="stable")[:: max(len(types) // 2000, 1)]
    for step in steps_of(points[some], types[some]).values():
        step()
    seconds, values = {}, {}
    for name, step in steps_of(points, types).items():
        started = time.perf_counter(), _cpu()
        values[name] = step()
        seconds[name] = [time.perf_counter() - started[0], _cpu() - started[1]]
    np.savez(folder / "values.npz", **values)
    (folder / "seconds.json").write_text(json.dumps(seconds), encoding="utf-8")


def _cpu() -> float:
    own, others = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    used = [resource.getrusage(who) for who in (own, others)]
    return sum(one.ru_utime + one.ru_stime for one in used)
