"""Measure and write ``RESULTS.md``, all parts or those that are named."""

from __future__ import annotations

import argparse
import os
import platform
import re
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import (
    breast,
    calls,
    cohort,
    corrections,
    demo,
    gates,
    phenotypes,
    quality,
    spatial,
    spatial_peers,
    speed,
    spill_over,
    uncertainty,
    whole_slide,
)

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
PACKAGES = (
    "mifprofile",
    "numpy",
    "numba",
    "scikit-image",
    "torch",
    "openvino",
    "cellpose",
)
# Each takes the folder of real images and an empty one.
PARTS: dict[str, Callable[[Path, Path], str]] = {
    "demo": lambda _, folder: demo.figures(folder),
    "breast": lambda data, folder: breast.figures(data / "breast_b09", folder),
    "calls": lambda data, folder: calls.figures(data, folder),
    "quality": lambda data, _: quality.figures(data),
    "corrections": lambda _, folder: corrections.figures(folder),
    "profiles": lambda _, folder: corrections.profile_figures(folder),
    "spill_over": lambda _, __: spill_over.figures(),
    "gates": lambda _, __: gates.figures(),
    "phenotypes": lambda _, __: phenotypes.figures(),
    "uncertainty": lambda _, __: uncertainty.figures(),
    "landscape": lambda _, __: spatial.table_figures(),
    "spatial": lambda _, __: spatial.figures(),
    "spatial_peers": lambda _, __: spatial_peers.peer_figures(),
    "cohort": lambda data, _: cohort.figures(data / "trial_skeleton.csv"),
    "speed": lambda data, _: speed.figures(data),
    "peer": lambda _, folder: whole_slide.peer_figures(folder),
    "same": lambda _, folder: whole_slide.same_figures(folder),
    "growth": lambda _, folder: whole_slide.growth_figures(folder),
}
NEED_DATA = ("breast", "calls", "quality")
MARK = re.compile(r"^<!-- (\w+) -->\n", re.MULTILINE)


def main() -> None:
    """Run parts one after another; each is written down as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared/data")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    given = parser.parse_args()
    unknown = sorted(set(given.parts) - set(PARTS))
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    for name in given.parts or PARTS:
        if name in NEED_DATA and not (given.data / "breast_b09").is_dir():
            continue
        with tempfile.TemporaryDirectory() as folder:
            text = PARTS[name](given.data, Path(folder) / name)
        print(text, flush=True)
        write_section(name, text)


def write_section(name: str, text: str) -> None:
    """Replace one part's section of the results and keep the others."""
    before = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else ""
    _, *marked = MARK.split(before)
    sections = dict(zip(marked[::2], marked[1::2], strict=True)) | {name: text}
    ordered = [f"<!-- {n} -->\n{sections[n].strip()}" for n in PARTS if n in sections]
    head = f"# Results of `make bench`\n\n{_machine()}"
    RESULTS.write_text("\n\n".join([head, *ordered]) + "\n", encoding="utf-8")


def _machine() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}; {versions}. "
        "Times differ from machine to machine: trust the ratios."
    )


if __name__ == "__main__":
    main()
