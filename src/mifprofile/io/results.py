"""The result folder of one sample: what lies where, and how it came about."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mifprofile.arguments import APath, Converted, as_path
from mifprofile.errors import FormatError, MissingError
from mifprofile.io.atomic import atomic_output
from mifprofile.options import STAGES, Stage
from mifprofile.pipeline import step_of

if TYPE_CHECKING:
    from pathlib import Path

EDGE_BYTES = 1 << 20


@dataclass(frozen=True)
class Results:
    """Paths below one output folder.

    Attributes
    ----------
    folder : str or Path
        The folder itself; its name is the sample's.
    """

    folder: APath = Converted(as_path)

    @property
    def sample_id(self) -> str:
        """Name of the sample."""
        return self.folder.resolve().name

    @property
    def slide(self) -> Path:
        """The slide as OME-Zarr, or a link to where it lies."""
        return self.folder / "slide.zarr"

    @property
    def quality(self) -> Path:
        """Tissue mask, and a mask per cause of exclusion."""
        return self.folder / "quality.zarr"

    @property
    def quality_figures(self) -> Path:
        """Figures of every channel and pair of channels."""
        return self.folder / "quality.csv"

    @property
    def labels(self) -> Path:
        """Labels ``nuclei`` and ``cells``."""
        return self.folder / "labels.zarr"

    @property
    def measurements(self) -> Path:
        """Cell table as measured."""
        return self.folder / "measurements.parquet"

    @property
    def contacts(self) -> Path:
        """Pairs of cells that touch."""
        return self.folder / "contacts.parquet"

    @property
    def phenotypes(self) -> Path:
        """Positivity and phenotype per cell."""
        return self.folder / "phenotypes.parquet"

    @property
    def gates(self) -> Path:
        """Thresholds in use."""
        return self.folder / "gates.csv"

    @property
    def gates_manual(self) -> Path:
        """Thresholds set by hand for this sample, in the viewer; no stage writes it."""
        return self.folder / "gates_manual.csv"

    @property
    def regions(self) -> Path:
        """Region map."""
        return self.folder / "regions.zarr"

    @property
    def landscape(self) -> Path:
        """Landscape, a row per value."""
        return self.folder / "landscape.csv"

    @property
    def landscape_wide(self) -> Path:
        """Landscape, a column per value."""
        return self.folder / "landscape_wide.csv"

    @property
    def dictionary(self) -> Path:
        """What each metric of the landscape means."""
        return self.folder / "data_dictionary.csv"

    @property
    def cells(self) -> Path:
        """Final cell table; siblings ``cells.csv``, ``.h5ad`` and ``.geojson``."""
        return self.folder / "cells.parquet"

    @property
    def report(self) -> Path:
        """The report for people."""
        return self.folder / "report.html"

    @property
    def provenance(self) -> Path:
        """Everything that was done, in one file."""
        return self.folder / "provenance.json"

    def outputs(self, stage: Stage) -> tuple[Path, ...]:
        """What a stage writes."""
        step = step_of(stage, of_table=self.of_table)
        return tuple(self.folder / name for name in step.outputs)

    @property
    def of_table(self) -> bool:
        """Whether the cells were made elsewhere, so that there is no slide."""
        inputs = (record.get("inputs", {}) for record in self.records().values())
        return any("table" in given for given in inputs)

    def record_path(self, stage: Stage) -> Path:
        """Where a stage's record lies."""
        return self.folder / "provenance" / f"{stage}.json"

    def scratch(self, stage: Stage) -> Path:
        """Where a stage keeps what it has done so far."""
        return self.folder / f"{stage}.unfinished"

    def read_record(self, stage: Stage) -> dict[str, Any] | None:
        """Record of a stage that has finished, else None."""
        path = self.record_path(stage)
        if not path.is_file():
            return None
        return _read_json(path)

    def write_record(self, stage: Stage, record: dict[str, Any]) -> None:
        """Say that a stage has finished, and how."""
        write_json(record, self.record_path(stage))

    def input_copy(self, name: str) -> Path:
        """Where a copy of a small input file lies."""
        return self.folder / "provenance" / "inputs" / name

    def keep_input(self, path: Path) -> None:
        """Copy an input file, so that the folder can be taken up without it."""
        copy = self.input_copy(path.name)
        if path.resolve() != copy.resolve():
            with atomic_output(copy) as partial:
                shutil.copyfile(path, partial)

    def kept_input(self, stage: Stage, name: str) -> Path | None:
        """Where the copy of a stage's input lies; None if it was given none."""
        record = self.read_record(stage) or {}
        kept = record.get("inputs", {}).get(name)
        return None if kept is None else self.input_copy(kept["name"])

    def read_provenance(self) -> dict[str, Any]:
        """Read ``provenance.json``, which the report leaves; raises MissingError."""
        if not self.provenance.is_file():
            raise MissingError(
                f"{self.provenance}: missing; not a finished result folder: "
                "run 'mifprofile run' to the end first"
            )
        return _read_json(self.provenance)

    def require(self, stage: Stage) -> None:
        """Raise MissingError unless a stage's outputs are there."""
        for path in self.outputs(stage):
            if not path.exists():
                raise MissingError(
                    f"{path}: missing; run 'mifprofile {stage} -o {self.folder}' first"
                )

    def records(self) -> dict[Stage, dict[str, Any]]:
        """Records of all stages that have finished, in order."""
        found = {stage: self.read_record(stage) for stage in STAGES}
        return {stage: record for stage, record in found.items() if record is not None}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as e:
        raise FormatError(f"{path}: not valid JSON; delete it and run again") from e
    return content


def write_json(content: dict[str, Any], path: Path) -> None:
    """Write JSON, whole or not at all."""
    with atomic_output(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def slide_identity(path: Path) -> dict[str, Any]:
    """Tell a slide file from others without reading all of it.

    Returns
    -------
    dict
        ``name``, ``bytes`` and ``sha256`` over the first and last MiB; for a folder,
        over its metadata files.
    """
    if path.is_dir():
        digest = hashlib.sha256()
        for entry in sorted(path.rglob("*")):
            if entry.name in {".zattrs", ".zgroup", ".zarray", "zarr.json"}:
                digest.update(entry.read_bytes())
        return {"name": path.name, "bytes": None, "sha256": digest.hexdigest()}
    size = path.stat().st_size
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(EDGE_BYTES))
        file.seek(max(size - EDGE_BYTES, 0))
        digest.update(file.read(EDGE_BYTES))
    return {"name": path.name, "bytes": size, "sha256": digest.hexdigest()}
