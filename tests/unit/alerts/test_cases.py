"""What a case adds up to, and when people hear of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.domain import actions
from alerts.domain.cases import (
    AlertFact,
    Case,
    NoticeType,
    Origin,
    Resolution,
    Status,
    close,
    mark_told,
    news_of,
    open_case,
    settle,
)
from alerts.domain.episodes import State
from alerts.domain.priority import Paging, Stakes
from alerts.domain.severity import SEVERITIES, rank
from common.errors import Conflict, Rejected

NOW = datetime(2026, 3, 2, tzinfo=UTC)
facts = st.lists(
    st.builds(
        AlertFact,
        rule=st.sampled_from(["usage_fell", "complaints_rose", "account_silent"]),
        state=st.sampled_from([State.FIRING, State.RESOLVED, State.WITHDRAWN]),
        severity=st.sampled_from(SEVERITIES),
    ),
    min_size=1,
    max_size=6,
)


def _case() -> Case:
    return open_case("case_1", 1, 1, Origin.LIVE, NOW)


def _firing(alerts: list[AlertFact]) -> list[AlertFact]:
    return [alert for alert in alerts if alert.state is State.FIRING]


@given(facts)
def test_what_people_were_told_is_no_news(alerts: list[AlertFact]) -> None:
    settled = settle(_case(), alerts, NOW)
    assert news_of(mark_told(settled, _firing(alerts)), _firing(alerts)) is None


@given(facts, facts)
def test_fewer_alerts_are_never_news(told: list[AlertFact], kept: list[AlertFact]) -> None:
    known = mark_told(settle(_case(), told, NOW), _firing(told))
    fewer = [alert for alert in _firing(kept) if alert in _firing(told)]
    assert news_of(known, fewer) is None


@given(facts)
def test_a_case_is_as_grave_as_its_gravest_firing_alert(alerts: list[AlertFact]) -> None:
    settled = settle(_case(), alerts, NOW)
    if _firing(alerts):
        assert settled.status is Status.OPEN
        assert rank(settled.severity) == max(rank(alert.severity) for alert in _firing(alerts))
    else:
        assert settled.status is Status.RESOLVED
        all_wrong = all(alert.state is State.WITHDRAWN for alert in alerts)
        assert settled.resolution is (Resolution.WITHDRAWN if all_wrong else Resolution.RECOVERED)


@given(facts)
def test_an_acknowledged_case_never_closes_by_itself(alerts: list[AlertFact]) -> None:
    held = actions.acknowledge(_case(), "dana", NOW)
    assert settle(held, alerts, NOW).status is Status.ACKNOWLEDGED


@given(facts)
def test_the_first_news_is_that_it_opened(alerts: list[AlertFact]) -> None:
    news = news_of(settle(_case(), alerts, NOW), _firing(alerts))
    assert news is (NoticeType.OPENED if _firing(alerts) else None)


def test_a_graver_severity_is_news() -> None:
    mild, grave = (AlertFact("usage_fell", State.FIRING, severity) for severity in ("warning", "critical"))
    told = mark_told(settle(_case(), [mild], NOW), [mild])
    assert news_of(settle(told, [grave], NOW), [grave]) is NoticeType.WORSENED
    # The same rule in the same words, but now much money is due soon; when there is less again, nothing is news.
    far, soon = (
        Stakes("warning", paging=Paging.DEADLINE_FAR),
        Stakes("critical", paging=Paging.MONEY_AND_DEADLINE),
    )
    graver = replace(told, paging=Paging.DEADLINE_FAR).with_stakes(soon)
    assert news_of(graver, [mild]) is NoticeType.WORSENED
    calmer = mark_told(graver, [mild]).with_stakes(far)
    assert news_of(calmer, [mild]) is None
    assert news_of(calmer.with_stakes(soon), [mild]) is None


def test_a_limit_that_is_set_later_is_no_news_of_what_was_told_without_one() -> None:
    mild = AlertFact("usage_fell", State.FIRING, "warning")
    soon = Stakes("critical", paging=Paging.MONEY_AND_DEADLINE)
    for paging in (Paging.NO_LIMIT, Paging.MONEY_AND_DEADLINE):
        settled = replace(settle(_case(), [mild], NOW), paging=paging)
        assert news_of(mark_told(settled, [mild]).with_stakes(soon), [mild]) is None
        assert news_of(settled.with_stakes(soon), [mild]) is NoticeType.OPENED


def test_a_closed_case_takes_no_more_actions() -> None:
    closed = close(_case(), Resolution.SAVED, NOW)
    ahead = NOW + timedelta(days=1)
    for act in (
        lambda: actions.acknowledge(closed, "dana", NOW),
        lambda: actions.assign(closed, "dana", NOW),
        lambda: actions.snooze(closed, ahead, NOW),
        lambda: actions.check_outcome(closed, "saved"),
        lambda: actions.check_expectation(closed, ahead, NOW),
    ):
        with pytest.raises(Conflict):
            act()


def test_a_snooze_into_the_past_is_refused() -> None:
    with pytest.raises(Rejected):
        actions.snooze(replace(_case()), NOW, NOW)
