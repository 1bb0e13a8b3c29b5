"""A finished sample: what a result folder holds, read when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mifprofile.errors import FormatError, MissingError, UsageError
from mifprofile.io.results import Results

if TYPE_CHECKING:
    from pathlib import Path

    import anndata
    import pandas as pd

    from mifprofile.arguments import StrPath
    from mifprofile.io.store import LabelPyramid
    from mifprofile.model import Panel, Slide


def open(folder: StrPath) -> Sample:
    """Open a finished result folder, of a slide or of a table of cells.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    Sample

    Raises
    ------
    MissingError
        There is no such folder, or it was not finished.
    FormatError, UsageError
        Its records are damaged, or from before its last, unfinished run.

    Examples
    --------
    >>> sample = mifprofile.open("OUT")  # doctest: +SKIP
    >>> sample.landscape().query("metric == 'density'")  # doctest: +SKIP
    """
    return Sample(folder)


class Sample:
    """A finished sample; it can be given wherever a result folder is asked for.

    Tables have numbers, booleans and text of their own types: a text that is empty is
    ``""``, a number that could not be had is NaN.

    Parameters
    ----------
    folder : str or Path
        As for `mifprofile.open`.

    Attributes
    ----------
    provenance : dict
        Panel, options, versions, inputs and times of every stage.
    panel : Panel
    """

    def __init__(self, folder: StrPath) -> None:
        from mifprofile.io.config import parse_panel

        self._results = Results(folder)
        path = self._results.provenance
        self.provenance: dict[str, Any] = self._results.read_provenance()
        if not set(self.provenance) >= {"sample_id", "panel", "stages"}:
            raise FormatError(f"{path}: damaged; run 'mifprofile run' again")
        self.panel: Panel = parse_panel(self.provenance["panel"], path)
        self._refuse_unfinished()

    @property
    def folder(self) -> Path:
        """The result folder."""
        return self._results.folder

    @property
    def sample_id(self) -> str:
        """Name of the sample, as in its tables."""
        return str(self.provenance["sample_id"])

    @property
    def report(self) -> Path:
        """The report for people, ``report.html``."""
        return self._results.report

    @property
    def verdict(self) -> str:
        """``pass``, ``review`` or ``fail``."""
        return str(self._judged["word"])

    @property
    def reasons(self) -> tuple[str, ...]:
        """What the verdict rests on, a line each."""
        return tuple(self._judged["reasons"])

    def cells(self) -> pd.DataFrame:
        """One row per cell: place, shape, levels, calls, phenotype and region."""
        from mifprofile.io.tables import fill_text, read_parquet

        return fill_text(read_parquet(self._results.cells))

    def landscape(self) -> pd.DataFrame:
        """One row per value, with its interval, status and reason."""
        from mifprofile.core.landscape import Row
        from mifprofile.io.tables import read_csv, text_columns

        return read_csv(self._results.landscape, text_columns(Row))

    def gates(self) -> pd.DataFrame:
        """One row per marker: its threshold, how firm it is, and what it calls."""
        from mifprofile.io.tables import read_gates_used

        return read_gates_used(self._results.gates)

    def adata(self) -> anndata.AnnData:
        """The cells as AnnData: mean levels as ``X``, the rest as ``obs``."""
        from mifprofile.io.anndata import read_anndata, to_anndata

        path = self._results.cells.with_suffix(".h5ad")
        if path.exists():
            return read_anndata(path)
        facts = {"sample_id": self.sample_id, "panel": self.panel.name}
        tables = {"gates": self.gates(), "landscape": self.landscape()}
        return to_anndata(self.cells(), facts, tables)

    def image(self) -> Slide:
        """The slide; ``levels`` are lazy arrays (c, y, x), full resolution first.

        Raises
        ------
        MissingError
            The cells came from a table.
        """
        from mifprofile.io.readers import open_slide

        self._refuse_table(self._results.slide)
        return open_slide(self._results.slide)

    def labels(self) -> dict[str, LabelPyramid]:
        """``nuclei`` and ``cells``; ``levels`` of each are lazy arrays (y, x).

        A pixel holds the ``cell_id`` that it belongs to, 0 for none.

        Raises
        ------
        MissingError
            The cells came from a table.
        """
        from mifprofile.io.store import open_label_store

        self._refuse_table(self._results.labels)
        return open_label_store(self._results.labels)

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        return f"Sample({str(self.folder)!r})"

    @property
    def _judged(self) -> dict[str, Any]:
        """The last verdict that a stage has given."""
        facts = [s.get("facts", {}) for s in self.provenance["stages"].values()]
        given = [f["verdict"] for f in facts if "verdict" in f]
        return given[-1] if given else {"word": "", "reasons": ()}

    def _refuse_unfinished(self) -> None:
        """Raise UsageError if a stage has been run after the report was made."""
        now = {str(stage): record for stage, record in self._results.records().items()}
        for stage, then in self.provenance["stages"].items():
            # The report tells of itself before it is done.
            if stage != "report" and _mark(now.get(stage)) != _mark(then):
                raise UsageError(
                    f"{self.folder}: its last run did not finish; "
                    "run 'mifprofile run' to the end first"
                )

    def _refuse_table(self, path: Path) -> None:
        if not path.exists():
            raise MissingError(
                f"{path}: missing; the cells of {self.sample_id!r} came from a table"
            )


def _mark(record: dict[str, Any] | None) -> object:
    """What tells a run of a stage from another; a table's landscape has no such."""
    return None if record is None else record.get("fingerprint", "")
