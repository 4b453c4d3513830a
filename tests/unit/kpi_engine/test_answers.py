"""Relationship NPS from deltas: on each day the latest answer of the last 180 days."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from kpi_engine.domain.answers import VALID_DAYS, Answer, deltas_of, is_relationship_nps
from kpi_engine.domain.buckets import day_number

START = datetime(2026, 1, 1, tzinfo=UTC)


def answer(hours: int, score: int, source: str = "s", event_id: str = "i") -> Answer:
    at = START + timedelta(hours=hours)
    return Answer(at, source, event_id, day_number(at.date()), Decimal(score))


answers = st.lists(
    st.builds(
        answer, st.integers(0, 24 * 400), st.integers(0, 10), st.sampled_from("ab"), st.sampled_from("xy")
    ),
    max_size=8,
)


def on_day(deltas: dict[tuple[str, int], int], measure: str, day: int) -> int:
    return sum(change for (name, at), change in deltas.items() if name == measure and at <= day)


@given(answers, st.integers(-1, 600))
def test_only_the_latest_valid_answer_counts(given_answers: list[Answer], offset: int) -> None:
    day = day_number(START.date()) + offset
    valid = [a for a in given_answers if day - VALID_DAYS < a.day <= day]
    latest = max(valid, key=lambda a: (a.at, a.source, a.id), default=None)
    same_moment = [
        a for a in valid if latest and (a.at, a.source, a.id) == (latest.at, latest.source, latest.id)
    ]
    if len({a.score for a in same_moment}) > 1:
        return  # one identity has one body
    deltas = deltas_of(given_answers)
    score = latest.score if latest else None
    assert on_day(deltas, "answers", day) == (score is not None)
    assert on_day(deltas, "promoters", day) == (score is not None and score >= 9)
    assert on_day(deltas, "detractors", day) == (score is not None and score <= 6)


@given(answers)
def test_the_order_in_which_answers_are_given_does_not_matter(given_answers: list[Answer]) -> None:
    distinct = list({(a.at, a.source, a.id): a for a in given_answers}.values())
    reversed_answers = list(reversed(distinct))
    assert deltas_of(distinct) == deltas_of(reversed_answers)


def test_an_answer_is_valid_for_exactly_180_days() -> None:
    first = day_number(START.date())
    assert deltas_of([answer(0, 9)]) == {
        ("answers", first): 1,
        ("promoters", first): 1,
        ("answers", first + 180): -1,
        ("promoters", first + 180): -1,
    }


def test_only_relationship_surveys_are_nps() -> None:
    assert is_relationship_nps("nps", transactional=False)
    assert not is_relationship_nps("nps", transactional=True)
    assert not is_relationship_nps("csat", transactional=False)
