"""Jobs from what a person gives, on the command line or in Python."""

# Annotations are read when names are checked, so they are no text here.
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, Unpack

from mifprofile.arguments import StrPath, expect
from mifprofile.core.phenotype.gate_layouts import Layout
from mifprofile.core.statistics import CountModel
from mifprofile.errors import UsageError
from mifprofile.io.config import override_options, read_options, read_panel
from mifprofile.io.results import Results
from mifprofile.model import Panel, nearest
from mifprofile.options import GateScope, Options, Precision
from mifprofile.stages.cohort import CohortJob
from mifprofile.stages.example import ExampleJob
from mifprofile.stages.job import Job
from mifprofile.stages.neighbourhoods import NeighbourhoodsJob
from mifprofile.stages.power import PowerJob
from mifprofile.stages.shared_gates import GatesJob
from mifprofile.synthetic.example import ExampleOptions

Section = dict[str, Any]
COMMAND_LINE = "command line"
# Options that have a name of their own, and their place in a section.
PLACES = {
    "pixel_size": ("ingest", "pixel_size_um"),
    "model": ("segment", "model"),
    "precision": ("segment", "precision"),
    "block_px": ("segment", "block_px"),
    "control": ("phenotype", "control"),
    "scope": ("gates", "scope"),
    "lock_to": ("gates", "lock_to"),
    "k": ("neighbourhoods", "k"),
    "clusters": ("neighbourhoods", "clusters"),
    "regimen": ("cohort", "regimen"),
    "endpoints": ("cohort", "endpoints"),
    "features": ("cohort", "features"),
}


class TableArguments(TypedDict, total=False):
    """What may be given beside cells that another program found."""

    pixel_size: float | None
    gates: StrPath | None
    config: StrPath | None
    quiet: bool
    phenotype: Section
    landscape: Section
    report: Section


class RunArguments(TableArguments, total=False):
    """What may be given beside a slide."""

    model: StrPath | None
    nuclei: StrPath | None
    cells: StrPath | None
    control: StrPath | None
    exclusions: StrPath | None
    regions: StrPath | None
    precision: Precision | None
    block_px: int | None
    workers: int
    scheduler: str | None
    ingest: Section
    quality: Section
    segment: Section
    measure: Section
    export: Section


class GatesArguments(TypedDict, total=False):
    """What may be given beside samples that are gated together."""

    panel: StrPath | None
    samples: StrPath | None
    scope: GateScope | None
    lock_to: str | None
    control: StrPath | None
    source: StrPath | None
    in_use: bool
    layout: Layout
    config: StrPath | None
    gates: Section
    phenotype: Section


class NeighbourhoodsArguments(TypedDict, total=False):
    """What may be given beside samples whose neighbourhoods are sought."""

    k: int | None
    clusters: int | None
    config: StrPath | None
    neighbourhoods: Section
    landscape: Section


class CohortArguments(TypedDict, total=False):
    """What may be given beside a sample sheet and its results."""

    endpoints: StrPath | None
    features: StrPath | None
    regimen: str | None
    from_table: StrPath | None
    panel: StrPath | None
    pixel_size: float | None
    quiet: bool
    config: StrPath | None
    cohort: Section
    landscape: Section


def slide_job(
    panel: StrPath | Panel,
    out: StrPath,
    slide: StrPath | None = None,
    table: StrPath | None = None,
    areas: StrPath | None = None,
    caller: str = COMMAND_LINE,
    **given: Unpack[RunArguments],
) -> Job:
    """Job of a slide, or of a table of cells; ``caller`` is named in errors."""
    options, rest = _split(given, RunArguments, caller)
    read = panel if isinstance(panel, Panel) else read_panel(panel)
    return Job(Results(out), read, options, slide, table, areas, **rest)


def gates_job(
    folders: StrPath | Iterable[StrPath],
    out: StrPath,
    caller: str = COMMAND_LINE,
    **given: Unpack[GatesArguments],
) -> GatesJob:
    """Job of samples that are gated together."""
    options, rest = _split(given, GatesArguments, caller)
    return GatesJob(folders, out, options, **rest)


def neighbourhoods_job(
    folders: StrPath | Iterable[StrPath],
    panel: StrPath,
    out: StrPath,
    caller: str = COMMAND_LINE,
    **given: Unpack[NeighbourhoodsArguments],
) -> NeighbourhoodsJob:
    """Job of samples whose neighbourhoods are fitted together."""
    options, _ = _split(given, NeighbourhoodsArguments, caller)
    return NeighbourhoodsJob(folders, out, panel, options)


def cohort_job(
    samples: StrPath,
    results: StrPath,
    out: StrPath,
    caller: str = COMMAND_LINE,
    **given: Unpack[CohortArguments],
) -> CohortJob:
    """Job of a cohort that is asked."""
    options, rest = _split(given, CohortArguments, caller)
    table = rest.pop("from_table", None)
    return CohortJob(samples, results, out, options, table, **rest)


def power_job(
    out: StrPath,
    fold_change: Iterable[float],
    pairs: Iterable[int],
    fields: Iterable[int],
    wanted: float,
    runs: int,
    seed: int,
    **assumed: float | None,
) -> PowerJob:
    """Job of a trial that is planned; what is not assumed is the model's default."""
    model = CountModel(**{k: v for k, v in assumed.items() if v is not None})
    numbers = tuple(fold_change), tuple(pairs), tuple(fields)
    return PowerJob(out, *numbers, wanted, model, runs, seed)


def example_job(out: StrPath, *, quiet: bool = False, **options: Any) -> ExampleJob:
    """Job of a synthetic trial."""
    return ExampleJob(out, ExampleOptions(**options), quiet)


def refuse_unknown(given: Iterable[str], kind: type, caller: str) -> None:
    """Raise UsageError for a name that a kind of options does not have."""
    known = kind.__annotations__
    for name in given:
        if name not in known:
            raise UsageError(
                f"{caller}: no option {name!r}{_hint(name, known)}; "
                f"known are {', '.join(known)}"
            )


def _split(
    given: Mapping[str, Any], kind: type, caller: str
) -> tuple[Options, dict[str, Any]]:
    """Options of the stages, and what a job takes beside them."""
    refuse_unknown(given, kind, caller)
    rest = dict(given)
    sections = {n: rest.pop(n) for n in _sections(kind.__annotations__) if n in rest}
    for name, section in sections.items():
        expect(section, dict, name)
    for name in rest.keys() & PLACES.keys():
        section, field = PLACES[name]
        if (value := rest.pop(name)) is not None:
            sections[section] = sections.get(section, {}) | {field: value}
    options = read_options(rest.pop("config", None))
    return override_options(options, sections, caller), rest


def _sections(known: Mapping[str, Any]) -> list[str]:
    return [name for name, kind in known.items() if kind == Section]


def _hint(name: str, known: Mapping[str, Any]) -> str:
    """Where an option of a section belongs, else the nearest name."""
    options = Options()
    for section in _sections(known):
        if name in type(getattr(options, section)).model_fields:
            return f" (give it as {section}={{{name!r}: …}})"
    return nearest(name, known)
