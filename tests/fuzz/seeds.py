"""Where fuzzing begins, and everything that it ever found."""

import json

EVENT = {
    "specversion": "1.0", "id": "e-1", "source": "/app", "type": "feature.used", "subject": "acme",
    "time": "2026-11-20T17:59:00.000Z", "data": {"user": "ann", "feature": "export", "value": 1.5},
}  # fmt: skip
CALL = {
    "type": "track", "userId": "ann", "event": "Exported", "messageId": "m-1", "timestamp": "2026-11-20T17:59:00Z",
    "context": {"groupId": "acme"}, "properties": {"value": 3},
}  # fmt: skip
ODD_TIMES = (
    "2026-11-20T24:00:00Z", "2026-11-20T23:59:60Z", "2026-11-20t10:00:00z", "2026-11-20 10:00:00+00:00", "20261120T100000Z",
    "2026-W47-5T10:00:00Z", "2026-11-20T10:00:00.123456789Z", "2026-11-20T10:00:00,5Z", "2026-11-20T10:00:00+24:00",
    "2026-11-20T10:00:00-00:00", "2026-11-20T10:00Z", "2026-11-20T10Z", "2026-11-20T10:00:00+01", "2026-11-20T10:00:00.Z",
    "2026-11-20T10:00:00+05:30:15", "\uff12026-11-20T10:00:00Z", "2026-11-20T10:00:00\u2212 01:00", "1999-12-31T23:59:59Z",
)  # fmt: skip


def changed(**changes: object) -> bytes:
    return json.dumps({**EVENT, **changes}).encode()


SEEDS: tuple[bytes, ...] = (
    changed(),
    json.dumps([EVENT, {**EVENT, "id": "e-2"}]).encode(),
    json.dumps(EVENT).encode() + b"\n" + json.dumps({**EVENT, "id": "\u00e9"}, ensure_ascii=False).encode(),
    json.dumps(CALL).encode(),
    json.dumps({"batch": [CALL, {**CALL, "type": "identify", "traits": {"is_internal": True}}]}).encode(),
    json.dumps({"batch": [{**CALL, "type": "group", "groupId": "acme", "traits": {"plan": "pro"}}], "sentAt": None}).encode(),
    b'[{"id": NaN}, ' + changed() + b"]",
    b'{"id":"\\ud800"}',
    b'[{"id":"a\\u0000b"},' + changed(id="a\0b") + b"]",
    b"[" * 500 + b"]" * 500,
    b'{"a":' * 500 + b"1" + b"}" * 500,
    changed(data=None),
    changed(data=[]),
    changed(data={"user": None}),
    changed(subject=None),
    changed(type="account.updated", data={"traits": {"segment": None, "": {"a": []}}}),
    changed(type="subscription.started", data={"subscription": "s", "mrr": "1e400", "currency": "EUR"}),
    changed(specversion="1.0", datacontenttype="application/json", extension=1),
    changed(data_base64="AAAA"),
    *(changed(time=time) for time in ODD_TIMES),
    *(changed(time=time, id=time)[:-1] + b',"id":"twice"}' for time in ODD_TIMES[:2]),
)  # fmt: skip

# target -> inputs that once broke it.
FINDINGS: dict[str, tuple[bytes, ...]] = {"decoder": (), "items": (), "segment": ()}
