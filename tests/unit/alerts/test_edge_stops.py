"""That an edge of the tree holds no more is told when people work, and fits into a notice."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import orjson
from hypothesis import given
from hypothesis import strategies as st

from alerts.domain.brief import brief_of
from alerts.domain.cases import NoticeType
from alerts.domain.edge_stops import EdgeStop, edges_notice, may_be_told
from alerts.domain.notices import MAX_BYTES
from alerts.domain.terms import Terms
from alerts.domain.workdays import Calendar, MuteTime

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
HOLIDAY = date(2026, 4, 3)
hours = st.integers(0, 23)
moments = st.integers(0, 60 * 24 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes))


@given(moments, st.none() | hours, hours, hours)
def test_it_is_told_on_working_days_from_the_hour_of_the_digest_and_outside_of_mute_times(
    now: datetime, digest: int | None, begins: int, ends: int
) -> None:
    mute = MuteTime("quiet", frozenset(range(7)), time(begins), time(ends))
    calendar = Calendar(BERLIN, holidays=frozenset({HOLIDAY}))
    terms = Terms(calendar=calendar, mute_times=(mute,), digest_at=None if digest is None else time(digest))
    local = now.astimezone(BERLIN)
    works = local.weekday() < 5 and local.date() != HOLIDAY
    late_enough = local.hour >= (8 if digest is None else digest)
    muted = begins <= local.hour < ends if begins < ends else local.hour >= begins or local.hour < ends
    assert may_be_told(terms, now) == (works and late_enough and not muted)


def stop_of(number: int, segment: str | None) -> EdgeStop:
    says = f"Where {'d' * 64} rises, {'m' * 64} is higher 12 weeks later: so it was, and in the latest weeks it isn't."
    return EdgeStop(
        number, 1, f"edge_{number}", segment, "d" * 64, "m" * 64, ("Customer success", "Dana"), says, NOW.date(), NOW, None
    )  # fmt: skip


@given(st.integers(1, 200), st.sampled_from([NoticeType.DRIVER_STOPPED, NoticeType.DRIVER_HOLDS]))
def test_any_number_of_edges_is_one_notice_that_fits(number: int, kind: NoticeType) -> None:
    body = edges_notice(
        kind, [stop_of(n, "\U0001f411" * 512) for n in range(number)], "http://b.example", NOW
    )
    assert len(orjson.dumps(body)) < MAX_BYTES
    brief = brief_of(kind.value, body)
    assert len(brief.changed) == min(number, 10) + (number > 10) + 1
    assert brief.subject.endswith("again" if kind is NoticeType.DRIVER_HOLDS else "no more")
    assert brief.page == "http://b.example/"
