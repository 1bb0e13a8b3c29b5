"""Statistics of a cohort, in which the patient is the unit."""

from mifprofile.core.statistics.arms import arm_effect
from mifprofile.core.statistics.association import (
    associate,
)
from mifprofile.core.statistics.bootstrap import (
    two_level_interval,
)
from mifprofile.core.statistics.cutpoints import (
    OPTIMAL_CUT_REFUSED,
    resampled_cut,
)
from mifprofile.core.statistics.error_rates import (
    Review,
    corrected_share,
)
from mifprofile.core.statistics.families import (
    adjust_families,
    benjamini_hochberg,
    holm,
)
from mifprofile.core.statistics.firth import (
    firth_logistic,
)
from mifprofile.core.statistics.mixed import (
    beta_binomial,
    lognormal_mixed,
    negative_binomial,
)
from mifprofile.core.statistics.model import (
    CountModel,
    aggregation_of,
)
from mifprofile.core.statistics.paired import (
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
from mifprofile.core.statistics.power import (
    Power,
    paired_power,
    pairs_needed,
    power_table,
    variance_parts,
)
from mifprofile.core.statistics.response import (
    Auroc,
    TwoGroups,
    auroc,
    mann_whitney,
)
from mifprofile.core.statistics.result import (
    LEVEL,
    Estimate,
)
from mifprofile.core.statistics.species import (
    Concordance,
    Counterpart,
    comparable,
    concordance,
    hedges_g,
)
from mifprofile.core.statistics.survival import (
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
from mifprofile.core.statistics.transitions import (
    Transitions,
    loss,
    transitions,
)

__all__ = [
    "LEVEL",
    "OPTIMAL_CUT_REFUSED",
    "Auroc",
    "Concordance",
    "CountModel",
    "Counterpart",
    "CoxEffect",
    "Estimate",
    "KaplanMeier",
    "Landmark",
    "LeftOut",
    "LogRank",
    "PairedChange",
    "Power",
    "Review",
    "Transitions",
    "TwoGroups",
    "adjust_families",
    "aggregation_of",
    "arm_effect",
    "associate",
    "auroc",
    "benjamini_hochberg",
    "beta_binomial",
    "comparable",
    "concordance",
    "corrected_share",
    "cox",
    "firth_logistic",
    "hedges_g",
    "holm",
    "kaplan_meier",
    "landmark",
    "landmark_cox",
    "leave_one_out",
    "log_rank",
    "lognormal_mixed",
    "loss",
    "mann_whitney",
    "negative_binomial",
    "pair_times",
    "paired_change",
    "paired_difference",
    "paired_power",
    "pairs_needed",
    "pool_slides",
    "power_table",
    "resampled_cut",
    "sign_flips",
    "time_varying_cox",
    "transitions",
    "two_level_interval",
    "value_intervals",
    "variance_parts",
    "walsh_averages",
]
