"""What people read when an edge of the tree holds no more, and when it does again; and when they read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from alerts.domain.cases import NoticeType
from alerts.domain.notices import MAX_FIGURE_CHARACTERS, clip, instant
from alerts.domain.terms import Terms
from alerts.domain.workdays import muting
from common import words

MOST_NAMED = 10
# Where no digest says when a working day begins.
_MORNING = time(8)
_STOPPED = (
    "What is worked on because of it may move nothing any more: find out what changed, or take the edge out."
)
_HOLDS = "What was decided while it didn't hold may be looked at again."


@dataclass(frozen=True, slots=True)
class EdgeStop:
    """An edge, of all accounts or of a segment, that stopped to hold. `owners`: of the edge and of both metrics."""

    id: int
    tenant_id: int
    edge: str
    segment: str | None
    driver: str
    moves: str
    owners: Sequence[str]
    says: str
    held_until: date
    stopped_at: datetime
    holds_again_at: datetime | None

    @property
    def occasion(self) -> str:
        """The same where it is found again after a restore."""
        return f"{self.edge}/{self.segment or '*'}/{self.held_until.isoformat()}"


def may_be_told(terms: Terms, now: datetime) -> bool:
    """From the hour of the digest on working days, outside of mute times: it wakes nobody, and nothing is lost by waiting."""
    day = terms.calendar.day_of(now)
    begins = terms.calendar.at(day, terms.digest_at or _MORNING)
    is_muted = muting(terms.mute_times, terms.calendar, now, hard=False) is not None
    return terms.calendar.works_on(day) and now >= begins and not is_muted


def edges_notice(
    notice: NoticeType, stops: Sequence[EdgeStop], public_url: str, now: datetime
) -> dict[str, Any]:
    """One notice for all that was found together. `notice`: `driver.stopped`, or `driver.holds` for edges that hold again."""
    is_over = notice is NoticeType.DRIVER_HOLDS
    lines = [_again(stop) if is_over else _ended(stop) for stop in stops[:MOST_NAMED]]
    if len(stops) > MOST_NAMED:
        lines.append(f"And {len(stops) - MOST_NAMED} more.")
    lines.append(_HOLDS if is_over else _STOPPED)
    base = public_url.rstrip("/")
    data = {
        "subject": f"{_named(stops)} {'again' if is_over else 'no more'}",
        "severity": "info",
        "lines": lines,
        "edges": [_as_data(stop) for stop in stops[:MOST_NAMED]],
        "links": {"page": f"{base}/", "drivers": f"{base}/v1/drivers"},
    }
    return {"type": notice.value, "timestamp": instant(now), "data": data}


def _ended(stop: EdgeStop) -> str:
    return clip(f"{_where(stop)}{stop.says} It was last seen to hold on {words.day(stop.held_until)}.")


def _again(stop: EdgeStop) -> str:
    return clip(f"{_where(stop)}Changes of {stop.driver} are followed by changes of {stop.moves} again.")


def _where(stop: EdgeStop) -> str:
    segment = _segment(stop)
    return f"Segment {segment}: " if segment is not None else ""


def _segment(stop: EdgeStop) -> str | None:
    """Short enough for ten of them to fit into a notice, in any script."""
    return stop.segment and stop.segment[:MAX_FIGURE_CHARACTERS]


def _named(stops: Sequence[EdgeStop]) -> str:
    if len(stops) == 1:
        return f"Driver {stops[0].driver} moves {stops[0].moves}"
    return f"{words.counted(len(stops), 'edge')} of the tree hold"


def _as_data(stop: EdgeStop) -> dict[str, Any]:
    return {
        "name": stop.edge,
        "segment": _segment(stop),
        "driver": stop.driver,
        "moves": stop.moves,
        "owners": list(stop.owners),
        "held_until": stop.held_until.isoformat(),
        "stopped_at": instant(stop.stopped_at),
        "holds_again_at": instant(stop.holds_again_at) if stop.holds_again_at else None,
    }
