"""What a study asks: endpoints with their estimands, as a statistician writes them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mifprofile.core.landscape.metrics import METRICS
from mifprofile.errors import UsageError
from mifprofile.model import nearest

Scale = Literal["log2", "logit", "identity"]
Question = Literal["change", "arms", "response", "survival"]
# Up to here endpoints may be called predeclared.
MOST_PREDECLARED = 6


class _Read(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Variable(_Read):
    """A value of ``landscape.csv``, by the columns that name it.

    A phenotype may be named as the panel does, or by the molecule that its rule asks
    for (``CD8+``): then all phenotypes that ask for it count. ``tumour`` is the
    phenotype that the panel calls so.
    """

    metric: str
    region: str = "tissue"
    phenotype: str = ""
    phenotype_b: str = ""
    param: str = ""

    @model_validator(mode="after")
    def _known_metric(self) -> Self:
        if self.metric not in METRICS:
            hint = nearest(self.metric, METRICS)
            raise UsageError(f"unknown metric {self.metric!r}{hint}")
        return self

    @property
    def name(self) -> str:
        """As a column of ``landscape_wide.csv``."""
        parts = (
            self.metric,
            self.region,
            self.phenotype,
            self.phenotype_b,
            self.param,
        )
        return "__".join(part for part in parts if part)


class Estimand(_Read):
    """What exactly is estimated, in the words of ICH E9(R1)."""

    population: str
    treatment: str
    intercurrent_events: str
    summary: str


class Endpoint(_Read):
    """A variable, how it is compared, and the estimand behind it."""

    id: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    title: str
    variable: Variable
    scale: Scale = "log2"
    question: Question = "change"
    before: str = "baseline"
    after: str = "on_tx"
    end: Literal["pfs", "os"] = "pfs"
    estimand: Estimand

    @property
    def unit(self) -> str:
        """Of the estimate of a change."""
        units = {"log2": "log2 ratio", "logit": "log2 odds ratio"}
        plain = METRICS[self.variable.metric].unit
        return units.get(self.scale, "points" if plain == "1" else plain)


class Family(_Read):
    """Exploratory variables whose p-values are corrected together."""

    metrics: tuple[str, ...] = Field(min_length=1)
    regions: tuple[str, ...] = ("tissue",)
    params: tuple[str, ...] = ()


class Protocol(_Read):
    """``endpoints.yaml``: the endpoints, and which of them each regimen predeclares."""

    estimands: dict[str, Estimand] = Field(default_factory=dict)
    endpoints: tuple[Endpoint, ...]
    regimens: dict[str, tuple[str, ...]]
    families: dict[str, Family] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _named_estimands(cls, content: dict[str, object]) -> dict[str, object]:
        """Put an estimand where an endpoint names one."""
        named, listed = content.get("estimands"), content.get("endpoints")
        if not isinstance(named, dict) or not isinstance(listed, list):
            return content
        return content | {"endpoints": [_spelled_out(one, named) for one in listed]}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [endpoint.id for endpoint in self.endpoints]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise UsageError(f"endpoint {doubled[0]!r} occurs more than once")
        for regimen, chosen in self.regimens.items():
            for name in chosen:
                if name not in names:
                    hint = nearest(name, names)
                    raise UsageError(f"regimen {regimen!r}: no endpoint {name!r}{hint}")
            if len(chosen) > MOST_PREDECLARED:
                raise UsageError(
                    f"regimen {regimen!r}: {len(chosen)} endpoints; predeclare at most "
                    f"{MOST_PREDECLARED}, the others are exploratory"
                )
        return self

    def predeclared(self, regimen: str) -> tuple[Endpoint, ...]:
        """Endpoints of a regimen; raises UsageError if there is no such regimen."""
        if regimen not in self.regimens:
            hint = nearest(regimen, self.regimens)
            known = ", ".join(self.regimens)
            raise UsageError(f"no regimen {regimen!r}{hint}; known are {known}")
        chosen = self.regimens[regimen]
        return tuple(one for one in self.endpoints if one.id in chosen)


def _spelled_out(endpoint: object, named: dict[str, object]) -> object:
    if not isinstance(endpoint, dict):
        return endpoint
    name = endpoint.get("estimand")
    if not isinstance(name, str):
        return endpoint
    if name not in named:
        where = endpoint.get("id")
        raise UsageError(
            f"endpoint {where!r}: no estimand {name!r}{nearest(name, named)}"
        )
    return {**endpoint, "estimand": named[name]}
