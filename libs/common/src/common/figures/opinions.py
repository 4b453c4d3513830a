"""Relationship answers one by one: of each wave of a survey, and of the same people at both ends of a bucket."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import sqrt

from common.catalogue.economics import NpsChange, NpsWave
from common.catalogue.models import Nps
from common.figures import values
from common.figures.asked import Asked, ByBucket
from common.figures.buckets import sample_day
from common.figures.calendar import DAY
from common.figures.model import Value
from common.figures.placing import placing
from common.figures.slices import GroupKey

VALID_DAYS = 180
Person = tuple[int, int]
"""(account, person)"""
OPINIONS = (NpsChange, NpsWave)
OWN = {"wave": "wave", "survey": "survey"}
"""What an answer says itself."""


def answer(formula: NpsChange | NpsWave, asked: Asked) -> ByBucket:
    return _waves(formula, asked) if isinstance(formula, NpsWave) else _changes(formula, asked)


def empty(formula: NpsChange | NpsWave) -> Value:
    return _of_wave(formula, {}) if isinstance(formula, NpsWave) else _change(formula, [])


def _waves(formula: NpsWave, asked: Asked) -> ByBucket:
    place, (first, last) = placing(asked.store, None, OWN), asked.span
    latest: dict[tuple[GroupKey, int], dict[Answered, Fraction]] = defaultdict(dict)
    for account_id, person_id, at, score, survey, wave in asked.store.read(
        _OF_WAVES, asked.store.params(first=first, last=last)
    ):
        bucket = asked.bucket_of(at)
        own = {"survey": survey, **({} if wave is None else {"wave": wave})}
        group = None if bucket is None else place.on_day(account_id, at, own)
        if bucket is not None and group is not None:
            latest[group, bucket][account_id, person_id, survey, wave] = Fraction(score)
    found: ByBucket = defaultdict(dict)
    for (group, bucket), scores in latest.items():
        found[group][bucket] = _of_wave(formula, scores)
    return found


Answered = tuple[int, int, str, str | None]
"""(account, person, survey, wave)"""


def _of_wave(formula: NpsWave, scores: Mapping[Answered, Fraction]) -> Value:
    promoters, detractors = (
        sum(its) for its in ([s >= 9 for s in scores.values()], [s <= 6 for s in scores.values()])
    )
    shown = Nps(type="nps", measure=formula.measure, min_n=formula.min_n)
    value = values.nps(promoters, detractors, len(scores), shown)
    return replace(value, accounts=len({account_id for account_id, *_ in scores}))


def _changes(formula: NpsChange, asked: Asked) -> ByBucket:
    answers = _answers(asked)
    calendar = asked.store.calendar
    found: ByBucket = defaultdict(dict)
    for position, bucket in enumerate(asked.buckets):
        last = sample_day(calendar, bucket, asked.now)
        if last is None:
            continue
        before = calendar.day_of(bucket.start) - DAY
        cells: dict[GroupKey, list[tuple[int, int]]] = defaultdict(list)
        for (account_id, _), told in answers.items():
            then, now = _side_on(told, before), _side_on(told, last)
            if then is not None and now is not None:
                group = asked.placing.at(account_id, calendar.day_start(last))
                if group is not None:
                    cells[group].append((account_id, now - then))
        for group, rows in cells.items():
            found[group][position] = _change(formula, rows)
    return found


def _change(formula: NpsChange, rows: Sequence[tuple[int, int]]) -> Value:
    """Points, with 95 % of the normal distribution: a mean of changes by -2 to 2 of each person."""
    n, net = len(rows), sum(change for _, change in rows)
    if not n:
        return Value(None, 0, 0, n=0, accounts=0, low_n=formula.min_n > 0)
    mean = Fraction(net, n)
    half = 100 * values.Z_95 * sqrt(sum((change - mean) ** 2 for _, change in rows) / n / n)
    value = float(100 * mean)
    return Value(
        value, net, n, max(-200.0, value - half), min(200.0, value + half), n=n,
        accounts=len({account_id for account_id, _ in rows}), low_n=n < formula.min_n,
    )  # fmt: skip


Answers = Sequence[tuple[dt.date, Fraction]]


def _side_on(told: Answers, day: dt.date) -> int | None:
    """1, 0 or -1 by the latest answer of the 180 days up to a local day; None without one."""
    valid = [score for on, score in told if day - VALID_DAYS * DAY < on <= day]
    return None if not valid else (valid[-1] >= 9) - (valid[-1] <= 6)


def _answers(asked: Asked) -> Mapping[Person, Answers]:
    """Per person the local day and score of every relationship answer, in order."""

    def read() -> Mapping[Person, Answers]:
        found: dict[Person, list[tuple[dt.date, Fraction]]] = defaultdict(list)
        for account_id, person_id, at, score in asked.store.read(_ANSWERS, asked.store.params(now=asked.now)):
            found[account_id, person_id].append((asked.store.calendar.day_of(at), Fraction(score)))
        return found

    return asked.store.once(("relationship answers", asked.now), read)


_ANSWERS = """
select account_id, person_id, answered_at, score from published.answer
where tenant_id = %(tenant)s and kind = 'nps' and not transactional and answered_at < %(now)s
  and person_id not in (select person_id from published.person where tenant_id = %(tenant)s and is_internal)
order by answered_at, source collate "C", event_id collate "C"
"""
_OF_WAVES = """
select account_id, person_id, answered_at, score, survey, wave from published.answer
where tenant_id = %(tenant)s and kind = 'nps' and not transactional and answered_at >= %(first)s and answered_at < %(last)s
  and person_id not in (select person_id from published.person where tenant_id = %(tenant)s and is_internal)
order by answered_at, source collate "C", event_id collate "C"
"""
