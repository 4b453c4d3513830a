"""How often warnings were right, against what is known to have come of the accounts.

Terms: an *ending* is a churn or a renewal, at the moment it was decided (a cancellation was announced, a term lapsed, a renewal was signed): a
warning after that foretells nothing. A churn is *caught* by the first warning within the horizon before it, further ones are *repeats*; a churn
without any is *missed*. A warning is *false* when the account renewed after it, or had not churned when the horizon was over; *after* when the
account had already decided to leave; *open* while nobody can know.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from math import sqrt
from statistics import median
from typing import Literal

# Fewer verdicts say nothing that a share could express.
LEAST_VERDICTS = 20
# Of the normal distribution, for an interval of 95 %.
_Z = 1.959964


class Verdict(Enum):
    CAUGHT = "caught"
    REPEAT = "repeat"
    FALSE = "false"
    AFTER = "after"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Ending:
    """`returned_at`: when an account that had churned paid again."""

    kind: Literal["churned", "renewed"]
    decided_at: datetime
    returned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """Of one account: a verdict for each warning in their order, with the days from it to the churn it caught; and the churns that nobody foretold."""

    verdicts: tuple[tuple[Verdict, float | None], ...]
    missed: tuple[Ending, ...]


def judge_account(
    fired: Sequence[datetime], endings: Sequence[Ending], horizon: timedelta, now: datetime
) -> Judged:
    """`fired` ascending. Endings that were decided after `now` are not known."""
    known = [ending for ending in endings if ending.decided_at <= now]
    churns = [ending for ending in known if ending.kind == "churned"]
    credited: dict[int, float] = {}
    repeats: set[int] = set()
    missed = []
    for churn in churns:
        before = [
            n
            for n, at in enumerate(fired)
            if churn.decided_at - horizon <= at < churn.decided_at and n not in credited and n not in repeats
        ]
        if not before:
            missed.append(churn)
            continue
        credited[before[0]] = (churn.decided_at - fired[before[0]]) / timedelta(days=1)
        repeats.update(before[1:])
    verdicts: list[tuple[Verdict, float | None]] = []
    for n, at in enumerate(fired):
        if n in credited:
            verdicts.append((Verdict.CAUGHT, credited[n]))
        elif n in repeats:
            verdicts.append((Verdict.REPEAT, None))
        else:
            verdicts.append((_uncredited(at, known, horizon, now), None))
    return Judged(tuple(verdicts), tuple(missed))


def _uncredited(at: datetime, known: Sequence[Ending], horizon: timedelta, now: datetime) -> Verdict:
    for ending in known:
        is_gone = ending.kind == "churned" and ending.decided_at <= at
        if is_gone and (ending.returned_at is None or at < ending.returned_at):
            return Verdict.AFTER
    renewed = any(ending.kind == "renewed" and at < ending.decided_at <= at + horizon for ending in known)
    return Verdict.FALSE if renewed or now >= at + horizon else Verdict.OPEN


@dataclass(frozen=True, slots=True)
class Share:
    """`value` with its 95 % interval; all three None under 20 verdicts."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    @property
    def note(self) -> str | None:
        return "not known yet" if self.value is None else None


def share(right: int, verdicts: int) -> Share:
    """By Wilson's score interval, which stays within 0 and 1 and is honest for few and for extreme counts."""
    if verdicts < LEAST_VERDICTS:
        return Share(None, None, None, verdicts)
    p, z2 = right / verdicts, _Z * _Z
    middle = (p + z2 / (2 * verdicts)) / (1 + z2 / verdicts)
    reach = _Z * sqrt(p * (1 - p) / verdicts + z2 / (4 * verdicts * verdicts)) / (1 + z2 / verdicts)
    return Share(p, min(max(middle - reach, 0.0), p), max(min(middle + reach, 1.0), p), verdicts)


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
