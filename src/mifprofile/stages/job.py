"""What every stage is given."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tqdm import tqdm

from mifprofile.arguments import Converted, MaybePath, as_path_or_none, expect
from mifprofile.errors import UsageError
from mifprofile.io.results import Results
from mifprofile.model import Panel
from mifprofile.options import Options
from mifprofile.pipeline import OF_SLIDE, OF_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mifprofile.options import Stage
    from mifprofile.pipeline import Step

ItemT = TypeVar("ItemT")
# Fields of a job that are files.
GIVEN = ("slide", "table", "areas", "gates", "nuclei", "cells", "exclusions", "regions")


@dataclass(frozen=True)
class Job:
    """One sample on its way.

    Attributes
    ----------
    results : Results
        The output folder.
    panel : Panel
    options : Options
    slide : str, Path or None
        The input file; only `ingest` reads it.
    table, areas : str, Path or None
        Instead of a slide: cells that another program found, as for
        `mifprofile.io.cell_tables.read_cell_table`, and the areas of its tissue
        categories or a map of them.
    gates, nuclei, cells : str, Path or None
        Thresholds and masks made elsewhere, instead of our own. A gate that was set in
        the viewer, in the result folder's ``gates_manual.csv``, comes before `gates`.
    exclusions, regions : str, Path or None
        Areas drawn by people, GeoJSON: what is left out, and what is tumour or stroma.
    workers : int
        Processes that share the work; 1 is this one alone.
    scheduler : str or None
        Address of a running dask scheduler, instead.
    quiet : bool
        Show no progress.
    """

    results: Results
    panel: Panel
    options: Options = field(default_factory=Options)
    slide: MaybePath = Converted(as_path_or_none, None)
    table: MaybePath = Converted(as_path_or_none, None)
    areas: MaybePath = Converted(as_path_or_none, None)
    gates: MaybePath = Converted(as_path_or_none, None)
    nuclei: MaybePath = Converted(as_path_or_none, None)
    cells: MaybePath = Converted(as_path_or_none, None)
    exclusions: MaybePath = Converted(as_path_or_none, None)
    regions: MaybePath = Converted(as_path_or_none, None)
    workers: int = 1
    scheduler: str | None = None
    quiet: bool = False

    def __post_init__(self) -> None:
        """Refuse what would fail somewhere in a stage."""
        expect(self.results, Results, "results")
        expect(self.panel, Panel, "panel")
        expect(self.options, Options, "options")
        expect(self.workers, int, "workers")
        if self.workers < 1:
            raise UsageError(f"workers: give at least 1, not {self.workers}")

    @property
    def of_table(self) -> bool:
        """Whether the cells were made elsewhere, so that there is no slide."""
        return self.table is not None or self.results.of_table

    @property
    def steps(self) -> dict[Stage, Step]:
        """The stages that the sample goes through."""
        return OF_TABLE if self.of_table else OF_SLIDE

    @property
    def files(self) -> dict[str, Path]:
        """Files from outside the result folder, by the names that steps give them.

        A gate table that was given comes before the one set in the viewer: rows of a
        later one win.
        """
        correct, control = self.options.measure.correct, self.options.phenotype.control
        given = {name: getattr(self, name) for name in GIVEN}
        # Those that need not be there.
        named: dict[str, str | Path | None] = {
            "gates_manual": self.results.gates_manual,
            "model": self.options.segment.model,
            "unmixing": correct.unmixing,
            "flat_field": correct.flat_field_file,
        }
        if control is not None:
            folder = Results(Path(control))
            named["control"] = folder.measurements
            named["control_quality"] = folder.record_path("quality")
        paths = {name: Path(path) for name, path in named.items() if path is not None}
        there = {name: path for name, path in paths.items() if path.is_file()}
        return {name: path for name, path in given.items() if path is not None} | there

    def inputs(self, step: Step) -> dict[str, Path]:
        """Those of the files that a stage reads."""
        files = self.files
        return {name: files[name] for name in step.inputs if name in files}

    def say(self, line: str) -> None:
        """Print one line for the user, on stderr."""
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)  # noqa: T201

    def track(self, items: Iterable[ItemT], what: str, total: int) -> Iterator[ItemT]:
        """Yield items and show progress, in plain lines if there is no terminal."""
        if self.quiet:
            yield from items
        elif sys.stderr.isatty():
            yield from tqdm(
                items, desc=f"  {what}", total=total, leave=False, unit="block"
            )
        else:
            yield from self._lines(items, what, total)

    def _lines(self, items: Iterable[ItemT], what: str, total: int) -> Iterator[ItemT]:
        for done, item in enumerate(items, start=1):
            yield item
            # Ten lines per pass keep a cluster's log readable.
            if total >= 10 and done % (total // 10) == 0:
                self.say(f"  {what}: {done}/{total}")
