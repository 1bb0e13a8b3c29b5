"""What the landscapes of a study say of each variable, and what of it enters."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from mifprofile.core.cohort.endpoints import Variable
from mifprofile.core.landscape.estimates import LINEAGE
from mifprofile.core.landscape.rows import asking_for
from mifprofile.core.landscape.scores import HAS_VALUE
from mifprofile.core.panel.targets import marker_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from mifprofile.core.cohort.endpoints import Family
    from mifprofile.model import Panel

Kind = Literal["rate", "share", "ratio", "mean"]
RATES = frozenset({"density", "itil_density"})
RATIOS = frozenset({"ratio", "log2_ratio"})
SHARES = frozenset(
    {
        *("pct_of_cells", "pct_positive", "pdl1_tps", "pdl1_cps", "her2_pct_pos"),
        *("til_cell_pct", "pct_with_neighbour", "her2_pct_complete", "her2_pct_bin"),
    }
)
NUMBERS = ("value", "n_num", "n_den", "area_mm2", "ci_low", "ci_high")
BESIDE = ("n_corrected", "value_at_low_gates", "value_at_high_gates")
KEYS = ("metric", "region", "phenotype", "phenotype_b", "param")
COLUMNS = (
    *("sample_id", "variable", "kind", *NUMBERS, *BESIDE),
    *("grade", "status", "reason", "limited", "enters"),
)
# An adequacy below this one is LIMITED or INADEQUATE.
ADEQUATE = 2
NO_ROW = "the landscape has no such row"
_SAID = ("grade", "status", "reason")


@dataclass(frozen=True)
class SampleResult:
    """A sample as the earlier stages left it.

    Attributes
    ----------
    sample_id : str
    landscape : pandas.DataFrame
        The rows of ``landscape.csv``.
    panel : Panel
    verdict : str
        ``pass``, ``review`` or ``fail``.
    reasons : tuple of str
        Of the verdict.
    facts : dict
        What the study's provenance says of it.
    """

    sample_id: str
    landscape: pd.DataFrame
    panel: Panel
    verdict: str = "pass"
    reasons: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def limited(self) -> bool:
        """Whether there was little tumour, or the sample is under review."""
        mine = self.landscape[self.landscape["metric"] == "adequacy"]
        return self.verdict == "review" or bool((mine["value"] < ADEQUATE).any())

    @cached_property
    def places(self) -> dict[tuple[str, ...], int]:
        """Row of each variable of the landscape."""
        keys = self.landscape[list(KEYS)].itertuples(index=False, name=None)
        return {key: i for i, key in enumerate(keys)}


def kind_of(metric: str) -> Kind:
    """How values of a metric are pooled over slides."""
    if metric in RATES:
        return "rate"
    if metric in RATIOS:
        return "ratio"
    return "share" if metric in SHARES else "mean"


def observe(
    samples: Iterable[SampleResult], variables: Mapping[str, Variable]
) -> pd.DataFrame:
    """What every sample says of every variable.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, a row per sample and variable; ``enters`` is false where there is no
        value, and ``reason`` says why.
    """
    rows = (
        _observation(sample, name, variable)
        for sample in samples
        for name, variable in variables.items()
    )
    table = pd.DataFrame(list(rows), columns=list(COLUMNS))
    kinds = dict.fromkeys((*NUMBERS, *BESIDE), float)
    return table.astype({**kinds, "enters": bool, "limited": bool})


def exploratory_variables(
    samples: Iterable[SampleResult],
    families: Mapping[str, Family],
    without: Collection[str] = (),
) -> dict[str, tuple[str, Variable]]:
    """Variables of the families that any sample has a value of.

    Returns
    -------
    dict
        Name → family and variable, in the order of the landscapes.
    """
    found: dict[str, tuple[str, Variable]] = {}
    for sample in samples:
        for name, family in families.items():
            for variable in _variables(sample.landscape, family):
                if variable.name not in without:
                    found.setdefault(variable.name, (name, variable))
    return found


def _variables(landscape: pd.DataFrame, family: Family) -> Iterator[Variable]:
    params = landscape["param"]
    wanted = (
        landscape["metric"].isin(family.metrics)
        & landscape["region"].isin(family.regions)
        & landscape["status"].isin(HAS_VALUE)
        & (params.isin(family.params) if family.params else params != LINEAGE)
    )
    for row in landscape.loc[wanted, list(KEYS)].drop_duplicates().to_dict("records"):
        yield Variable(**{str(key): text for key, text in row.items()})


def _observation(sample: SampleResult, name: str, variable: Variable) -> dict[str, Any]:
    kind = kind_of(variable.metric)
    row: dict[str, Any] = {
        **dict.fromkeys((*NUMBERS, *BESIDE), np.nan),
        **{"sample_id": sample.sample_id, "variable": name, "kind": kind},
        **{"grade": "", "status": "NOT_COMPUTABLE", "enters": False},
        "limited": sample.limited,
    }
    found, lacking = _rows(sample, variable)
    if lacking:
        return row | {"reason": lacking}
    row |= _joined(found, kind)
    if sample.verdict == "fail":
        why = f"quality: {'; '.join(sample.reasons)}"
        return row | {"status": "QC_FAIL", "reason": why}
    return row | {"enters": row["status"] in HAS_VALUE}


def _rows(sample: SampleResult, variable: Variable) -> tuple[pd.DataFrame, str]:
    """Rows that make up a variable, or why there are none."""
    table, panel = sample.landscape, sample.panel
    exact = sample.places.get(tuple(getattr(variable, key) for key in KEYS))
    if exact is not None:
        return table.iloc[[exact]], ""
    mine = table["metric"] == variable.metric
    mine &= table["region"] == variable.region
    mine &= table["param"] == variable.param
    if not mine.any():
        return table.iloc[:0], NO_ROW
    for column, given in (
        ("phenotype", variable.phenotype),
        ("phenotype_b", variable.phenotype_b),
    ):
        if not given:
            continue
        names = _names(given, panel, set(table.loc[mine, column]))
        if not names:
            return table.iloc[:0], f"the panel has no {given.removesuffix('+')}"
        mine &= table[column].isin(names)
    found = table[mine]
    return found, "" if len(found) else NO_ROW


def _names(given: str, panel: Panel, present: Collection[str]) -> list[str]:
    """Names under which a landscape holds what a variable asks for."""
    if given in present:
        return [given]
    if given == "tumour":
        return [name for name in panel.tumour_phenotypes if name in present]
    marker = marker_of(given, panel)
    if marker in present:
        return [str(marker)]
    if not given.endswith("+"):
        return []
    asking = asking_for(panel, given[:-1])
    return [name for name in asking if name in present]


def _joined(rows: pd.DataFrame, kind: Kind) -> dict[str, Any]:
    """One observation of the rows of several phenotypes."""
    first = rows.iloc[0]
    if len(rows) == 1:
        return {str(c): first[c] for c in (*NUMBERS, *BESIDE, *_SAID)}
    bad = rows[~rows["status"].isin(HAS_VALUE)]
    if len(bad):
        return {str(c): bad.iloc[0][c] for c in _SAID}
    num = float(rows["n_num"].sum())
    same_den = kind == "rate" or rows["n_den"].nunique() == 1
    den = float(first["n_den"] if same_den else rows["n_den"].sum())
    area = float(first["area_mm2"])
    by = area if kind == "rate" else den
    scale = 1.0 if kind in {"rate", "ratio"} else 100.0
    doubtful = rows[rows["status"] != "OK"]
    said = (doubtful if len(doubtful) else rows).iloc[0]
    return {
        "value": scale * num / by if by else np.nan,
        "n_num": num,
        "n_den": den,
        "area_mm2": area,
        "n_corrected": float(rows["n_corrected"].sum(skipna=False)),
        **{
            column: float(rows[column].sum(skipna=False))
            for column in BESIDE[1:]
            if kind == "rate"
        },
        **{"grade": said["grade"], "status": said["status"], "reason": said["reason"]},
    }
