"""All answers of a variable, and the one that is predeclared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mifprofile.core.cohort import questions
from mifprofile.core.cohort.time_to_event import survival

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mifprofile.core.cohort.findings import Finding
    from mifprofile.core.cohort.questions import Asked, Values
    from mifprofile.core.cohort.sheet import Study
    from mifprofile.options import CohortOptions


def answers(values: Values, study: Study, options: CohortOptions) -> Iterator[Finding]:
    """Every question that the sheet can answer."""
    yield from questions.ask(values, study, options)
    yield from survival(values, study, options)


def sorted_answers(
    values: Values, study: Study, options: CohortOptions
) -> Iterator[Finding]:
    """All answers of an endpoint; only the primary one keeps its family."""
    primary = primary_question(values.asked, study)
    seen = False
    for finding in answers(values, study, options):
        first = finding.question == primary and not seen
        seen |= first
        yield finding if first else finding.secondary()
    if not seen:
        why = f"the sheet has nothing to answer a question of {primary} with"
        yield values.asked.finding(primary, questions.ALL_ARMS, "").refused(why)


def primary_answer(values: Values, study: Study, options: CohortOptions) -> Finding:
    """The predeclared answer of an endpoint, under another reading as well."""
    found = sorted_answers(values, study, options)
    return next(one for one in found if one.family == values.asked.family)


def primary_question(asked: Asked, study: Study) -> str:
    """The question that is predeclared.

    Where nobody was to be biopsied before treatment, as mice often are not, a change is
    that against the control arm.
    """
    alone = asked.question == "change" and asked.before not in study.timepoints
    return "arms" if alone and len(study.arms) > 1 else asked.question
