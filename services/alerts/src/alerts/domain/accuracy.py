"""How often warnings were right, against what is known to have come of the accounts, and what people said.

Terms: an *ending* is a churn or a renewal, at the moment it was decided (a cancellation was announced, a term lapsed, a renewal was signed): a
warning after that foretells nothing. A churn is *caught* by the first warning within the horizon before it that came before its notice deadline,
further ones are *repeats*; a churn without any is *missed*; what late data refuted catches nothing. Any other warning is a claim for the time until
the account renews beyond the horizon, or the horizon is over; further warnings meanwhile repeat it. People say whether the risk was real:
*confirmed* or *false*. Where they don't, a warning nobody worked on is *false* when that time is over, and one that was worked on is *unsaid*:
whether the account stayed because of the work, nobody knows. For signs of growth, all of this is said of revenue that *grew* in the place of a churn.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from math import sqrt
from statistics import median
from typing import Literal, Protocol

# Fewer verdicts say nothing that a share could express.
LEAST_VERDICTS = 20
# Of the normal distribution, for an interval of 95 %.
_Z = 1.959964

Work = tuple[datetime, datetime | None]
"""From when to when people worked on an account; None: they still do."""


class Verdict(Enum):
    CAUGHT = "caught"
    CONFIRMED = "confirmed"
    FALSE = "false"
    REPEAT = "repeat"
    LATE = "late"  # after the notice deadline of what ended
    AFTER = "after"  # of an account that had already decided to leave
    UNSAID = "unsaid"
    UNJUDGED = "unjudged"  # without a contract, or left by what the rule itself watches
    OPEN = "open"


RIGHT = (Verdict.CAUGHT, Verdict.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Ending:
    """`returned_at`: when an account that had churned paid again. `term_end`: of a renewal, until when it holds (None: not said).

    `notice_deadline`: of a churn, until when notice could have been given. `is_silence`: an account that was closed because nobody used it.
    """

    kind: Literal["churned", "renewed", "grew"]
    decided_at: datetime
    returned_at: datetime | None = None
    term_end: datetime | None = None
    notice_deadline: datetime | None = None
    is_silence: bool = False


@dataclass(frozen=True, slots=True)
class Fired:
    """A warning. `said`: whether people say that the risk was real. `pays`: the account had something to lose.

    `is_withdrawn`: late data refuted it, so it foretold nothing.
    """

    at: datetime
    said: bool | None = None
    pays: bool = True
    is_withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one warning. `days_before` the decision, and the notice deadline, of the churn that it caught.

    `counts`: towards precision. What was worked on counts only where people said whether the risk was real, or every loss would count and
    no save. `renewed_at`: when the account did, within the horizon.
    """

    verdict: Verdict
    days_before: float | None = None
    days_before_notice: float | None = None
    worked: bool = False
    counts: bool = False
    renewed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """A churn that nobody foretold in time. `worked`: people worked on the account within the horizon before it, for another reason."""

    ending: Ending
    worked: bool


@dataclass(frozen=True, slots=True)
class AccountJudged:
    """Of one account: every warning in its order, and the churns that nobody foretold in time."""

    warnings: tuple[Judged, ...]
    missed: tuple[Missed, ...]


def judge_account(
    fired: Sequence[Fired],
    endings: Sequence[Ending],
    horizon: timedelta,
    now: datetime,
    work: Sequence[Work] = (),
    *,
    reads_silence: bool = False,
) -> AccountJudged:
    """`fired` ascending. Endings that were decided after `now` are not known. `reads_silence`: leaving that is silence proves nothing."""
    known = sorted((e for e in endings if e.decided_at <= now), key=lambda ending: ending.decided_at)
    look = _Look(known, horizon, now, work)
    found: dict[int, Judged] = {}
    missed = []
    for churn in known:
        if churn.kind != "renewed":
            is_left_out = reads_silence and churn.is_silence
            if not look.credit(fired, churn, found, is_left_out=is_left_out) and not is_left_out:
                missed.append(Missed(churn, look.was_worked_on(churn.decided_at - horizon, churn.decided_at)))
    for is_withdrawn in (False, True):
        look.claims(fired, found, is_withdrawn=is_withdrawn)
    return AccountJudged(tuple(found[n] for n in range(len(fired))), tuple(missed))


