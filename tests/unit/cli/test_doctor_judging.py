"""What the doctor makes of facts."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwether.doctor import judging
from bellwether.doctor.finding import Finding, Health
from bellwether.doctor.judging import Progress, TopicFacts

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TOPIC = TopicFacts("events", "id-1", {0: (0, 100), 1: (0, 200)})
AT_WORK = Progress(0, "id-1", 2, 100, 3, "owner-a", NOW)
BOTH = (AT_WORK, replace(AT_WORK, partition=1, next_offset=200, owner="owner-b"))


def health(finding: Finding) -> Health:
    return finding.health


def test_all_is_well_when_the_engine_is_where_the_topic_ends() -> None:
    judged = (
        judging.partition_count(TOPIC, BOTH),
        judging.offsets_kept(TOPIC, BOTH),
        judging.lag(TOPIC, BOTH),
        judging.engines(TOPIC, BOTH, NOW),
    )
    assert {finding.health for finding in judged} == {Health.OK}
    assert judging.engines(TOPIC, BOTH, NOW).what == "2 partitions with 2 engines, highest epoch 3"


def test_a_changed_number_of_partitions_is_named() -> None:
    finding = judging.partition_count(TopicFacts("events", "id-1", {0: (0, 1)}), BOTH)
    assert (finding.health, finding.what) == (
        Health.FAILURE,
        "the topic has 1 partitions and was read with 2",
    )


def test_a_topic_made_anew_is_named() -> None:
    finding = judging.partition_count(replace(TOPIC, topic_id="id-2"), BOTH)
    assert finding.health is Health.FAILURE
    assert "re-created" in finding.do


@pytest.mark.parametrize("bounds", [(0, 0), (0, 99), (0, 300)])
def test_offsets_of_a_former_topic_say_nothing_of_a_new_one(bounds: tuple[int, int]) -> None:
    anew = replace(TOPIC, topic_id="id-2", bounds={0: bounds, 1: (0, 0)})
    judged = judging.read_so_far(anew, BOTH, NOW + timedelta(minutes=9))
    assert [(finding.check, finding.health) for finding in judged] == [
        ("partitions", Health.FAILURE),
        ("offsets", Health.UNKNOWN),
        ("lag", Health.UNKNOWN),
        ("engine", Health.UNKNOWN),
    ]
    assert {health(finding) for finding in judging.read_so_far(TOPIC, BOTH, NOW)} == {Health.OK}


@pytest.mark.parametrize("bounds", [(101, 300), (0, 99)])
def test_an_offset_outside_the_topic_is_named(bounds: tuple[int, int]) -> None:
    finding = judging.offsets_kept(replace(TOPIC, bounds={0: bounds, 1: (0, 200)}), BOTH)
    assert (finding.health, finding.what) == (
        Health.FAILURE,
        "the next events of partition 0 are not in the topic",
    )


def test_a_partition_that_waits_and_does_not_move_is_stuck() -> None:
    waiting = replace(TOPIC, bounds={0: (0, 150), 1: (0, 200)})
    assert health(judging.engines(waiting, BOTH, NOW)) is Health.OK
    finding = judging.engines(waiting, BOTH, NOW + timedelta(minutes=5))
    assert (finding.health, finding.what) == (Health.FAILURE, "partition 0 has not moved for 5 minutes")


def test_an_idle_engine_is_not_stuck() -> None:
    lately = (BOTH[0], replace(BOTH[1], updated_at=NOW + timedelta(days=9)))
    assert health(judging.engines(TOPIC, lately, NOW + timedelta(days=9))) is Health.OK


def test_nobody_reading_is_a_failure_only_when_something_waits() -> None:
    assert health(judging.engines(TOPIC, (), NOW)) is Health.FAILURE
    assert health(judging.engines(TopicFacts("events", "i", {0: (0, 0)}), (), NOW)) is Health.NOTE


def test_an_engine_that_is_gone_is_missed_though_nothing_waits() -> None:
    finding = judging.engines(TOPIC, BOTH, NOW + timedelta(minutes=5))
    assert (finding.health, finding.what) == (Health.FAILURE, "no engine has been at work for 5 minutes")


@given(
    st.dictionaries(
        st.integers(0, 20), st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)).map(sorted), max_size=8
    )
)
def test_lag_is_never_less_than_nothing(bounds: Mapping[int, list[int]]) -> None:
    facts = TopicFacts("t", "i", {number: (low, high) for number, (low, high) in bounds.items()})
    assert "-" not in judging.lag(facts, BOTH).what.removeprefix("records waiting by partition: ")


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [(0, Health.OK), (0.5, Health.OK), (10, Health.WARNING), (-10, Health.WARNING), (-200, Health.FAILURE)],
)
def test_a_clock_that_differs_is_found_in_either_direction(theirs: float, expected: Health) -> None:
    # Half a second between asking and hearing proves nothing.
    finding = judging.clock_skew(NOW + timedelta(seconds=0.5), NOW, NOW + timedelta(seconds=theirs))
    assert finding.health is expected


@pytest.mark.parametrize(
    ("free", "total", "expected"),
    [
        (50 << 30, 100 << 30, Health.OK),
        (5 << 30, 100 << 30, Health.WARNING),
        (100 << 20, 1 << 30, Health.FAILURE),
    ],
)
def test_a_disk_is_judged_by_share_and_by_what_is_left(free: int, total: int, expected: Health) -> None:
    assert judging.disk("/", free, total).health is expected


def test_keys_are_judged_by_what_they_let_people_do() -> None:
    assert health(judging.keys({"ingest": 1, "read": 2, "admin": 1})) is Health.OK
    assert health(judging.keys({"ingest": 1, "read": 2})) is Health.NOTE
    assert "send events" in judging.keys({"read": 1}).why


def test_a_catalogue_is_needed_and_may_still_wait_for_an_event() -> None:
    assert health(judging.catalogue({"default": None}, {}, {})) is Health.FAILURE
    assert judging.catalogue({"default": None}, {}, {}).do == "`bellwether apply`"
    assert judging.catalogue({"default": 3, "other": None}, {}, {}).do == "`bellwether apply --tenant other`"
    assert health(judging.catalogue({"default": 3}, {"default": 3}, {})) is Health.OK
    assert health(judging.catalogue({"default": 3}, {"default": 2}, {})) is Health.NOTE
    assert health(judging.catalogue({}, {}, {})) is Health.WARNING
    found = judging.catalogue({"default": 3}, {"default": 3}, {"default": (3, 0.25)})
    assert found.health is Health.NOTE
    assert "25%" in found.what


def test_the_outbox_is_late_only_when_something_due_waits() -> None:
    assert health(judging.outbox(3, NOW + timedelta(hours=1), 0, [], NOW)) is Health.OK
    assert health(judging.outbox(3, NOW - timedelta(minutes=5), 0, [], NOW)) is Health.FAILURE
    assert health(judging.outbox(0, None, 2, [], NOW)) is Health.WARNING
    assert "pager" in judging.outbox(0, None, 0, ["pager"], NOW).what


def test_a_few_refused_events_are_normal_and_a_share_of_them_is_not() -> None:
    assert health(judging.rejected(3, 10, 0)) is Health.OK
    assert health(judging.rejected(30, 100_000, 0)) is Health.OK
    assert health(judging.rejected(30, 500, 0)) is Health.WARNING


def test_what_was_accepted_and_could_not_be_stored_is_nothing_that_senders_did() -> None:
    found = judging.rejected(1, 100_000, 1)
    assert (health(found), "engine-stopped.md" in str(found.do)) == (Health.WARNING, True)


def test_every_finding_that_is_not_well_says_why_and_what_to_do() -> None:
    bad = [
        judging.server(140_000, "14.0", (), None),
        judging.server(150_000, "15.0", ["in_hot_standby"], None),
        judging.server(150_000, "15.0", (), "could not extend file: No space left on device"),
        judging.clock_skew(NOW, NOW, NOW + timedelta(hours=1)),
        judging.disk("/", 0, 1),
        judging.service("ingest", "http://x", None, "refused"),
        judging.service("ingest", "http://x", 503, "kafka: down"),
        judging.hanging("ingest", "http://x"),
        judging.keys({}),
        judging.outbox(0, None, 0, ["pager"], NOW),
        judging.rejected(100, 0, 0),
        judging.rejected(100, 0, 100),
    ]
    for finding in bad:
        assert finding.health in (Health.WARNING, Health.FAILURE)
        assert finding.why
        assert finding.do
