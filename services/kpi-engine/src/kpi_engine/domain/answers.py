"""Relationship NPS: of each person the latest answer, for 180 local days or until the next one.

Everything here is about one person; days are numbers since 1970-01-01.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

VALID_DAYS = 180
PROMOTER_FROM = 9
DETRACTOR_TO = 6

# Parts of the measure, which is usually called nps.
PROMOTERS = "promoters"
DETRACTORS = "detractors"
ANSWERS = "answers"
MEASURES = (PROMOTERS, DETRACTORS, ANSWERS)


@dataclass(frozen=True, slots=True, order=True)
class Answer:
    """Ordered as answers supersede each other."""

    at: datetime
    source: str
    id: str
    day: int
    score: Decimal


def is_relationship_nps(kind: str, *, transactional: bool) -> bool:
    return kind == "nps" and not transactional


def deltas_of(answers: Iterable[Answer]) -> dict[tuple[str, int], int]:
    """(measure, day) -> change. The sum of all up to a day counts the answers valid on that day."""
    last_of_day = {answer.day: answer for answer in sorted(answers)}
    days = sorted(last_of_day)
    deltas: dict[tuple[str, int], int] = {}
    for index, day in enumerate(days):
        end = min([day + VALID_DAYS, *days[index + 1 : index + 2]])
        for measure in _measures(last_of_day[day].score):
            deltas[measure, day] = deltas.get((measure, day), 0) + 1
            deltas[measure, end] = deltas.get((measure, end), 0) - 1
    return {key: change for key, change in deltas.items() if change}


def _measures(score: Decimal) -> tuple[str, ...]:
    if score >= PROMOTER_FROM:
        return (ANSWERS, PROMOTERS)
    return (ANSWERS, DETRACTORS) if score <= DETRACTOR_TO else (ANSWERS,)
