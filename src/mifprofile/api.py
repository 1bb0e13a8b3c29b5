"""What a notebook calls: a slide, a table of cells or a cohort, in one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Unpack

import pandas as pd
import pyarrow

from mifprofile.arguments import as_path
from mifprofile.errors import UsageError
from mifprofile.io.results import Results
from mifprofile.io.tables import read_csv, write_table
from mifprofile.sample import Sample
from mifprofile.stages.cohort import cohort as ask_cohort
from mifprofile.stages.given import (
    CohortArguments,
    GatesArguments,
    NeighbourhoodsArguments,
    RunArguments,
    TableArguments,
    cohort_job,
    gates_job,
    neighbourhoods_job,
    refuse_unknown,
    slide_job,
)
from mifprofile.stages.neighbourhoods import neighbourhoods as fit_neighbourhoods
from mifprofile.stages.run import run_all
from mifprofile.stages.shared_gates import gates as make_gates

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mifprofile.arguments import StrPath
    from mifprofile.model import Panel


class Cohort(NamedTuple):
    """What a cohort answered.

    Parameters
    ----------
    tables : dict
        Name, such as ``endpoints``, → table.
    report : Path
        The page; tables and figures lie beside it.
    """

    tables: dict[str, pd.DataFrame]
    report: Path


class NeighbourhoodTables(NamedTuple):
    """The neighbourhoods of a cohort.

    Parameters
    ----------
    makeup : pandas.DataFrame
        What each neighbourhood is made of.
    shares : pandas.DataFrame
        Its share of every sample and region.
    folder : Path
        Where both lie, and a table per sample with the neighbourhood of each cell.
    """

    makeup: pd.DataFrame
    shares: pd.DataFrame
    folder: Path


def run(
    slide: StrPath,
    panel: StrPath | Panel,
    out: StrPath,
    *,
    force: bool = False,
    **options: Unpack[RunArguments],
) -> Sample:
    """Take a slide from file to immune landscape; what is up to date is kept.

    Parameters
    ----------
    slide : str or Path
        Image of any format that `mifprofile.open_slide` reads.
    panel : str, Path or Panel
    out : str or Path
        The result folder; its name is the sample's.
    force : bool
        Do every stage again.
    **options
        As on the command line: ``pixel_size``, ``model``, ``nuclei``, ``cells``,
        ``gates``, ``control``, ``exclusions``, ``regions``, ``precision``,
        ``block_px``, ``workers``, ``scheduler``, ``config``, ``quiet``; and sections
        of the config by their name, as in ``phenotype={"min_confidence": 0.7}``.

    Returns
    -------
    Sample

    Raises
    ------
    MifprofileError
        Something that was given cannot be right; says what, and the way out.

    Examples
    --------
    >>> mifprofile.run("a.ome.tiff", "panel.yaml", "OUT")  # doctest: +SKIP
    """
    refuse_unknown(options, RunArguments, "run")
    image = as_path(slide, "slide")
    job = slide_job(panel, out, image, caller="run", **options)
    run_all(job, force=force)
    return Sample(job.results.folder)


def landscape(
    table: StrPath | pd.DataFrame,
    panel: StrPath | Panel,
    out: StrPath,
    *,
    areas: StrPath | None = None,
    force: bool = False,
    **options: Unpack[TableArguments],
) -> Sample:
    """Make the landscape of cells that another program found.

    Parameters
    ----------
    table : str, Path or pandas.DataFrame
        Cells of inForm, QuPath, HALO or mifprofile; of your own, with the columns
        ``x_um`` and ``y_um`` at least.
    panel : str, Path or Panel
    out : str or Path
        The result folder; its name is the sample's.
    areas : str or Path, optional
        inForm's summary or map of tissue categories, or a CSV with the columns
        ``region`` and ``area_mm2``. Without it there are no densities.
    force : bool
        Do every stage again.
    **options
        ``pixel_size``, ``gates``, ``config``, ``quiet``, and the sections
        ``phenotype``, ``landscape`` and ``report`` as in `mifprofile.run`.

    Returns
    -------
    Sample
        Without image and labels.
    """
    refuse_unknown(options, TableArguments, "landscape")
    path = _as_file(table, Results(out))
    job = slide_job(panel, out, None, path, areas, caller="landscape", **options)
    run_all(job, force=force)
    return Sample(job.results.folder)


def gates(
    folders: StrPath | Iterable[StrPath],
    out: StrPath,
    **options: Unpack[GatesArguments],
) -> pd.DataFrame:
    """Gate the samples of a patient, a batch or a cohort together.

    Parameters
    ----------
    folders : list of str, Path or Sample
        Result folders in which cells have been measured.
    out : str or Path
        The table to write, for ``run(…, gates=out)``.
    **options
        ``panel`` or ``samples`` (the sample sheet); ``scope``, ``lock_to``,
        ``control``; ``source`` or ``in_use``, to collect gates that are there;
        ``layout`` of the table; ``config``, and the sections ``gates`` and
        ``phenotype``.

    Returns
    -------
    pandas.DataFrame
        A row per sample and marker, in our layout.
    """
    return make_gates(gates_job(folders, out, caller="gates", **options))


def neighbourhoods(
    folders: StrPath | Iterable[StrPath],
    panel: StrPath,
    out: StrPath,
    **options: Unpack[NeighbourhoodsArguments],
) -> NeighbourhoodTables:
    """Find the kinds of surroundings of cells, once for a whole cohort.

    Parameters
    ----------
    folders : list of str, Path or Sample
        Finished result folders.
    panel : str or Path
        Their panel.
    out : str or Path
        Folder for the tables.
    **options
        ``k``, ``clusters``, ``config``, and the sections ``neighbourhoods`` and
        ``landscape``.

    Returns
    -------
    NeighbourhoodTables
    """
    job = neighbourhoods_job(folders, panel, out, caller="neighbourhoods", **options)
    fit_neighbourhoods(job)
    return NeighbourhoodTables(
        read_csv(job.out / "neighbourhoods.csv", {"phenotype", "reason"}),
        read_csv(
            job.out / "neighbourhood_shares.csv",
            {"sample_id", "region", "unit", "status", "reason"},
        ),
        job.out,
    )


def cohort(
    samples: StrPath,
    results: StrPath,
    out: StrPath,
    **options: Unpack[CohortArguments],
) -> Cohort:
    """Ask a cohort what its protocol asks.

    Parameters
    ----------
    samples : str or Path
        Sample sheet.
    results : str or Path
        Folder with a result folder per sample.
    out : str or Path
        Folder for tables, figures and report.
    **options
        ``endpoints``, ``features``, ``regimen``; ``from_table`` with ``panel``, and
        ``pixel_size``, for cells of all samples in one table; ``config``, ``quiet``,
        and the sections ``cohort`` and ``landscape``.

    Returns
    -------
    Cohort
    """
    job = cohort_job(samples, results, out, caller="cohort", **options)
    return Cohort(ask_cohort(job), job.report)


def _as_file(table: StrPath | pd.DataFrame, results: Results) -> Path:
    """Path of a table; one in memory is kept in the folder, as what was given."""
    if not isinstance(table, pd.DataFrame):
        return as_path(table, "table")
    path = results.input_copy("table.parquet")
    try:
        write_table(table, path)
    except (pyarrow.ArrowException, ValueError) as e:
        raise UsageError(f"table: its columns are not of one type each ({e})") from e
    return path
