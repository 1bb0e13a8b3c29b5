"""The sample sheet of a study: slides, biopsies that are missing, and patients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import Field, ValidationError

from mifprofile.errors import UsageError
from mifprofile.model import SAMPLE_ID, Origin, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MissingReason = Literal[
    "progression",
    "death",
    "no_tumour",
    "failed_stain",
    "refused",
    "unsafe",
    "lost",
    "not_planned",
]
# What a biopsy that was not had is: an event of the disease, an answer that leaves
# nothing to look at, a gap in the data, or nothing that was asked for.
REASON_KINDS: dict[MissingReason, str] = {
    "progression": "event",
    "death": "event",
    "no_tumour": "no tumour left",
    "failed_stain": "missing",
    "refused": "missing",
    "unsafe": "missing",
    "lost": "missing",
    "not_planned": "not planned",
}
Absence = Literal["not given", "not known", "not applicable", "not evaluable"]
# How a sheet writes that there is no value, and what each way says.
ABSENCES: dict[str, Absence] = {
    "": "not given",
    "NA": "not known",
    ".": "not applicable",
    "NE": "not evaluable",
}
Recist = Literal["CR", "PR", "SD", "PD", "NE"]
RESPONDERS = frozenset({"CR", "PR"})
# Spreadsheets write a column of 1 and 0 with a gap in it as 1.0 and 0.0.
TRUE = frozenset({"1", "1.0", "yes", "true"})
FALSE = frozenset({"0", "0.0", "no", "false"})
# The same in every row of a patient.
PATIENT_FIELDS = (
    *("species", "arm", "age", "sex", "er_status", "prior_lines"),
    *("best_response_recist", "objective_response", "pcr"),
    *("pfs_days", "pfs_event", "os_days", "os_event"),
    *("strain", "cage", "dose"),
)
# From here on a column of the user's own is taken for a misspelt one of ours.
MISSPELT = 0.8
MOST_LINES = 5


class Specimen(Origin):
    """One row: a slide, or a biopsy that is missing and why.

    A field without a value is None; ``absent`` tells how the sheet wrote that.
    """

    sample_id: str | None = Field(None, pattern=SAMPLE_ID)
    missing_reason: MissingReason | None = None
    batch: str | None = None
    days_from_treatment_start: float | None = None
    biopsy_site: str | None = None
    lesion_id: str | None = None
    same_lesion_as_baseline: bool | None = None
    acquisition: Literal["core", "excision", "resection"] | None = None
    fixation: str | None = None
    section_um: float | None = Field(None, gt=0)
    block_id: str | None = None
    slide_id: str | None = None
    scanner: str | None = None
    drug_on_tissue: str | None = None
    her2_ihc: Literal["0", "1+", "2+", "3+"] | None = None
    her2_ish: Literal["positive", "negative"] | None = None
    er_status: Literal["positive", "negative"] | None = None
    prior_lines: int | None = Field(None, ge=0)
    age: float | None = Field(None, ge=0)
    sex: str | None = None
    best_response_recist: Recist | None = None
    objective_response: bool | None = None
    pcr: bool | None = None
    pfs_days: float | None = Field(None, ge=0)
    pfs_event: bool | None = None
    os_days: float | None = Field(None, ge=0)
    os_event: bool | None = None
    strain: str | None = None
    cage: str | None = None
    tumour_index: str | None = None
    dox_start: float | None = None
    dose: str | None = None
    own: dict[str, str] = Field(default_factory=dict)
    absent: dict[str, Absence] = Field(default_factory=dict)

    @property
    def lesion(self) -> str:
        """Name of the lesion; one alone where the sheet does not tell them apart."""
        return self.lesion_id or self.tumour_index or ""


@dataclass(frozen=True)
class Patient:
    """A patient or a mouse, as all rows of the sheet have it.

    Attributes
    ----------
    patient_id : str
    facts : dict
        Field of the sheet → value; what no row gives is not there.
    absent : dict
        Field → how the sheet says that there is no value.
    own : dict
        Columns of the user's own.
    """

    patient_id: str
    facts: dict[str, Any]
    absent: dict[str, Absence] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)

    @property
    def arm(self) -> str:
        """Treatment arm."""
        return str(self.facts["arm"])

    @property
    def species(self) -> str:
        """``human`` or ``mouse``."""
        return str(self.facts["species"])

    @property
    def responded(self) -> bool | None:
        """Whether the tumour answered; None if that is not known or not evaluable."""
        if "objective_response" in self.facts:
            return bool(self.facts["objective_response"])
        best = self.facts.get("best_response_recist")
        return None if best in {None, "NE"} else best in RESPONDERS

    def survival(self, end: str) -> tuple[float, bool] | None:
        """Days and event of ``os`` or ``pfs``; None unless both are given."""
        days, event = (self.facts.get(f"{end}_{name}") for name in ("days", "event"))
        return None if days is None or event is None else (float(days), bool(event))

    def number(self, name: str) -> float | None:
        """A covariate as a number; None if it has none."""
        given = self.facts.get(name, self.own.get(name))
        try:
            return None if given is None else float(given)
        except ValueError:
            return None


@dataclass(frozen=True)
class Study:
    """All rows of a sample sheet, and the patients that they are of."""

    specimens: tuple[Specimen, ...]
    patients: dict[str, Patient]

    @property
    def slides(self) -> tuple[Specimen, ...]:
        """Rows of slides."""
        return tuple(s for s in self.specimens if s.missing_reason is None)

    def slides_of(self, patient_id: str, timepoint: str) -> list[str]:
        """Samples of a patient at a time."""
        return [
            s.sample_id
            for s in self.slides
            if s.sample_id is not None
            and (s.patient_id, s.timepoint) == (patient_id, timepoint)
        ]

    @property
    def timepoints(self) -> tuple[str, ...]:
        """Times in the order of the days, else of the sheet."""
        names = dict.fromkeys(s.timepoint for s in self.specimens)
        return tuple(sorted(names, key=lambda name: _place(name, self.specimens)))

    @property
    def species(self) -> tuple[str, ...]:
        """Species, in the order of the sheet."""
        return tuple(dict.fromkeys(p.species for p in self.patients.values()))

    def of_species(self, species: str) -> Study:
        """The same of one species alone."""
        return Study(
            tuple(s for s in self.specimens if s.species == species),
            {n: p for n, p in self.patients.items() if p.species == species},
        )

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms, in the order of the sheet."""
        return tuple(dict.fromkeys(p.arm for p in self.patients.values()))


