"""What people read when something does not arrive, and when it does again."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from alerts.domain.cases import NoticeType
from alerts.domain.inhibition import Fault
from alerts.domain.notices import instant
from common import words
from common.tracking.verdicts import RETIRED_AFTER

MOST_NAMED = 10
_HELD = "Rules and signals that rest on it are held until it comes again: what is missing says nothing about customers."
_HOLIDAY = "If nobody works, say so with an annotation of kind holiday, or name your public holidays in settings.yaml."


def broken_notice(
    faults: Sequence[Fault], rules: Sequence[str], withdrawn: int, public_url: str, now: datetime
) -> dict[str, Any]:
    """One notice for all that was found missing together."""
    lines = [_missing(fault) for fault in faults[:MOST_NAMED]]
    if len(faults) > MOST_NAMED:
        lines.append(f"And {len(faults) - MOST_NAMED} more.")
    if rules:
        lines.append(f"{_HELD} Held: {', '.join(rules)}.")
    if withdrawn:
        lines.append(f"{words.counted(withdrawn, 'warning')} that came of it {_were(withdrawn)} taken back.")
    if any(fault.kind == "tenant" for fault in faults):
        lines.append(_HOLIDAY)
    subject = f"Tracking is broken: {_named(faults)}"
    return _notice(NoticeType.TRACKING_BROKEN, subject, "critical", lines, faults, public_url, now)


def mended_notice(
    ended: Mapping[Fault, datetime], retired: Collection[Fault], public_url: str, now: datetime
) -> dict[str, Any]:
    """By fault, when it ended. `retired`: those that ended because somebody said that they aren't sent any more."""
    lines = [_back(fault, until, fault in retired) for fault, until in list(ended.items())[:MOST_NAMED]]
    if len(ended) > MOST_NAMED:
        lines.append(f"And {len(ended) - MOST_NAMED} more.")
    lines.append("Rules and signals that rest on it are asked again.")
    faults = list(ended)
    what = "No longer waited for" if all(fault in retired for fault in faults) else "Tracking is mended"
    subject = f"{what}: {_named(faults)}"
    return _notice(NoticeType.TRACKING_MENDED, subject, "info", lines, faults, public_url, now)


def _notice(
    notice: NoticeType,
    subject: str,
    severity: str,
    lines: Sequence[str],
    faults: Sequence[Fault],
    url: str,
    now: datetime,
) -> dict[str, Any]:
    data = {
        "subject": subject,
        "severity": severity,
        "message": " ".join(lines),
        "lines": list(lines),
        "faults": [_as_data(fault) for fault in faults[:MOST_NAMED]],
        "links": {"page": f"{url.rstrip('/')}/events", "tracking": f"{url.rstrip('/')}/v1/tracking"},
    }
    return {"type": notice.value, "timestamp": instant(now), "data": data}


def _as_data(fault: Fault) -> dict[str, Any]:
    broken = fault.broken
    return {
        "kind": fault.kind,
        "name": fault.name,
        "since": instant(broken.since),
        "expected": round(broken.expected),
        "seen": broken.seen,
        "renamed_to": broken.renamed_to,
    }


def _missing(fault: Fault) -> str:
    broken, since = fault.broken, words.minute(fault.broken.since)
    what = _what(fault)
    if broken.renamed_to is not None:
        return f"{what} stopped coming ({since}), and {broken.renamed_to} began at the same accounts: was it renamed?"
    came = "nothing came" if broken.seen == 0 else f"only {broken.seen} came"
    return f"{what}: {came} since {since}, where at least {round(broken.expected)} come at these hours in other weeks."


def _back(fault: Fault, until: datetime, retired: bool) -> str:
    since = fault.broken.since
    if retired:
        return f"{_what(fault)} have not come since {words.minute(since)}; they are not sent any more, as somebody has said."
    if until - since > RETIRED_AFTER:
        return f"{_what(fault)} have not come since {words.minute(since)}; they are not waited for any more."
    return (
        f"{_what(fault)} come again; they were missing from {words.minute(since)} to {words.minute(until)}."
    )


def _what(fault: Fault) -> str:
    return {"tenant": "All events", "source": f"Events from {fault.name}"}.get(
        fault.kind, f"Events of type {fault.name}"
    )


def _named(faults: Sequence[Fault]) -> str:
    first = {"tenant": "nothing arrives"}.get(faults[0].kind, faults[0].name)
    return first if len(faults) == 1 else f"{first} and {len(faults) - 1} more"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
