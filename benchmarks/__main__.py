"""Run every benchmark and write RESULTS.md.

Usage: python -m benchmarks [--data DIR]
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

from benchmarks import (
    breast,
    corrections,
    demo,
    gates,
    phenotypes,
    quality,
    speed,
    spill_over,
    uncertainty,
    whole_slide,
)

HERE = Path(__file__).parent
PACKAGES = (
    "mifprofile",
    "numpy",
    "numba",
    "scikit-image",
    "torch",
    "openvino",
    "cellpose",
)


def main() -> None:
    """Print the figures and write them down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared/data")
    data = parser.parse_args().data
    with tempfile.TemporaryDirectory() as folder:
        parts = [_machine(), demo.figures(Path(folder) / "demo"), speed.figures(data)]
        if (data / "breast_b09").is_dir():
            parts.insert(2, breast.figures(data / "breast_b09", Path(folder) / "b09"))
        parts.insert(2, phenotypes.figures())
        parts += [
            gates.figures(),
            uncertainty.figures(),
            spill_over.figures(),
            corrections.figures(Path(folder) / "corrections"),
            corrections.profile_figures(Path(folder) / "profiles"),
            quality.figures(),
            whole_slide.peer_figures(Path(folder) / "peer"),
            whole_slide.same_figures(Path(folder) / "same"),
            whole_slide.growth_figures(Path(folder) / "growth"),
        ]
    text = "# Results of `make bench`\n\n" + "\n\n".join(parts) + "\n"
    print(text)
    (HERE / "RESULTS.md").write_text(text, encoding="utf-8")


def _machine() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}; {versions}. "
        "Times differ from machine to machine: trust the ratios."
    )


if __name__ == "__main__":
    main()
