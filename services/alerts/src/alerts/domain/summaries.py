"""Notices about many cases at once, or about none: the morning's digest, a storm, the heartbeat."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from alerts.domain.cases import NoticeType
from alerts.domain.notices import clip, instant
from common import words

# What fits into a notice and a morning; the page has the rest.
MAX_ENTRIES = 25


@dataclass(frozen=True, slots=True)
class Entry:
    """A case as a digest shows it. `money` a year. `steps_due`: labels of steps that are due today or overdue."""

    case_id: str
    account: str
    account_name: str
    severity: str
    is_new: bool
    is_acknowledged: bool
    lapsed: bool
    money: Decimal | None
    notice_deadline: datetime | None
    evidence: str
    steps_due: tuple[str, ...]


def digest_notice(
    owner: str | None,
    for_whom: Sequence[str],
    day: date,
    entries: Sequence[Entry],
    currency: str,
    public_url: str,
    now: datetime,
    missed: Sequence[date] = (),
) -> dict[str, Any]:
    """`entries` most at stake first. `for_whom`: people whose cases these are too, because they are away. `missed`: days without the digest they
    should have had.
    """
    base = public_url.rstrip("/")
    shown, left_out = entries[:MAX_ENTRIES], len(entries[MAX_ENTRIES:])
    fresh = sum(entry.is_new for entry in entries)
    subject = f"{words.counted(len(entries), 'open case')}, {fresh or 'none'} of them new"
    lines = [f"You stand in for {' and '.join(for_whom)}."] if for_whom else []
    lines += [_missed(missed)] if missed else []
    lines += [_line(entry, currency) for entry in shown]
    if left_out:
        lines.append(f"And {words.counted(left_out, 'more case')} with less at stake.")
    query = f"?sort=priority&assignee={quote(owner, safe='')}" if owner else "?sort=priority"
    data = {
        "owner": owner,
        "stands_in_for": list(for_whom),
        "day": day.isoformat(),
        "missed_days": [one.isoformat() for one in missed],
        "cases": [_entry(entry, currency) for entry in shown],
        "cases_left_out": left_out,
        "subject": subject if owner else f"{subject}, of accounts that nobody looks after",
        "lines": lines,
        "links": {"page": f"{base}/cases{query}", "cases": f"{base}/v1/alerts{query}"},
    }
    return {"type": NoticeType.DIGEST.value, "timestamp": instant(now), "data": data}


def storm_notice(
    cases: int, began_at: datetime, public_url: str, now: datetime, *, over: bool
) -> dict[str, Any]:
    base = public_url.rstrip("/")
    if over:
        subject = f"{words.counted(cases, 'case')} opened in a storm that is over"
        lines = [
            f"Between {words.minute(began_at)} and now {words.counted(cases, 'case')} opened that nobody was told of one by one."
        ]
    else:
        subject = "Many cases open at once"
        lines = [
            "More cases open than anybody can read one by one, so from here on they are not told one by one."
        ]
    lines.append(
        "They stand in the work queue, most at stake first. Look first whether something of ours is broken."
    )
    data = {
        "state": "over" if over else "began",
        "cases": cases,
        "began_at": instant(began_at),
        "severity": "critical",
        "subject": subject,
        "lines": lines,
        "links": {"page": f"{base}/cases", "cases": f"{base}/v1/alerts?sort=priority"},
    }
    return {"type": NoticeType.STORM_SUMMARY.value, "timestamp": instant(now), "data": data}


def heartbeat_notice(every_seconds: float, now: datetime) -> dict[str, Any]:
    """Says only that all is well now; who doesn't hear it for `next_within_seconds` should be woken."""
    data = {
        "healthy": True,
        "next_within_seconds": every_seconds,
        "subject": "All is well",
        "lines": ["Events are counted and cases are kept. When this stops coming, look at the pipeline."],
    }
    return {"type": NoticeType.HEARTBEAT.value, "timestamp": instant(now), "data": data}


def _line(entry: Entry, currency: str) -> str:
    marks = ["new"] if entry.is_new else []
    marks += ["open again, nobody touched it"] if entry.lapsed else ["taken"] if entry.is_acknowledged else []
    said = f" ({', '.join(marks)})" if marks else ""
    stakes = []
    if entry.money is not None:
        stakes.append(f"{words.money(entry.money, currency)} at risk a year")
    if entry.notice_deadline is not None:
        stakes.append(f"notice possible until {words.day(entry.notice_deadline)}")
    steps = f" Due: {'; '.join(entry.steps_due)}." if entry.steps_due else ""
    at_stake = f" {', '.join(stakes)[:1].upper()}{', '.join(stakes)[1:]}." if stakes else ""
    return clip(f"{entry.account_name}{said}: {entry.evidence}{at_stake}{steps}")


def _missed(days: Sequence[date]) -> str:
    between = (
        f"from {words.day(days[0])} to {words.day(days[-1])}" if days[1:] else f"on {words.day(days[0])}"
    )
    return f"No digest came {between}; what still holds of it is here."


def _entry(entry: Entry, currency: str) -> dict[str, Any]:
    money = None if entry.money is None else {"amount": format(entry.money, "f"), "currency": currency}
    return {
        "case_id": entry.case_id,
        "account": entry.account,
        "account_name": entry.account_name,
        "severity": entry.severity,
        "is_new": entry.is_new,
        "is_acknowledged": entry.is_acknowledged,
        "lapsed": entry.lapsed,
        "money_at_risk": money,
        "notice_deadline": instant(entry.notice_deadline) if entry.notice_deadline else None,
        "evidence": clip(entry.evidence),
        "steps_due": [clip(label) for label in entry.steps_due],
    }
