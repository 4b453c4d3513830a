"""Relationship NPS from raw answers: on each day, everybody's latest answer of the last 180 local days."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from tests.reference.calendar import Calendar
from tests.reference.events import Event, accepted, without_internal

VALID_DAYS = 180
PROMOTER_FROM = 9
DETRACTOR_TO = 6


@dataclass(frozen=True)
class Nps:
    promoters: int
    detractors: int
    answers: int

    @property
    def value(self) -> Fraction | None:
        """Between -1 and 1, unknown without an answer."""
        return Fraction(self.promoters - self.detractors, self.answers) if self.answers else None


def relationship_answers(arrived: Iterable[Event]) -> list[Event]:
    """Answers to NPS surveys that no single transaction asked for, by people who are not internal."""
    return [
        event
        for event in without_internal(accepted(arrived))
        if event.type == "survey.responded"
        and event.user is not None
        and event.data.get("kind") == "nps"
        and event.data.get("transactional") is not True
    ]


def nps_on(answers: Iterable[Event], calendar: Calendar, day: date) -> Nps:
    """From `relationship_answers`, as things stand at the end of local `day`."""
    latest: dict[tuple[str, str], Event] = {}
    for event in answers:
        if day - timedelta(days=VALID_DAYS) < calendar.day_of(event.at) <= day:
            person = (event.account, str(event.user))
            if person not in latest or latest[person].order < event.order:
                latest[person] = event
    scores = [event.data["score"] for event in latest.values()]
    return Nps(
        promoters=sum(score >= PROMOTER_FROM for score in scores),
        detractors=sum(score <= DETRACTOR_TO for score in scores),
        answers=len(scores),
    )
