"""Events for tests of ingest's rules: what they are made of, and the strategies that vary them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from common.catalogue.models import EventField, EventType
from common.contracts.diagnosis import Limits
from common.contracts.event_types import TypeRules, rules_of
from common.contracts.instants import Window, window_at

NOW = datetime(2026, 11, 21, 18, 0, 0, 123456, tzinfo=UTC)
OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
LIMITS = Limits()
# Hypothesis takes bounds without a zone and adds one of its own.
NAIVE = tuple(datetime.fromisoformat(text) for text in ("1999-12-31", "2026-11-21T18:10"))
NAME = EventField(type="string", required=True)


def window() -> Window:
    return window_at(NOW, OLDEST, timedelta(seconds=300))


def types() -> TypeRules:
    """A few declared types, one of each kind of field."""
    return rules_of(
        [
            EventType(name="user.logged_in", fields={"user": NAME}),
            EventType(
                name="feature.used",
                fields={
                    "user": EventField(type="string"),
                    "feature": NAME,
                    "value": EventField(type="any"),
                    "times": EventField(type="integer"),
                    "ok": EventField(type="boolean"),
                    "where": EventField(type="object"),
                    "comment": EventField(type="string"),
                    "plan": EventField(type="string", enum=("free", "pro")),
                },
            ),
            EventType(
                name="subscription.started",
                fields={
                    "subscription": NAME,
                    "mrr": EventField(type="money", required=True),
                    "currency": NAME,
                    "seats": EventField(type="number", min=0),
                    "effective_at": EventField(type="instant"),
                },
            ),
            EventType(
                name="survey.responded",
                fields={
                    "survey": NAME,
                    "kind": EventField(type="string", required=True, enum=("nps", "csat", "ces")),
                    "user": NAME,
                    "score": EventField(type="number", required=True, min=0, max=10),
                },
            ),
            EventType(name="spend.recorded", tenant_level=True),
        ]
    )


def event(**changes: Any) -> dict[str, Any]:
    """A valid event with some members changed; None drops one."""
    made: dict[str, Any] = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "crm/app",
        "type": "page.opened",
        "subject": "acme",
        "time": "2026-11-21T17:59:00.000Z",
        "data": {"user": "ann"},
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


def encoded(**changes: Any) -> bytes:
    return msgspec.json.encode(event(**changes))


_odd_texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", "a\x00b", "tab\there", "\x7f", "\x9f", "ok", "=1+1", "é", " ", "\u2028", "x" * 300]),
)
_odd_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    _odd_texts,
    st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(0, 3), max_size=2),
)
_times = st.one_of(
    st.datetimes(NAIVE[0], NAIVE[1]).map(lambda t: t.isoformat() + "Z"),
    st.datetimes().map(lambda t: t.isoformat()),
    st.datetimes().map(lambda t: t.isoformat() + "+01:00"),
    st.sampled_from(
        [
            "2026-11-21T18:05:00Z",
            "2026-11-21T18:05:00.999999999Z",
            "2026-W47-6T18:00:00Z",
            "20261121T180000Z",
            "2026-11-21 18:00:00Z",
            "2026-11-21t18:00:00z",
            "2026-11-21T23:59:60Z",
            "2026-10-31T23:59:60Z",
            "2026-10-31t18:59:60.5-05:00",
            "2026-11-21T24:00:00Z",
            "2026-11-21T18:00:00,5Z",
            "2026-11-21T18:00:00.Z",
            "2026-11-21T18:00Z",
            "2026-02-30T00:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "2026-11-21T18:00:00+25:00",
            "2026-11-21T18:00:00+10:75",
            "1763748000000",
        ]
    ),
    _odd_values,
)
_data = st.one_of(
    _odd_values,
    st.fixed_dictionaries(
        {},
        optional={
            "user": st.one_of(st.just("ann"), _odd_values),
            "feature": st.one_of(st.just("export"), _odd_values),
            "times": _odd_values,
            "ok": _odd_values,
            "where": _odd_values,
            "value": _odd_values,
            "comment": _odd_values,
            "plan": st.one_of(st.sampled_from(["free", "pro", "gold"]), _odd_values),
            "subscription": st.one_of(st.just("s-1"), _odd_values),
            "mrr": st.one_of(st.sampled_from(["99.50", "1e3", "-1", "0.1234567", "NaN"]), _odd_values),
            "currency": st.one_of(st.sampled_from(["EUR", "eur", "EURO"]), _odd_values),
            "survey": st.just("s"),
            "kind": st.sampled_from(["nps", "csat", "ces", "other"]),
            "score": st.one_of(st.integers(-1, 11), _odd_values),
        },
    ),
)


def members() -> st.SearchStrategy[dict[str, Any]]:
    """Events of which anything may be odd."""
    return st.fixed_dictionaries(
        {
            "specversion": st.sampled_from(["1.0", "1.0", "1.0", "0.3", 1]),
            "id": st.one_of(st.just("e-1"), _odd_values),
            "source": st.one_of(st.just("crm"), _odd_values),
            "type": st.one_of(
                st.sampled_from(
                    ["feature.used", "user.logged_in", "subscription.started", "survey.responded", "x"]
                ),
                _odd_values,
            ),
        },
        optional={
            "subject": st.one_of(st.just("acme"), _odd_values),
            "time": _times,
            "recordedtime": _times,
            "originaltime": _odd_values,
            "data": _data,
            "data_base64": _odd_values,
            "extension": _odd_values,
        },
    )
