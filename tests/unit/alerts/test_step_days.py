"""Invoices and answers by day: as somebody finds who looks at all that was said by the end of each."""

from datetime import UTC, datetime, timedelta
from statistics import median

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alerts.domain.people_days import answer_figures, days_since_survey
from alerts.domain.step_days import invoices_failed, ticket_figures
from common.signals.said import LEAST_TICKETS, Answer, Step

START, DAY, DAYS = datetime(2026, 1, 5, tzinfo=UTC), timedelta(days=1), 200
ENDS = [START + (day + 1) * DAY for day in range(DAYS)]
INSTANTS = st.integers(-30 * 24, (DAYS + 5) * 24).map(lambda hour: START + timedelta(hours=hour))
STEPS = st.tuples(INSTANTS, st.sampled_from("ab"), st.sampled_from(["failed", "paid"]))


@given(st.lists(STEPS, max_size=8))
def test_an_invoice_counts_while_it_was_last_told_of_as_failed_and_for_90_days(
    said: list[tuple[datetime, str, str]],
) -> None:
    steps = [Step(entity, step, at, {}) for at, entity, step in sorted(said, key=lambda one: one[0])]
    found = invoices_failed(steps, ENDS)
    for day in range(0, DAYS, 7):
        now = ENDS[day] - timedelta(microseconds=1)
        last = {one.entity: one.step for one in steps if now - 90 * DAY <= one.at <= now}
        assert found[day] == list(last.values()).count("failed")


@given(st.lists(INSTANTS, max_size=4))
def test_the_days_since_the_latest_answer_are_counted_by_local_days(said: list[datetime]) -> None:
    answers = [Answer(person, at, 9) for person, at in enumerate(sorted(said))]
    found = answer_figures(answers, ENDS)["days_since_answer"]
    for day in range(0, DAYS, 7):
        days = [max(at - START, timedelta(0)) // DAY for at in said if at < ENDS[day]]
        assert [found[day]] == [day - max(days)] if days else found[day] != found[day]


def test_the_days_since_a_survey_are_known_until_it_is_forgotten() -> None:
    ends = [START + (day + 1) * DAY for day in range(900)]
    steps = [Step("s", "sent", START + 3 * DAY, {}), Step("s", "responded", START + 9.5 * DAY, {})]
    found = days_since_survey(steps, ends)
    assert [found[3], found[8], found[9], found[808]] == [0, 5, 0, 799]
    assert np.isnan([found[2], found[809]]).all()


@given(st.lists(st.tuples(INSTANTS, INSTANTS, INSTANTS | st.none()), max_size=2 * LEAST_TICKETS))
def test_tickets_wait_from_their_opening_for_an_answer_or_still(
    said: list[tuple[datetime, datetime, datetime | None]],
) -> None:
    """An answer dated before its ticket took no time, and who was helped without one waits no more."""
    steps = [
        Step(str(n), step, at, {})
        for n, instants in enumerate(said)
        for step, at in zip(("opened", "first_responded", "resolved"), instants, strict=True)
        if at is not None
    ]
    found = ticket_figures(sorted(steps, key=lambda one: one.at), ENDS)
    for day in range(0, DAYS, 7):
        now = ENDS[day] - timedelta(microseconds=1)
        ages = [
            (now - opened, max(min(answered, resolved or now, now) - opened, timedelta(0)) / timedelta(hours=1))
            for opened, answered, resolved in said if opened <= now
        ]  # fmt: skip
        recent = [hours for age, hours in ages if age < 28 * DAY]
        earlier = [hours for age, hours in ages if 28 * DAY <= age <= 120 * DAY]
        known = any(now - 120 * DAY <= answered <= now for _, answered, _ in said)
        assert found["tickets_28d"][day] == len(recent)
        for part, its, least in (("hours", recent, 1), ("usual", earlier, LEAST_TICKETS)):
            told = found[f"first_response_{part}"][day]
            assert told == median(its) if known and len(its) >= least else np.isnan(told)
