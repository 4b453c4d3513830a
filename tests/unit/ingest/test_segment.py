"""Segment's calls as events."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ingest.events import LIMITS, NOW

from common.contracts.refusals import Code, Refusal
from ingest.domain.segment import Envelope, corrected, event_of, object_of, sent_at_of


def mapped(call: str | None, sent_at: datetime | None = None, context: Any = None, **members: Any) -> Any:
    item = msgspec.json.encode({"messageId": "m-1", "timestamp": "2026-11-21T17:00:00.000Z", **members})
    outer = object_of(msgspec.json.encode(context)) if context else {}
    event = event_of(item, call, Envelope("web", NOW, sent_at, outer, {}), LIMITS)
    return event if isinstance(event, Refusal) else msgspec.json.decode(event)


def code_of(call: str | None, **members: Any) -> Code | None:
    found = mapped(call, **members)
    return found.code if isinstance(found, Refusal) else None


def test_identify_updates_a_person() -> None:
    event = mapped("identify", userId="ann", traits={"role": "admin"}, context={"groupId": "acme"})
    assert (event["type"], event["subject"], event["source"], event["id"]) == (
        "user.updated",
        "acme",
        "web",
        "m-1",
    )
    assert event["data"] == {"user": "ann", "traits": {"role": "admin"}, "context": {"groupId": "acme"}}


def test_group_updates_an_account() -> None:
    event = mapped("group", userId="ann", groupId="acme", traits={"plan": "pro", "mrr": 99.50})
    assert (event["type"], event["subject"]) == ("account.updated", "acme")
    assert event["data"]["traits"] == {"plan": "pro", "mrr": 99.5}


def test_signing_in_is_a_login_and_any_other_track_is_the_use_of_a_feature() -> None:
    assert mapped("track", userId="ann", event="Signed In")["type"] == "user.logged_in"
    used = mapped("track", userId="ann", event="Report Exported", properties={"value": 3, "format": "pdf"})
    assert used["type"] == "feature.used"
    assert used["data"] == {
        "user": "ann",
        "feature": "Report Exported",
        "value": 3,
        "properties": {"value": 3, "format": "pdf"},
    }


def test_pages_screens_and_aliases_have_types_of_their_own() -> None:
    assert mapped("page", userId="ann", name="Home")["type"] == "page.viewed"
    assert mapped("screen", anonymousId="x", name="Home")["type"] == "screen.viewed"
    alias = mapped("alias", userId="ann", previousId="x")
    assert (alias["type"], alias["data"]["previous_id"]) == ("user.aliased", "x")


def test_without_a_group_the_account_is_the_person() -> None:
    assert mapped("track", userId="ann", event="x")["subject"] == "user:ann"
    assert mapped("track", anonymousId="device", event="x")["subject"] == "user:device"
    assert mapped("track", userId="ann", event="x", groupId="acme")["subject"] == "acme"


def test_the_context_of_a_batch_is_merged_and_the_item_wins() -> None:
    event = mapped("track", userId="a", event="x", context={"groupId": "batch", "ip": "1.2.3.4"})
    assert (event["subject"], event["data"]["context"]["ip"]) == ("batch", "1.2.3.4")
    item = b'{"messageId":"m","userId":"a","event":"x","context":{"groupId":"item"}}'
    outer = object_of(b'{"groupId":"batch","ip":"1.2.3.4"}')
    merged = event_of(item, "track", Envelope("web", NOW, None, outer, {}), LIMITS)
    assert isinstance(merged, bytes)
    assert msgspec.json.decode(merged)["data"]["context"] == {"groupId": "item", "ip": "1.2.3.4"}


def test_numbers_as_ids_are_written_out_and_nulls_are_absent() -> None:
    event = mapped("track", userId=42, anonymousId=None, event="x", messageId=None)
    assert event["data"]["user"] == "42"
    assert event["id"].startswith("sha256-")


def test_a_missing_message_id_is_the_hash_of_what_was_said_and_not_of_how_it_travelled() -> None:
    def identity(**changes: Any) -> Any:
        return mapped("track", userId="ann", event="x", messageId=None, **changes)["id"]

    assert identity(sentAt="2026-11-21T17:00:01Z") == identity(sentAt="2026-11-21T17:09:00Z", writeKey="k")
    assert identity() != identity(properties={"n": 1})


@pytest.mark.parametrize(
    ("call", "members", "code"),
    [
        ("track", {"event": "x"}, Code.NO_USER_ANON_ID),
        ("track", {"event": "x", "userId": ""}, Code.NO_USER_ANON_ID),
        ("track", {"event": "x", "userId": True}, Code.NO_USER_ANON_ID),
        ("track", {"userId": "a"}, Code.EVENT_NAME_MISSING),
        ("group", {"userId": "a"}, Code.GROUP_ID_MISSING),
        ("alias", {"userId": "a"}, Code.PREVIOUS_ID_MISSING),
        (None, {"userId": "a"}, Code.TYPE_UNKNOWN),
        (None, {"userId": "a", "type": "dance"}, Code.TYPE_UNKNOWN),
    ],
)
def test_each_fault_has_its_code(call: str | None, members: dict[str, Any], code: Code) -> None:
    assert code_of(call, **members) == code


def test_the_senders_clock_is_corrected_by_the_time_it_says_it_sent() -> None:
    ahead = timedelta(hours=2)
    event = mapped("track", NOW + ahead, userId="a", event="x", timestamp="2026-11-21T19:59:30.000Z")
    assert event["time"] == "2026-11-21T17:59:30.000Z"
    assert event["originaltime"] == "2026-11-21T19:59:30.000Z"


def test_small_letters_and_leap_seconds_are_times_too() -> None:
    event = mapped("track", userId="a", event="x", timestamp="2026-10-31t23:59:60z")
    assert event["time"] == "2026-11-01T00:00:00.000Z"


def test_without_a_timestamp_the_time_is_the_arrival_and_the_body_stays_the_same_on_a_retry() -> None:
    event = mapped("track", userId="a", event="x", timestamp=None)
    assert (event["time"], event["originaltime"]) == ("2026-11-21T18:00:00.123Z", "absent")


_instants = st.datetimes(timezones=st.just(UTC))


@given(
    _instants,
    _instants,
    st.timedeltas(timedelta(0), timedelta(days=30)),
    st.timedeltas(max_value=timedelta(days=999)),
)
def test_a_clock_that_is_wrong_by_any_constant_gives_the_same_times(
    received: datetime, original: datetime, age: timedelta, error: timedelta
) -> None:
    try:
        happened, shown, sent = received - age, received - age + error, received + error
    except OverflowError:
        return
    assert corrected(shown, sent, received) == happened
    assert corrected(original, None, received) == original


@given(st.text(max_size=30))
def test_any_text_as_sent_at_is_survived(text: str) -> None:
    found = sent_at_of(msgspec.json.encode(text))
    assert found is None or found.tzinfo is not None


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "type",
                "userId",
                "anonymousId",
                "event",
                "traits",
                "properties",
                "context",
                "timestamp",
                "groupId",
                "messageId",
            ]
        ),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=8), inner, max_size=2)
            ),
            max_leaves=4,
        ),
    ),
    st.sampled_from(["track", "identify", "group", "page", "alias", None]),
)
def test_any_call_becomes_an_event_or_a_reason(members: dict[str, Any], call: str | None) -> None:
    found = event_of(msgspec.json.encode(members), call, Envelope("web", NOW, NOW, {}, {}), LIMITS)
    if isinstance(found, bytes):
        assert msgspec.json.decode(found)["specversion"] == "1.0"