def parse_study(rows: Iterable[tuple[int, Mapping[str, str]]], source: str) -> Study:
    """Make a study of the rows of a sheet.

    Parameters
    ----------
    rows : iterable of (int, mapping)
        Line of the sheet, and its cells as text.
    source : str
        Named in errors.

    Raises
    ------
    UsageError
        Names every problem with its line.
    """
    listed = list(rows)
    problems = _column_problems(listed[0][1] if listed else {})
    if not listed:
        problems = ["no sample"]
    lines, specimens = [], []
    wrong: dict[str, list[int]] = {}
    for line, row in () if problems else listed:
        found = _specimen(row)
        if isinstance(found, Specimen):
            lines.append(line)
            specimens.append(found)
        else:
            for text in found:
                wrong.setdefault(text, []).append(line)
    problems += [f"{_lines(where)}: {text}" for text, where in wrong.items()]
    problems += _doubled(lines, specimens)
    patients = {}
    for name, mine in _by_patient(lines, specimens).items():
        patients[name], contrary = _patient(name, mine)
        problems += contrary
    if problems:
        some = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UsageError(f"{source}: {some}: {'; '.join(problems)}")
    return Study(tuple(specimens), patients)


def known_columns() -> tuple[str, ...]:
    """Columns that a sheet may have, beside the user's own."""
    skipped = {"own", "absent"}
    beside = ("slide", "panel", "pixel_size_um", "exclusions", "regions")
    return (*(n for n in Specimen.model_fields if n not in skipped), *beside)


def _lines(where: Sequence[int]) -> str:
    """Name lines, of many the first ones."""
    if len(where) == 1:
        return f"line {where[0]}"
    more = f" … ({len(where)} in all)" if len(where) > MOST_LINES else ""
    return f"lines {', '.join(map(str, where[:MOST_LINES]))}{more}"


def _column_problems(row: Mapping[str, str]) -> list[str]:
    """Columns that must be there, and those that are surely misspelt."""
    known = known_columns()
    needed = ("patient_id", "species", "arm", "timepoint", "sample_id")
    lacking = [name for name in needed if name not in row]
    problems = [f"no column {', '.join(lacking)}"] if lacking else []
    for name in row:
        hint = nearest(name, known, MISSPELT) if name not in known else ""
        if hint:
            problems.append(f"unknown column {name!r}{hint}")
    return problems


