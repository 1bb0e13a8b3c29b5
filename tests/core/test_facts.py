import json

import pytest

from mifprofile.core.facts import (
    MeasureFacts,
    PhenotypeFacts,
    QualityFacts,
    Seams,
    SegmentFacts,
    VerdictFacts,
)
from mifprofile.core.quality import QualityVerdict
from mifprofile.errors import FormatError

REVIEW = QualityVerdict("review", ("dark", "blurred"))


@pytest.mark.parametrize(
    "facts",
    [
        QualityFacts(REVIEW, "ab12", 0.25, {"tissue": 2.0}),
        SegmentFacts("masks"),
        SegmentFacts("embedded", Seams(4, 1, 5, 0)),
        MeasureFacts({"CD8": 3.0, "CK": None}),
        MeasureFacts({}, {}),
        PhenotypeFacts(None, {"CTL": 3}, [{"combination": "CD8+/CK+", "of": 3}]),
    ],
)
def test_facts_come_back_from_a_record(facts):
    record = json.loads(json.dumps({"facts": {"more": 1} | facts.noted()}))
    assert type(facts).of(record) == facts


def test_what_is_not_known_is_not_noted():
    assert SegmentFacts("masks").noted() == {"model": "masks"}


def test_stages_that_judge_are_read_alike():
    record = {"facts": QualityFacts(REVIEW).noted()}
    assert VerdictFacts.of(record).verdict == REVIEW


@pytest.mark.parametrize("record", [None, {}, {"facts": {}}])
def test_without_a_record_nothing_is_known(record):
    assert MeasureFacts.of(record) == MeasureFacts()


def test_a_damaged_record_is_named():
    with pytest.raises(FormatError, match="pixel_thresholds"):
        MeasureFacts.of({"stage": "measure", "facts": {"pixel_thresholds": 3}})
