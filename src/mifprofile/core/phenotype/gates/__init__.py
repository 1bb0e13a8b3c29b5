"""Where positive begins: every way to find a threshold, and how sure it is."""

from mifprofile.core.phenotype.gates.evidence import gate_alone
from mifprofile.core.phenotype.gates.figures import (
    GATE_FIGURES,
    drift,
    gate_figures,
    grade_of,
    population,
)
from mifprofile.core.phenotype.gates.find import (
    find_gate,
    find_gates,
    gating_order,
    method_of,
)
from mifprofile.core.phenotype.gates.gate import (
    GATE_COLUMNS,
    Gate,
    Grade,
    KnownGates,
)
from mifprofile.core.phenotype.gates.mixture import fit_gate
from mifprofile.core.phenotype.gates.pooling import pool

__all__ = [
    "GATE_COLUMNS",
    "GATE_FIGURES",
    "Gate",
    "Grade",
    "KnownGates",
    "drift",
    "find_gate",
    "find_gates",
    "fit_gate",
    "gate_alone",
    "gate_figures",
    "gating_order",
    "grade_of",
    "method_of",
    "pool",
    "population",
]
