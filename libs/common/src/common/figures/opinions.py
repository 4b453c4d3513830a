"""How the same people's opinion changed: relationship answers that were valid at both ends of a bucket."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import sqrt

from common.catalogue.economics import NpsChange
from common.figures import values
from common.figures.asked import Asked, ByBucket
from common.figures.buckets import sample_day
from common.figures.calendar import DAY
from common.figures.model import Value
from common.figures.slices import GroupKey

VALID_DAYS = 180
Person = tuple[int, int]
"""(account, person)"""


def answer(formula: NpsChange, asked: Asked) -> ByBucket:
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


def empty(formula: NpsChange) -> Value:
    return _change(formula, [])


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
