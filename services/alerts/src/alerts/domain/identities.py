"""Ids that the same case and the same notice get again when they are made again, as after the database was restored from before.

A case is the n-th of its account in its queue, a storm the n-th of its tenant; a notice is one of its type about a case, for a receiver, on an occasion. What is made anew from the
same events after a restore has the same place, so its id is the one that receivers have seen, whatever the clock says by then.

A *line* keeps apart what only has the same place: an account's second case may have been told of before the restore and never come again, and
what becomes the second one months later is another. So a while after a gap in which nobody kept the line, ids go on along a new one.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.domain.cases import AlertFact, Case, NoticeType

# A line that nobody kept for this long may have been restored: what happened meanwhile is not known.
UNSEEN_FOR = timedelta(hours=1)
# By then everything that was told before a restore and still holds has come again. While the engine catches up it is waited for.
SETTLES_IN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Line:
    """`settles_at`: when a new line begins, after a gap; None in ordinary times."""

    name: str
    seen_at: datetime
    settles_at: datetime | None = None


def kept(line: Line, now: datetime, fresh_name: str, *, is_behind: bool) -> Line:
    """The line from now on. `fresh_name` is one that never was."""
    if now - line.seen_at > UNSEEN_FOR or (line.settles_at is not None and is_behind):
        return replace(line, seen_at=now, settles_at=now + SETTLES_IN)
    if line.settles_at is not None and now >= line.settles_at:
        return Line(fresh_name, now)
    return replace(line, seen_at=now)


def case_id(line: str, tenant_id: int, account: str, queue: str, number: int) -> str:
    """`number`: 1 for the first case that the account ever had in the queue."""
    return _id("case", line, tenant_id, account, queue, number)


def notice_id(tenant_id: int, about: str, kind: str, receiver: str, occasion: str, repeat: int) -> str:
    """`about`: a case, or empty. `repeat`: how many of the same were written before."""
    return _id("msg", tenant_id, about, kind, receiver, occasion, repeat)


def occasion_of(notice: NoticeType, case: Case, firing: Iterable[AlertFact]) -> str:
    """What people know of the case after this notice, for one that says that it got worse: two that got worse together are not the first of them."""
    if notice is not NoticeType.WORSENED:
        return ""
    rules = sorted({*case.told_rules, *(fact.rule for fact in firing)})
    return " ".join([case.severity, *rules])


def storm_occasion(line: str, number: int, *, over: bool) -> str:
    """`number`: 1 for the first storm that the tenant ever had. A storm made anew after a restore has the same place, whatever the clock says."""
    return f"{line} {number} {'over' if over else 'began'}"


def disabled_occasion(line: str, receiver: str, reason: str, times: int) -> str:
    """`times`: 1 when a receiver of this name is disabled for the first time ever."""
    return f"{line} {times} {reason} {receiver}"


def _id(prefix: str, *parts: str | int) -> str:
    # Lengths keep apart what would read the same when joined.
    text = "".join(f"{len(str(part))}:{part}" for part in parts)
    return f"{prefix}_{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
