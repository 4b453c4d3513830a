"""A tenant's past as account-months to learn from and renewals to judge by, each with what was known by then and nothing else."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from common.catalogue.cel import SIGNALS, account_root
from common.figures.mrr import OVERDUE, ZERO, Change, Step, committed_functions, value_before
from common.figures.terms import Due, dues
from common.risk.base_rates import BaseRates, base_rates
from common.risk.past import Known, Past, known_at, months_until
from common.risk.renewals import Renewal, facing
from common.risk.score import Score
from common.risk.training import AccountMonth, PastRenewal

TIME_TO_ACT = dt.timedelta(days=30)
"""A renewal is asked about at the last month's start so long before it must be decided: later warnings help nobody."""

Recorded = Mapping[int, Sequence[tuple[dt.date, float]]]
"""Account -> (local day, probability) of the score as it was computed then, in order."""


def month_starts(first: dt.datetime, last: dt.datetime, zone: ZoneInfo) -> list[dt.datetime]:
    """Local midnights of the first days of months, after `first` up to `last`."""
    local = first.astimezone(zone)
    count = local.year * 12 + local.month  # the month after that of `first`
    found: list[dt.datetime] = []
    while True:
        at = dt.datetime(count // 12, count % 12 + 1, 1, tzinfo=zone).astimezone(dt.UTC)
        if at > last:
            return found
        found.append(at)
        count += 1


def histories(
    past: Past, starts: Sequence[dt.datetime], score: Score, recorded: Recorded, now: dt.datetime
) -> tuple[list[AccountMonth], list[PastRenewal]]:
    """`starts`: of the months to learn from, in order; the last one only ends the one before it."""
    paying = {account: _Paying(its.changes) for account, its in past.facts.items()}
    outcomes = _outcomes(past, now)
    months: list[AccountMonth] = []
    asked: dict[Key, _Asked] = {}
    for at, until in pairwise(starts):
        known = known_at(past, at)
        rates = _rates(known.values(), score, at)
        for account, its in known.items():
            settled_at = until + OVERDUE
            left = paying[account].left(at, until, settled_at) if settled_at <= now else None
            if left is not None:
                months_to_due = None if its.next is None else months_until(at, its.next.due_at, past.zone)
                months.append(AccountMonth(account, at, its.figures, months_to_due, left, settled_at))
            for key, renewal in _asked(account, its, outcomes.get(account, {}), at):
                asked[key] = _Asked(at, its, renewal, rates)
    renewals = [
        _past_renewal(past, score, recorded, key, one, outcomes[key[0]][key[1:]])
        for key, one in asked.items()
    ]
    return months, sorted(renewals, key=lambda one: (one.at, one.account_id))


class _Paying:
    """When an account paid for more than it had given notice of, as was known at an instant. Asked month by month, in order."""

    def __init__(self, changes: Iterable[tuple[dt.datetime, Change]]) -> None:
        told = sorted(((max(known, its.event_at), its) for known, its in changes), key=itemgetter(0))
        self._known = [known for known, _ in told]
        self._changes = [its for _, its in told]
        self._lapses = sorted(its.term_end + OVERDUE for its in self._changes if its.term_end is not None)
        self._made: dict[tuple[int, int], list[Step]] = {}
        self._gone_at: dt.datetime | None = None

    def left(self, at: dt.datetime, until: dt.datetime, settled_at: dt.datetime) -> bool | None:
        """Whether one that paid, as was known at the month's start, left by its end, as was known when that was settled.

        None where it didn't pay, or is known to have left in a month before.
        """
        if value_before(self._steps(at), at) <= 0:
            return None
        gone_at = _gone_at(self._steps(settled_at), until)
        if gone_at is None:
            return False
        if gone_at == self._gone_at:
            return None
        self._gone_at = gone_at
        return True

    def _steps(self, at: dt.datetime) -> list[Step]:
        key = bisect_left(self._known, at), bisect_right(self._lapses, at)
        if key not in self._made:
            known = self._changes[: key[0]]
            self._made[key] = committed_functions(known, at, lambda _: None).get(None, [])
        return self._made[key]


def _gone_at(steps: Iterable[Step], until: dt.datetime) -> dt.datetime | None:
    """Since when nothing is paid, at the last instant before `until`; None where something is."""
    total, gone_at = ZERO, None
    for at, delta in steps:
        if at < until:
            total += delta
            gone_at = None if total > 0 else gone_at or at
    return gone_at


Key = tuple[int, dt.datetime, str]
_Outcomes = dict[tuple[dt.datetime, str], Due]


def _outcomes(past: Past, now: dt.datetime) -> dict[int, _Outcomes]:
    """The renewals of each account that are decided by now, and cannot lapse any more."""
    found: dict[int, _Outcomes] = {}
    for account, its in past.facts.items():
        of_account = dues([change for _, change in its.changes], now, past.converted)
        found[account] = {
            (due.at, due.subscription): due
            for due in of_account
            if due.renewed is not None and due.at + OVERDUE <= now
        }
    return found


@dataclass(frozen=True, slots=True)
class _Asked:
    """A renewal as it stood at an instant, with its account and the base rates of then."""

    at: dt.datetime
    its: Known
    renewal: Renewal
    rates: BaseRates


def _asked(account: int, its: Known, outcomes: _Outcomes, at: dt.datetime) -> Iterator[tuple[Key, Renewal]]:
    """The open renewals of which there was still time to save them; a later month's start replaces an earlier one's."""
    for renewal in its.open:
        if (renewal.due_at, renewal.subscription) in outcomes and at + TIME_TO_ACT <= renewal.decide_by:
            yield (account, renewal.due_at, renewal.subscription), renewal


def _past_renewal(
    past: Past, score: Score, recorded: Recorded, key: Key, one: _Asked, outcome: Due
) -> PastRenewal:
    today = one.at.astimezone(past.zone).date()
    # What was recorded is the risk of the one that had to be decided first.
    said = _said(recorded.get(key[0], ()), today) if one.renewal is one.its.next else None
    return PastRenewal(
        account_id=key[0],
        at=one.at,
        figures=one.its.figures,
        months_to_due=months_until(one.at, one.renewal.due_at, past.zone),
        score=_scored(score, one, today, past.zone) if said is None else said,
        lost=outcome.renewed == 0,
        decided_at=one.renewal.due_at + OVERDUE,
    )


def _scored(score: Score, one: _Asked, today: dt.date, zone: ZoneInfo) -> float:
    """What the score says of it on what was known then."""
    known = facing(one.renewal, one.its.renewals, today, lambda at: at.astimezone(zone).date())
    evidence = score.evidence(account_root(with_use(one.its.figures), one.its.traits))
    return score.judge(evidence, one.its.traits.get("segment"), one.rates, known).probability


def with_use(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Signals and quiet days aren't made anew for the past; use against what was to be expected is told by 28 days against the 28 before."""
    said = {**figures, "quiet_days": 0, "quiet_28d": 0}
    own, segment = figures.get("login_trend"), figures.get("segment_login_trend")
    if own is not None:
        expected = min(1.0 + (segment or 0.0), 1.0)
        said[SIGNALS] = {"use_fell": {"state": "off", "value": 1.0 + own, "baseline": expected}}
    return said


def _rates(known: Iterable[Known], score: Score, at: dt.datetime) -> BaseRates:
    """Of the renewals that were decided as it was known then, in the segment that their account had then."""
    since = at - dt.timedelta(days=score.settings.past_days)
    counts: dict[str | None, list[int]] = defaultdict(lambda: [0, 0])
    for its in known:
        of_segment = counts[its.traits.get("segment")]
        for one in its.renewals:
            if one.renewed is not None and since <= one.due_at < at:
                of_segment[0] += 1
                of_segment[1] += one.renewed == 0
    return base_rates({segment: (n, lost) for segment, (n, lost) in counts.items()}, score.settings)


def _said(recorded: Sequence[tuple[dt.date, float]], day: dt.date) -> float | None:
    """What the score was at the end of the day before."""
    before = [probability for said, probability in recorded if said < day]
    return before[-1] if before else None