def _specimen(row: Mapping[str, str]) -> Specimen | list[str]:
    """A row, or what is wrong with it."""
    known = Specimen.model_fields
    cells = {name: text.strip() for name, text in row.items() if name}
    absent = {
        name: ABSENCES[text]
        for name, text in cells.items()
        if text in ABSENCES and name in known and not _is_answer(name, text)
    }
    given = {k: v for k, v in cells.items() if k in known and k not in absent}
    own = {
        k: v for k, v in cells.items() if k not in known_columns() and v not in ABSENCES
    }
    given = {k: _as_bool(k, v) for k, v in given.items()}
    try:
        read = Specimen.model_validate({**given, "own": own, "absent": absent})
    except ValidationError as e:
        return [_problem(one) for one in e.errors()]
    return _rules(read) or read


def _is_answer(name: str, text: str) -> bool:
    return name == "best_response_recist" and text == "NE"


def _as_bool(name: str, text: str) -> Any:
    """A yes or no in any of its spellings; what is neither is left for the model."""
    if Specimen.model_fields[name].annotation != (bool | None):
        return text
    folded = text.casefold()
    return folded in TRUE if folded in TRUE | FALSE else text


def _problem(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{where} is empty"
    if error["type"] == "literal_error":
        names = [name.strip("'\" ") for name in _expected(error["ctx"]["expected"])]
        hint = nearest(str(error["input"]), names) or f"; known are {', '.join(names)}"
        return f"{where}: unknown value {error['input']!r}{hint}"
    if error["type"].startswith("bool"):
        return f"{where}: give 1 or 0, not {error['input']!r}"
    return f"{where}: {error['msg']}, not {error['input']!r}"


def _expected(text: str) -> list[str]:
    return text.replace(" or ", ", ").split(", ")


def _rules(row: Specimen) -> list[str]:
    """What must hold between the cells of a row."""
    found = []
    if row.sample_id is None and row.missing_reason is None:
        reasons = ", ".join(get_args(MissingReason))
        found.append(
            "no sample_id: name the sample, or say in missing_reason why there is "
            f"none ({reasons})"
        )
    if row.sample_id is not None and row.missing_reason not in {None, "failed_stain"}:
        found.append(
            f"a sample_id and missing_reason {row.missing_reason}: give one of them"
        )
    for end in ("pfs", "os"):
        days, event = getattr(row, f"{end}_days"), getattr(row, f"{end}_event")
        if (days is None) != (event is None):
            found.append(f"{end}_days and {end}_event belong together")
    best = row.best_response_recist
    contrary = {True: best in {"SD", "PD"}, False: best in RESPONDERS}
    if row.objective_response is not None and contrary[row.objective_response]:
        found.append(f"objective_response contradicts best_response_recist {best}")
    return found


def _doubled(lines: Sequence[int], specimens: Sequence[Specimen]) -> list[str]:
    first: dict[str, int] = {}
    problems = []
    for line, row in zip(lines, specimens, strict=True):
        if row.sample_id is None:
            continue
        if row.sample_id in first:
            problems.append(
                f"line {line}: sample_id {row.sample_id!r} is that of line "
                f"{first[row.sample_id]}"
            )
        first.setdefault(row.sample_id, line)
    return problems


def _by_patient(
    lines: Sequence[int], specimens: Sequence[Specimen]
) -> dict[str, list[tuple[int, Specimen]]]:
    groups: dict[str, list[tuple[int, Specimen]]] = {}
    for line, row in zip(lines, specimens, strict=True):
        groups.setdefault(row.patient_id, []).append((line, row))
    return groups


def _patient(
    name: str, rows: Sequence[tuple[int, Specimen]]
) -> tuple[Patient, list[str]]:
    """A patient, and where rows contradict each other."""
    facts: dict[str, tuple[int, Any]] = {}
    problems: list[str] = []
    for line, row in rows:
        for key in PATIENT_FIELDS:
            value = getattr(row, key)
            if value is None:
                continue
            before, seen = facts.setdefault(key, (line, value))
            if seen != value:
                problems.append(
                    f"line {line}: {key} of patient {name!r} is {_spell(value)}, but "
                    f"{_spell(seen)} in line {before}"
                )
    known = {key: value for key, (_, value) in facts.items()}
    absent = {
        k: v
        for _, row in rows
        for k, v in row.absent.items()
        if k in PATIENT_FIELDS and k not in known
    }
    own = {k: v for _, row in reversed(rows) for k, v in row.own.items()}
    return Patient(name, known, absent, own), problems


def _spell(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _place(name: str, specimens: Sequence[Specimen]) -> tuple[float, int]:
    mine = [s for s in specimens if s.timepoint == name]
    days = [
        s.days_from_treatment_start
        for s in mine
        if s.days_from_treatment_start is not None
    ]
    usual = {"baseline": 0.0, "on_tx": 1e6, "progression": 2e6}
    middle = sorted(days)[len(days) // 2] if days else usual.get(name, 1e6)
    return middle, specimens.index(mine[0])
