"""Statistics of a cohort, in which the patient is the unit."""

from mifprofile.core.cohort.arms import arm_effect
from mifprofile.core.cohort.firth import firth_logistic
from mifprofile.core.cohort.paired import (
    LeftOut,
    PairedChange,
    leave_one_out,
    pair_times,
    paired_change,
    paired_difference,
    pool_slides,
    sign_flips,
    walsh_averages,
)
from mifprofile.core.cohort.response import (
    Auroc,
    TwoGroups,
    auroc,
    mann_whitney,
)
from mifprofile.core.cohort.result import LEVEL, Estimate

__all__ = [
    "LEVEL",
    "Auroc",
    "Estimate",
    "LeftOut",
    "PairedChange",
    "TwoGroups",
    "arm_effect",
    "auroc",
    "firth_logistic",
    "leave_one_out",
    "mann_whitney",
    "pair_times",
    "paired_change",
    "paired_difference",
    "pool_slides",
    "sign_flips",
    "walsh_averages",
]