@dataclass(frozen=True, slots=True)
class _Look:
    known: Sequence[Ending]
    horizon: timedelta
    now: datetime
    work: Sequence[Work]

    def credit(
        self, fired: Sequence[Fired], churn: Ending, found: dict[int, Judged], *, is_left_out: bool
    ) -> bool:
        """Gives the churn to the first warning in time. Whether there was one."""
        before = [
            n
            for n, one in enumerate(fired)
            if n not in found
            and not one.is_withdrawn
            and churn.decided_at - self.horizon <= one.at < churn.decided_at
            and self._settled_at(one.at, churn.decided_at) is None
            and not self._is_gone(one.at)
        ]
        if is_left_out:
            found.update((n, Judged(Verdict.UNJUDGED)) for n in before)
            return False
        deadline = min(churn.notice_deadline or churn.decided_at, churn.decided_at)
        in_time = [n for n in before if fired[n].at < deadline]
        found.update((n, Judged(Verdict.LATE)) for n in before if n not in in_time)
        if not in_time:
            return False
        first, at = in_time[0], fired[in_time[0]].at
        worked = self.was_worked_on(at, churn.decided_at)
        is_said = any(fired[n].said is not None for n in in_time)
        notice = None if churn.notice_deadline is None else _days(churn.notice_deadline - at)
        days = _days(churn.decided_at - at)
        found[first] = Judged(Verdict.CAUGHT, days, notice, worked, counts=is_said or not worked)
        found.update((n, Judged(Verdict.REPEAT, worked=worked)) for n in in_time[1:])
        return True

    def claims(self, fired: Sequence[Fired], found: dict[int, Judged], *, is_withdrawn: bool) -> None:
        """Judges what no churn was given to. What was withdrawn repeats, and is repeated by, nothing but its like."""
        left = [n for n, one in enumerate(fired) if n not in found and one.is_withdrawn is is_withdrawn]
        while left:
            first = left.pop(0)
            at = fired[first].at
            if self._is_gone(at) or not fired[first].pays:
                found[first] = Judged(Verdict.AFTER if self._is_gone(at) else Verdict.UNJUDGED)
                continue
            until = self._settled_at(at, at + self.horizon) or at + self.horizon
            same = [n for n in left if fired[n].at < until and not self._is_gone(fired[n].at)]
            left = [n for n in left if n not in same]
            said = [fired[n].said for n in (first, *same) if fired[n].said is not None]
            claim = self._claim(at, until, said[-1] if said else None)
            found[first] = replace(claim, renewed_at=None) if is_withdrawn else claim
            found.update((n, Judged(Verdict.REPEAT, worked=found[first].worked)) for n in same)

    def _claim(self, at: datetime, until: datetime, said: bool | None) -> Judged:
        worked = self.was_worked_on(at, min(until, self.now))
        renewed = [e.decided_at for e in self.known if e.kind == "renewed" and e.decided_at > at]
        renewed_at = renewed[0] if renewed and renewed[0] <= at + self.horizon else None
        if said is not None:
            verdict = Verdict.CONFIRMED if said else Verdict.FALSE
            return Judged(verdict, worked=worked, counts=True, renewed_at=renewed_at)
        if until > self.now:
            return Judged(Verdict.OPEN, worked=worked, renewed_at=renewed_at)
        if worked:
            return Judged(Verdict.UNSAID, worked=True, renewed_at=renewed_at)
        return Judged(Verdict.FALSE, counts=True, renewed_at=renewed_at)

    def _settled_at(self, at: datetime, until: datetime) -> datetime | None:
        """When the account renewed, in between, beyond the horizon of a warning `at`; terms of a month settle nothing."""
        for ending in self.known:
            is_between = ending.kind == "renewed" and at < ending.decided_at < until
            if is_between and (ending.term_end is None or ending.term_end >= at + self.horizon):
                return ending.decided_at
        return None

    def _is_gone(self, at: datetime) -> bool:
        return any(
            e.kind == "churned" and e.decided_at <= at and (e.returned_at is None or at < e.returned_at)
            for e in self.known
        )

    def was_worked_on(self, start: datetime, end: datetime) -> bool:
        return any(began <= end and (ended is None or ended >= start) for began, ended in self.work)


def _days(span: timedelta) -> float:
    return span / timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Share:
    """`value` with its 95 % interval; all three None under 20 verdicts."""

    value: float | None
    low: float | None
    high: float | None
    right: int
    n: int

    @property
    def note(self) -> str | None:
        return "not known yet" if self.value is None else None


def share(right: int, verdicts: int) -> Share:
    """By Wilson's score interval, which stays within 0 and 1 and is honest for few and for extreme counts."""
    if verdicts < LEAST_VERDICTS:
        return Share(None, None, None, right, verdicts)
    p, z2 = right / verdicts, _Z * _Z
    middle = (p + z2 / (2 * verdicts)) / (1 + z2 / verdicts)
    reach = _Z * sqrt(p * (1 - p) / verdicts + z2 / (4 * verdicts * verdicts)) / (1 + z2 / verdicts)
    return Share(p, min(max(middle - reach, 0.0), p), max(min(middle + reach, 1.0), p), right, verdicts)


@dataclass(frozen=True, slots=True)
class Lead:
    """Days from the first warning to the churn it caught; None where nothing was caught."""

    least: float | None
    median: float | None
    most: float | None
    n: int


def lead(days: Iterable[float]) -> Lead:
    found = sorted(days)
    if not found:
        return Lead(None, None, None, 0)
    return Lead(found[0], median(found), found[-1], len(found))


class Published(Protocol):
    """A record of accuracy, or a part of one."""

    @property
    def precision(self) -> Share: ...


def in_words(record: Published) -> str:
    """What a notice says of the rule behind it: counts, never a percentage."""
    found = record.precision
    if found.n < LEAST_VERDICTS:
        return f"not known yet ({found.n} of {LEAST_VERDICTS} verdicts)"
    return f"right in {found.right} of {found.n}"
