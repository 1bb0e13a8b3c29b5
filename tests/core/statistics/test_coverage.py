"""Short runs of the cohort benchmark: `python -m benchmarks cohort` has long ones."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.cohort import NULL, claims, effects, models
from mifprofile.synthetic.trial import TrialOptions, synthetic_trial


def within(share, level, runs):
    return abs(share - level) <= 3 * np.sqrt(level * (1 - level) / runs)


@pytest.mark.parametrize(("statistics", "runs"), [(effects, 40), (models, 15)])
def test_planted_effects_are_held(statistics, runs):
    options = TrialOptions(lost=0.05)
    answers = [
        statistics(synthetic_trial(options, seed=s), options) for s in range(runs)
    ]
    for name in answers[0]:
        mine = [answer[name] for answer in answers]
        assert not any(found.reason for found, _ in mine)
        held = np.mean([found.low <= truth <= found.high for found, truth in mine])
        assert within(held, 0.95, runs), name


def test_without_an_effect_cells_claim_one_and_patients_do_not():
    runs = 60
    options = TrialOptions(
        12, n_fields=10, slides_per_biopsy=5, changes=NULL, same_batch=False
    )
    found = pd.DataFrame(
        [claims(synthetic_trial(options, seed=seed)) for seed in range(runs)]
    )
    claimed = (found <= 0.05).mean()
    assert (claimed.filter(like="cells") > 0.8).all()
    assert (claimed.filter(like="fields (Mann") > 0.4).all()
    assert (claimed.filter(like="slides") > 0.3).all()
    by_patient = claimed.filter(like="patients")
    assert (by_patient <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)).all()
