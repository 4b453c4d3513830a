"""What was judged not real, what flaps, and what a loss review proposes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.adapters.definitions import compile_rule
from alerts.domain.episodes import Cause, Circumstances, Episode, Reason, State, decide
from alerts.domain.gate import Progress
from alerts.domain.losses import IN_TIME, Last, Seen, propose
from alerts.domain.pulse import ailment
from alerts.domain.rules import Verdict
from alerts.domain.suppression import Judged, direction, headline, is_worse
from common.catalogue import loading

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
UNTIL = NOW + timedelta(days=30)
RULES = {
    name: compile_rule(rule)
    for name, rule in loading.load(loading.base_pack()).rules.items()
    if name in ("complaints_rose", "usage_fell", "account_silent", "seats_lost")
}
FIGURES = {
    "complaints_7d": 4,
    "complaints_base": 0.5,
    "days_silent": 20,
    "quiet_days": 0,
    "usual_gap_days": 2.0,
    "mrr": 100,
    "login_trend": -0.5,
    "login_trend_vs_segment": -0.4,
    "user_days_28d": 50,
    "user_days_base": 100,
    "segment_login_trend": -0.1,
}
few = settings(max_examples=30, deadline=None)
risks = st.one_of(st.none(), st.integers(0, 100).map(lambda n: Decimal(n) / 100))
fired_at = st.one_of(st.none(), st.integers(0, 200).map(lambda n: NOW - timedelta(days=n)))


@given(st.integers(0, 200), risks, risks)
@few
def test_a_rule_is_worse_only_in_the_direction_in_which_it_fires(
    complaints: int, before: Decimal | None, after: Decimal | None
) -> None:
    rule = RULES["complaints_rose"]
    assert headline(rule, FIGURES) == ("complaints_7d", Decimal(4))
    assert direction(rule, FIGURES, {}, "complaints_7d") == 1
    judged = Judged(UNTIL, "complaints_7d", Decimal(4), before)
    riskier = before is not None and after is not None and after - before >= Decimal("0.2")
    worse = is_worse(rule, judged, {**FIGURES, "complaints_7d": complaints}, {}, after)
    assert worse == (complaints >= 6 or riskier)


def test_a_fall_is_worse_when_it_falls_further() -> None:
    rule = RULES["usage_fell"]
    assert direction(rule, FIGURES, {}, "login_trend") == -1
    judged = Judged(UNTIL, "login_trend", Decimal("-0.4"), None)
    for trend, expected in ((-0.3, False), (-0.5, False), (-0.6, True), (None, False)):
        assert is_worse(rule, judged, {**FIGURES, "login_trend": trend}, {}, None) is expected


@pytest.mark.parametrize(("value", "worse"), [(2, True), (4, False), (9, False), (None, False)])
def test_a_signal_is_worse_when_it_moves_away_from_its_baseline(value: int | None, worse: bool) -> None:
    rule = RULES["seats_lost"]
    said = {"s": {"seats_lost": {"state": "on", "value": 5, "baseline": 10}}}
    assert headline(rule, said) == ("s.seats_lost.value", Decimal(5))
    now = {"s": {"seats_lost": {"state": "on", "value": value, "baseline": 10}}}
    assert is_worse(rule, Judged(UNTIL, "s.seats_lost.value", Decimal(5), None), now, {}, None) is worse


verdicts = st.lists(st.tuples(st.sampled_from(Verdict), st.booleans(), st.integers(0, 48)), max_size=25)


@given(verdicts)
@few
def test_nothing_fires_that_was_judged_not_real_until_it_is_worse_or_time_is_up(
    taken: list[tuple[Verdict, bool, int]],
) -> None:
    episode: Episode | None = None
    now = NOW
    for verdict, worse, hours in taken:
        now += timedelta(hours=hours)
        until = None if worse or now >= UNTIL else UNTIL
        around = Circumstances(Cause.NOW, timedelta(0), timedelta(0), not_real_until=until, is_worse=worse)
        before, after = episode, decide(episode, verdict, now, around)
        was_firing = before is not None and before.state is State.FIRING
        if until is not None and not was_firing and after.episode is not None:
            assert after.episode.state is not State.FIRING
        if after.reason is Reason.MATERIALLY_WORSE:
            assert worse
        episode = after.episode if after.episode is not None and after.episode.is_live else None


@given(verdicts)
@few
def test_what_flaps_is_over_only_after_it_was_calm(taken: list[tuple[Verdict, bool, int]]) -> None:
    calm = timedelta(hours=48)
    episode: Episode | None = Episode(State.FIRING, Reason.CROSSED, NOW, NOW)
    now, healthy_since = NOW, None
    for verdict, _, hours in taken:
        now += timedelta(hours=hours)
        around = Circumstances(Cause.NOW, timedelta(0), timedelta(hours=1), calm_for=calm)
        found = decide(episode, verdict, now, around)
        healthy_since = (healthy_since or now) if verdict is Verdict.HEALTHY else None
        if found.reason is Reason.RECOVERED:
            assert healthy_since is not None
            assert now - healthy_since >= calm
            return
        assert found.episode is not None
        assert (found.episode.state, found.episode.reason) == (State.FIRING, Reason.FLAPPING)
        episode = found.episode


seen = st.lists(
    st.builds(
        lambda rule, state, at, before: Seen(
            rule, rule, state, "crossed", (at or NOW) - timedelta(days=before), at, None, "evidence"
        ),
        st.sampled_from(["usage_fell", "complaints_rose", "account_silent"]),
        st.sampled_from([State.RESOLVED, State.FIRING, State.STANDING, State.WITHDRAWN]),
        fired_at,
        st.integers(0, 30),
    ),
    max_size=6,
)
names = st.frozensets(st.sampled_from(["usage_fell", "nps_poor", "mrr_fell"]))


@given(seen, names, names, st.one_of(st.none(), st.integers(-90, 90)))
@few
def test_a_proposal_names_every_rule_once_as_in_time_or_as_missed(
    episodes: list[Seen], hold: frozenset[str], unknown: frozenset[str], deadline: int | None
) -> None:
    act_by = NOW if deadline is None else NOW + timedelta(days=deadline)
    found = propose(NOW, act_by if deadline is not None else None, None, False, episodes, Last(hold, unknown))
    in_time, missed = found["warned_in_time"], [one["rule"] for one in found["should_have_fired"]]
    assert not set(in_time) & set(missed)
    assert len(missed) == len(set(missed))
    assert set(in_time) | set(missed) == {one.rule for one in episodes} | hold
    assert set(found["no_data"]) == unknown - {one.rule for one in episodes}
    for rule in in_time:
        assert any(
            one.rule == rule and one.fired_at is not None and one.fired_at <= min(NOW, act_by) - IN_TIME
            for one in episodes
        )
    assert len(found["seen"]) == len(episodes)


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=4),
    st.sampled_from([None, "status 503"]),
)
@few
def test_the_pulse_beats_only_while_every_part_is_well(
    parts: list[tuple[int, int]], ingest: str | None
) -> None:
    progress = [
        Progress(n, 1, 0, NOW - timedelta(seconds=silent + lag), NOW - timedelta(seconds=silent), None)
        for n, (silent, lag) in enumerate(parts)
    ]
    well = bool(parts) and ingest is None and all(silent <= 60 and lag <= 60 for silent, lag in parts)
    assert (ailment(progress, ingest, NOW, timedelta(seconds=60)) is None) == well
