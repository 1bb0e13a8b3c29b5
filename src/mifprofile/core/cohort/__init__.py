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
from mifprofile.core.cohort.survival import (
    CoxEffect,
    KaplanMeier,
    Landmark,
    LogRank,
    cox,
    kaplan_meier,
    landmark,
    landmark_cox,
    log_rank,
    time_varying_cox,
    value_intervals,
)

__all__ = [
    "LEVEL",
    "Auroc",
    "CoxEffect",
    "Estimate",
    "KaplanMeier",
    "Landmark",
    "LeftOut",
    "LogRank",
    "PairedChange",
    "TwoGroups",
    "arm_effect",
    "auroc",
    "cox",
    "firth_logistic",
    "kaplan_meier",
    "landmark",
    "landmark_cox",
    "leave_one_out",
    "log_rank",
    "mann_whitney",
    "pair_times",
    "paired_change",
    "paired_difference",
    "pool_slides",
    "sign_flips",
    "time_varying_cox",
    "value_intervals",
    "walsh_averages",
]
