"""What of their records stages hand on to others."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from pydantic import TypeAdapter, ValidationError

from mifprofile.core.quality.verdict import QualityVerdict  # noqa: TC001  read by pydantic
from mifprofile.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Facts:
    """Base: each field is one of the record's ``facts``; those without are as here."""

    @classmethod
    def of(cls, record: Mapping[str, Any] | None) -> Self:
        """Read them from a stage's record, if there is one."""
        try:
            return TypeAdapter(cls).validate_python((record or {}).get("facts", {}))
        except ValidationError as e:
            first = e.errors()[0]
            raise FormatError(
                f"record: facts.{'.'.join(map(str, first['loc']))}: {first['msg']}; "
                "run the stage again with --force"
            ) from e

    def noted(self) -> dict[str, Any]:
        """The same as the record has them: what is not known is left out."""
        return {name: v for name, v in asdict(self).items() if v is not None}


@dataclass(frozen=True)
class IngestFacts(Facts):
    """Of ``ingest``: the pixel size, µm, and who gave it."""

    pixel_size_um: float | None = None
    pixel_size_from: str | None = None


@dataclass(frozen=True)
class VerdictFacts(Facts):
    """Of stages that say whether a sample can be used."""

    verdict: QualityVerdict | None = None


@dataclass(frozen=True)
class QualityFacts(VerdictFacts):
    """Of ``quality``: mm² by cause, the tissue's share of the image's border."""

    tissue_sha256: str | None = None
    border_share: float | None = None
    areas_mm2: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Seams:
    """Cells on lines where blocks meet and half-way between, and those cut straight."""

    cells_on_block_lines: int
    straight_on_block_lines: int
    cells_elsewhere: int
    straight_elsewhere: int


@dataclass(frozen=True)
class SegmentFacts(Facts):
    """Of ``segment``: what found the cells, ``"masks"`` for those made elsewhere."""

    model: str | None = None
    seams: Seams | None = None


@dataclass(frozen=True)
class MeasureFacts(Facts):
    """Of ``measure``: counts from which pixels are stained, and what was corrected."""

    pixel_thresholds: dict[str, float | None] = field(default_factory=dict)
    corrected: dict[str, Any] | None = None


@dataclass(frozen=True)
class PhenotypeFacts(VerdictFacts):
    """Of ``phenotype``: cells by phenotype, and rates of impossible combinations."""

    cells: dict[str, int] = field(default_factory=dict)
    impossible: list[dict[str, Any]] = field(default_factory=list)
