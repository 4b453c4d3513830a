"""What is missing holds a rule; what arrives does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.adapters.definitions import compile_rule
from alerts.domain.episodes import Cause, Circumstances, Episode, Reason, State, decide
from alerts.domain.inhibition import Fault, held, hit_since, holds_back, released
from alerts.domain.rules import Verdict
from common.catalogue import load
from common.catalogue.loading import base_pack
from common.tracking.reads import Reads, of_condition, of_signal
from common.tracking.verdicts import Broken

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PACK = load(base_pack())
SILENT, COMPLAINTS = (compile_rule(PACK.rules[name]) for name in ("account_silent", "complaints_rose"))
NOW = Circumstances(Cause.NOW, timedelta(0), timedelta(0))


def broken(*types: str, share: float = 0.5, renamed_to: str | None = None) -> Broken:
    return Broken(NOON - 4 * HOUR, 100, 0, types, share, renamed_to)


def reads(rule: str) -> Reads:
    return of_condition(PACK, PACK.rules[rule].condition)


@pytest.mark.parametrize(
    ("rule", "fault", "is_hit"),
    [
        ("complaints_rose", broken("complaint.filed", share=0.001), True),
        ("complaints_rose", broken("user.logged_in"), False),
        ("account_silent", broken("user.logged_in"), True),
        ("account_silent", broken("user.logged_in", share=0.05), False),
        ("account_silent", broken("user.logged_in", renamed_to="user.signed_in"), False),
        ("usage_fell", broken("user.logged_in"), True),
        ("usage_fell", broken("invoice.paid"), False),
        ("key_features_fell", broken("feature.used", renamed_to="feature.opened"), True),
        ("nps_poor", broken("survey.responded", share=0.01), True),
        ("owner_changed", broken("user.logged_in"), False),
    ],
)
def test_a_rule_is_hit_by_faults_of_what_it_reads(rule: str, fault: Broken, is_hit: bool) -> None:
    assert reads(rule).is_hit([fault]) is is_hit


def test_health_reads_what_its_inputs_read_and_silence_all_activity() -> None:
    assert of_condition(PACK, "a.health < 40").is_hit([broken("survey.responded", share=0.01)])
    assert of_signal(PACK, "silence").activity


def test_it_is_hit_since_the_first_fault_that_hits_it() -> None:
    early = Fault(
        1, "type", "complaint.filed", replace(broken("complaint.filed", share=0.01), since=NOON - 9 * HOUR)
    )
    late = Fault(1, "type", "user.logged_in", broken("user.logged_in"))
    assert hit_since(reads("account_silent"), [early, late]) == NOON - 4 * HOUR
    assert hit_since(reads("complaints_rose"), [early, late]) == NOON - 9 * HOUR
    assert hit_since(reads("owner_changed"), [early, late]) is None


def test_events_that_arrived_fire_all_the_same_and_nothing_heals() -> None:
    assert not holds_back(COMPLAINTS, Verdict.FIRING)
    assert holds_back(COMPLAINTS, Verdict.HEALTHY)
    assert holds_back(SILENT, Verdict.FIRING)


def test_nothing_begins_and_what_time_made_fire_since_is_withdrawn() -> None:
    since = NOON - 4 * HOUR
    assert held(None, SILENT, since, NOON) is None
    before = Episode(State.FIRING, Reason.CROSSED, since - HOUR, fired_at=since - HOUR)
    kept = held(before, SILENT, since, NOON)
    assert kept is not None
    assert kept.state is State.FIRING
    after = replace(before, fired_at=since + HOUR)
    taken_back = held(after, SILENT, since, NOON)
    assert taken_back is not None
    assert (taken_back.state, taken_back.reason) == (State.WITHDRAWN, Reason.TRACKING_BROKEN)
    by_events = held(after, COMPLAINTS, since, NOON)
    assert by_events is not None
    assert by_events.state is State.FIRING


@pytest.mark.parametrize(
    "before",
    [
        Episode(State.FIRING, Reason.CROSSED, NOON - 9 * HOUR, fired_at=NOON - 9 * HOUR),
        Episode(State.STANDING, Reason.FROM_HISTORY, NOON - 9 * HOUR),
        Episode(State.PENDING, Reason.HELD_FOR_PENDING_TIME, NOON - 9 * HOUR, due_at=NOON + HOUR),
        Episode(State.FIRING, Reason.CROSSED, NOON - 9 * HOUR, fired_at=NOON - 9 * HOUR, recovering_since=NOON, due_at=NOON),
    ],
)  # fmt: skip
def test_what_was_held_goes_on_as_if_nothing_had_been(before: Episode) -> None:
    circumstances = replace(NOW, pending_for=10 * HOUR, recover_for=9 * HOUR)
    kept = held(before, SILENT, NOON - 4 * HOUR, NOON)
    later = NOON + HOUR
    for verdict in (Verdict.FIRING, Verdict.HEALTHY):
        found = decide(released(kept), verdict, later, circumstances)
        assert found == decide(before, verdict, later, circumstances)
        assert found.episode is None or found.episode.due_at is None or found.episode.due_at > later
