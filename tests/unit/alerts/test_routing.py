"""Who hears of what, and when nobody does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.domain.cases import NoticeType
from alerts.domain.gate import FIGURES_ARE_COMPUTED_WITHIN, Load, Progress, lag_of, ready_to_sweep
from alerts.domain.routing import Route, Subject, Target, hearers
from alerts.domain.severity import SEVERITIES
from alerts.domain.silences import Silence, quiet_until

NOW = datetime(2026, 3, 2, tzinfo=UTC)
TEAM, LEAD = Target(1, "team", frozenset()), Target(2, "lead", frozenset())
CRITICAL = Subject("critical", "dana", "enterprise", frozenset({"complaints_rose"}))
MILD = Subject("info", "dana", "mid", frozenset({"usage_fell"}))
minutes = st.integers(-100, 100).map(lambda m: NOW + timedelta(minutes=m))


def _names(routes: list[Route], subject: Subject, targets: tuple[Target, ...] = (TEAM, LEAD)) -> list[str]:
    return [target.name for target in hearers(targets, routes, NoticeType.OPENED, subject)]


def test_without_routes_everybody_hears() -> None:
    assert _names([], MILD) == ["team", "lead"]


def test_the_first_route_that_matches_decides() -> None:
    routes = [Route(frozenset({"lead"}), severities=frozenset({"critical"})), Route(frozenset({"team"}))]
    assert _names(routes, CRITICAL) == ["lead"]
    assert _names(routes, MILD) == ["team"]


def test_a_route_that_goes_on_adds_to_the_next() -> None:
    routes = [
        Route(frozenset({"lead"}), severities=frozenset({"critical"}), and_on=True),
        Route(frozenset({"team"})),
    ]
    assert _names(routes, CRITICAL) == ["team", "lead"]


@given(st.sampled_from(SEVERITIES), st.booleans())
def test_a_load_s_summary_goes_to_those_alone_who_list_it(severity: str, disabled: bool) -> None:
    listed = Target(3, "archivist", frozenset({"load.summary"}), "info", disabled)
    assert not TEAM.wants(NoticeType.LOAD_SUMMARY)
    assert listed.wants(NoticeType.LOAD_SUMMARY)
    assert severity not in _names([], CRITICAL, (listed,))


def test_the_mild_is_not_told_to_who_wants_the_grave() -> None:
    picky = Target(3, "picky", frozenset(), "critical")
    assert _names([], MILD, (picky,)) == []
    assert _names([], CRITICAL, (picky,)) == ["picky"]


@given(minutes, minutes, st.sampled_from([None, "globex", "initech"]), st.sampled_from([None, "usage_fell"]))
def test_a_silence_covers_exactly_its_time_its_account_and_its_rule(
    starts_at: datetime, ends_at: datetime, account: str | None, rule: str | None
) -> None:
    silence = Silence("sil_1", account, rule, starts_at, ends_at, "why", "dana", NOW)
    expected = starts_at <= NOW < ends_at and account in (None, "globex") and rule in (None, "usage_fell")
    assert (quiet_until([silence], "globex", ["usage_fell"], NOW) is silence) == expected


def test_one_rule_that_is_not_silenced_is_heard() -> None:
    silence = Silence("sil_1", None, "usage_fell", NOW, NOW + timedelta(hours=1), "why", "dana", NOW)
    rules = ["usage_fell", "complaints_rose"]
    assert quiet_until([silence], "globex", rules[:1], NOW) is silence
    assert quiet_until([silence], "globex", rules, NOW) is None
    longer = replace(silence, rule=None, ends_at=silence.ends_at + timedelta(days=1))
    assert quiet_until([silence, longer], "globex", rules, NOW) is longer, "the later end of each rule counts"


@given(
    st.lists(st.tuples(minutes, st.one_of(st.none(), minutes)), min_size=1, max_size=4),
    minutes,
    st.integers(0, 2),
    st.one_of(st.none(), minutes),
)
def test_a_load_is_over_when_all_ended_and_all_of_it_was_applied_and_compared(
    ends: list[tuple[datetime, datetime | None]],
    applied_at: datetime,
    dirty: int,
    settled_at: datetime | None,
) -> None:
    loads = [Load(heartbeat, heartbeat, ended) for heartbeat, ended in ends]
    progress = [Progress(0, 1, dirty, applied_at, applied_at, settled_at)]
    over = ready_to_sweep(loads, progress, NOW)
    running = any(ended is None and NOW - heartbeat <= timedelta(minutes=5) for heartbeat, ended in ends)
    last = max(ended or heartbeat for heartbeat, ended in ends)
    compared = settled_at is not None and settled_at >= last
    computed = (compared and dirty == 0) or applied_at >= last + FIGURES_ARE_COMPUTED_WITHIN
    assert (over is not None) == (not running and applied_at >= last and computed)
    assert over in (None, last)


@given(minutes, minutes)
def test_lag_is_how_old_a_record_was_when_it_was_applied(applied_at: datetime, updated_at: datetime) -> None:
    assert lag_of(Progress(0, 1, 0, applied_at, updated_at, applied_at)) == max(
        updated_at - applied_at, timedelta(0)
    )
