"""Command line: one command per stage, plus run, demo, check, synth, gates, cohort."""

from __future__ import annotations

import sys
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mifprofile.errors import MifprofileError
from mifprofile.pipeline import OF_SLIDE, OF_TABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from mifprofile.options import Stage
    from mifprofile.pipeline import Step

    Command = Callable[..., None]

FILE = click.Path(path_type=Path)
_file = partial(click.option, type=FILE)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mifprofile")
def cli() -> None:
    """Immune landscapes from multiplexed immunofluorescence slides."""


def main() -> None:
    """Run the command line; an error is one line and a non-zero exit."""
    warnings.showwarning = _show_warning
    try:
        code = cli(standalone_mode=False)
    except click.exceptions.Exit as e:
        sys.exit(e.exit_code)
    except click.ClickException as e:
        e.show()
        sys.exit(e.exit_code)
    except MifprofileError as e:
        click.echo(f"mifprofile: error: {' '.join(str(e).split())}", err=True)
        sys.exit(1)
    except MemoryError:
        click.echo(
            "mifprofile: error: out of memory; use a smaller --block-px or fewer "
            "--workers; what is finished is kept",
            err=True,
        )
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        click.echo("mifprofile: stopped; finished stages are kept", err=True)
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"mifprofile: warning: {' '.join(str(message).split())}", err=True)


PIXEL_SIZE = click.option(
    "--pixel-size", type=float, metavar="UM", help="Overrides the file's pixel size."
)
# What every stage takes, and what some do, by the names that the steps give them.
OF_ALL = (
    click.option("-q", "--quiet", is_flag=True, help="Show the verdict alone."),
    click.option("--force", is_flag=True, help="Do it again, even if up to date."),
    _file("--config", help="YAML with a section per stage."),
    _file("-o", "--out", required=True, help="Result folder."),
    _file("--panel", required=True, help="panel.yaml."),
)
OPTIONS = {
    "slide": click.argument("slide", type=FILE),
    "table": _file(
        "--from-table",
        "table",
        help="Cells made elsewhere (inForm, QuPath, HALO, mifprofile); no slide is "
        "needed.",
    ),
    "areas": _file(
        "--areas",
        help="With --from-table: inForm's summary or tissue map, or a CSV with the "
        "columns region and area_mm2.",
    ),
    "pixel_size": PIXEL_SIZE,
    "model": click.option(
        "--model",
        metavar="NAME|PATH",
        help="Cellpose model instead of the embedded one.",
    ),
    "nuclei": _file("--nuclei", help="Nuclear masks made elsewhere."),
    "cells": _file("--cells", help="Cell masks made elsewhere."),
    "gates": _file("--gates", help="gates.csv with thresholds by hand."),
    "control": _file("--control", help="Result folder of a negative-control slide."),
    "exclusions": _file(
        "--exclusions", help="GeoJSON with areas to leave out, as from QuPath."
    ),
    "regions": _file(
        "--regions", help="GeoJSON with areas of class Tumor, Stroma or Other."
    ),
    "precision": click.option(
        "--precision",
        type=click.Choice(["auto", "int8", "float32", "bfloat16"]),
        help="What the network computes in; auto takes the fastest that is there.",
    ),
    "block_px": click.option(
        "--block-px", type=int, help="Work unit; it does not change the result."
    ),
    "workers": click.option(
        "--workers",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Processes that share the work.",
    ),
    "scheduler": click.option(
        "--scheduler", metavar="ADDRESS", help="A running dask scheduler, instead."
    ),
}


def _takes(*steps: Step) -> Callable[[Command], Command]:
    """Add what all stages take, and what some steps take beside it."""
    names = dict.fromkeys(name for step in steps for name in step.options)

    def add(command: Command) -> Command:
        for option in (*(OPTIONS[name] for name in reversed(names)), *OF_ALL):
            command = option(command)
        return command

    return add


def _run(stage: Stage | None, force: bool, **given: Any) -> None:
    """Run one stage, or all, and say whether the sample can be used."""
    from mifprofile.stages import run_all, run_stage
    from mifprofile.stages.given import slide_job
    from mifprofile.stages.verdict import show_verdict

    job = slide_job(**given)
    if stage is not None:
        run_stage(job, stage, force=force)
        show_verdict(job.results, stage)
    else:
        run_all(job, force=force)
        show_verdict(job.results, "phenotype")
        click.echo(f"report: {job.results.report}")


def _add_stage(step: Step) -> None:
    command = _takes(step)(partial(_run, step.name))
    cli.command(step.name, help=step.help)(command)


@cli.command(help=OF_SLIDE["landscape"].help)
@_takes(*OF_TABLE.values(), OF_SLIDE["landscape"])
def landscape(table: Path | None, regions: Path | None, **given: Any) -> None:
    """Of a slide, or of cells that another program found."""
    if table is not None and regions is not None:
        raise click.UsageError("--regions is for slides; --from-table takes --areas")
    stage: Stage | None = "landscape" if table is None else None
    _run(stage, table=table, regions=regions, **given)


@cli.command()
@_takes(*OF_SLIDE.values())
def run(**given: Any) -> None:
    """All stages on one slide; what is up to date is kept."""
    _run(None, **given)


LOOK = click.option(
    "--look",
    type=click.Choice(["hard", "easy", "sparse"]),
    default="hard",
    show_default=True,
    help="Stains as on real slides, two clean humps, or single events.",
)


@cli.command()
@click.option("-o", "--out", type=FILE, default=Path("demo"), show_default=True)
@LOOK
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def demo(out: Path, look: str, quiet: bool) -> None:
    """Make a synthetic slide with known truth and analyse it."""
    from mifprofile.stages.demo import run_demo

    click.echo(run_demo(out, quiet=quiet, look=look))


@cli.command()
@click.option("-o", "--out", type=FILE, required=True, help="SLIDE.ome.tiff.")
@click.option("--size-mm", type=float, nargs=2, default=(1.0, 1.0), show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--markers", help="Comma-separated; those of the demo by default.")
@LOOK
def synth(
    out: Path, size_mm: tuple[float, float], seed: int, markers: str | None, look: str
) -> None:
    """Make a synthetic slide, its label images and its table of true cells."""
    from mifprofile.stages.demo import make_slide

    names = tuple(markers.split(",")) if markers else None
    for path in make_slide(out, size_mm, seed, names, look):
        click.echo(path)


@cli.command()
@click.argument("folders", type=FILE, nargs=-1, required=True, metavar="RESULTS...")
@click.option("--panel", type=FILE, help="panel.yaml; else the sheet's column panel.")
@click.option(
    "--samples", type=FILE, help="samples.tsv: patients, timepoints, batches."
)
@click.option("--config", type=FILE, help="YAML with sections gates and phenotype.")
@click.option(
    "--scope",
    type=click.Choice(["slide", "patient", "batch", "cohort"]),
    help="Samples that are gated together.",
)
@click.option("--lock-to", metavar="TIMEPOINT", help="Fit these samples only.")
@click.option("--control", type=FILE, help="Results of a negative-control slide.")
@click.option("--from", "source", type=FILE, help="Take the gates from this table.")
@click.option("--in-use", is_flag=True, help="Take the gates from RESULTS/gates.csv.")
@click.option(
    "--export",
    "layout",
    type=click.Choice(["mifprofile", "scimap", "cylinter"]),
    default="mifprofile",
    show_default=True,
    help="Layout and scale of the table.",
)
@click.option("-o", "--out", type=FILE, required=True, help="The table to write.")
def gates(**given: Any) -> None:
    """Gate the samples of a patient, a batch or a cohort together.

    With --from or --in-use, gates that are there are collected and converted.
    """
    from mifprofile.stages.given import gates_job
    from mifprofile.stages.shared_gates import gates as make

    make(job := gates_job(**given))
    click.echo(job.out)


@cli.command()
@click.argument("folders", type=FILE, nargs=-1, required=True, metavar="RESULTS...")
@click.option("--panel", type=FILE, required=True, help="panel.yaml of all of them.")
@click.option("--config", type=FILE, help="YAML with a section neighbourhoods.")
@click.option("--k", type=int, help="Nearest cells that make a window.")
@click.option("--clusters", type=int, help="Neighbourhoods in the cohort.")
@click.option("-o", "--out", type=FILE, required=True, help="Folder for the tables.")
def neighbourhoods(**given: Any) -> None:
    """Find the kinds of surroundings of cells, once for a whole cohort."""
    from mifprofile.stages.given import neighbourhoods_job
    from mifprofile.stages.neighbourhoods import neighbourhoods as fit

    click.echo(fit(neighbourhoods_job(**given)))


class _Cohort(click.Group):
    """Asks a cohort unless another command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command that is meant before its arguments."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["ask", *args]
        return super().parse_args(ctx, args)


@cli.group(
    cls=_Cohort,
    options_metavar="SAMPLES.tsv RESULTS_DIR -o OUT",
    subcommand_metavar="| power -o OUT | example -o DIR",
)
def cohort() -> None:
    """From the landscapes of a cohort to its answers.

    ``mifprofile cohort ask --help`` lists the options, ``mifprofile cohort power``
    says how many pairs a change takes, ``mifprofile cohort example`` makes a trial to
    try it with.
    """


@cohort.command("ask")
@click.argument("samples", type=FILE, metavar="SAMPLES.tsv")
@click.argument("results", type=FILE, metavar="RESULTS_DIR")
@click.option("-o", "--out", type=FILE, required=True, help="Folder for the answers.")
@click.option("--config", type=FILE, help="YAML with a section cohort.")
@click.option("--endpoints", type=FILE, help="endpoints.yaml; else the package's.")
@click.option("--features", type=FILE, help="Long table: sample or patient, feature.")
@click.option("--regimen", metavar="NAME", help="Set of predeclared endpoints.")
@click.option("--from-table", type=FILE, help="Cells of all samples, made elsewhere.")
@click.option("--panel", type=FILE, help="With --from-table: panel.yaml.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def ask(**given: Any) -> None:
    """Write tables and cohort.html of the samples in RESULTS_DIR."""
    from mifprofile.stages.cohort import cohort as ask_cohort
    from mifprofile.stages.given import cohort_job

    ask_cohort(job := cohort_job(**given))
    click.echo(f"report: {job.report}")


MANY = "May be given several times."


@cohort.command()
@click.option("-o", "--out", type=FILE, required=True, help="Folder for the tables.")
@click.option(
    "--fold-change", type=float, multiple=True, default=(1.5, 2.0, 3.0), help=MANY
)
@click.option(
    "--pairs", type=int, multiple=True, default=(6, 8, 10, 12, 15, 20, 30), help=MANY
)
@click.option("--fields", type=int, multiple=True, default=(1, 2, 3, 5, 10), help=MANY)
@click.option("--power", "wanted", type=float, default=0.8, show_default=True)
@click.option("--per-mm2", type=float, help="Median density before treatment.")
@click.option("--field-mm2", type=float, help="Area of a field.")
@click.option("--aggregation", type=float, help="Of cells: variance of fields' shares.")
@click.option("--between-patients", type=float, help="SD of log2 density.")
@click.option("--between-changes", type=float, help="SD of patients' own changes.")
@click.option("--between-biopsies", type=float, help="SD between biopsies of a lesion.")
@click.option("--runs", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def power(**given: Any) -> None:
    """Say how many pairs and fields a change takes, by simulation."""
    from mifprofile.stages.given import power_job
    from mifprofile.stages.power import power as simulate

    click.echo(simulate(power_job(**given)))


@cohort.command("example")
@click.option("-o", "--out", type=FILE, required=True, help="Folder of the trial.")
@click.option(
    "--patients", type=int, default=12, show_default=True, help="Of each of two arms."
)
@click.option(
    "--mice", type=int, default=10, show_default=True, help="Of each of two arms."
)
@click.option("--size-mm", type=float, default=0.6, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--fold-change", type=float, default=2.0, show_default=True)
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def example(**given: Any) -> None:
    """Make the slides and the sample sheet of a trial whose truth is known."""
    from mifprofile.stages.example import example as make
    from mifprofile.stages.given import example_job

    click.echo(make(example_job(**given)))


@cli.command()
@click.argument("name", required=False)
def panel(name: str | None) -> None:
    """Print a ready panel to start from, or the names of all."""
    from mifprofile.panels import panel_names, panel_text

    click.echo("\n".join(panel_names()) if name is None else panel_text(name).rstrip())


@cli.command()
@click.argument("slide", type=FILE, required=False)
@click.option("--panel", type=FILE, help="panel.yaml.")
@click.option("--config", type=FILE, help="config.yaml of a whole cohort.")
@PIXEL_SIZE
def check(
    slide: Path | None,
    panel: Path | None,
    config: Path | None,
    pixel_size: float | None,
) -> None:
    """Say what was understood of a slide or a config, and what would fail later."""
    from mifprofile.stages.check import check_config, check_slide

    if config is not None and slide is None:
        click.echo(check_config(config))
    elif slide is not None:
        click.echo(check_slide(slide, panel, pixel_size))
    else:
        raise click.UsageError("give a SLIDE, or --config CONFIG")


for _name, _step in OF_SLIDE.items():
    if _name not in cli.commands:
        _add_stage(_step)
