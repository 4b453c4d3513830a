"""Corrections at the gateway: asked for by admins, told to readers, and never another tenant's."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.integration.api_gateway.world import TOPIC, Served, Tenant, World, serving

from api_gateway.settings import EventSettings


def test_an_amendment_is_kept_for_the_engine_and_told_with_its_figures(
    world: World, ours: Tenant, theirs: Tenant, gateway: Served
) -> None:
    account = world.account(ours, "acme")
    event = {
        "specversion": "1.0",
        "id": "e1",
        "source": "app",
        "type": "a.b",
        "time": "2026-03-01T00:00:00Z",
        "subject": "acme",
        "data": {"n": 1.10},
    }
    asked = gateway.post("/v1/events/amendments", ours, {"event": event, "reason": "typo"}, "admin")
    assert asked.status_code == 202
    entry = asked.json()
    assert (entry["state"], entry["kind"], entry["account"], entry["event_id"]) == (
        "pending",
        "amendment",
        "acme",
        "e1",
    )
    with world.connect() as connection:
        row = connection.execute(
            "select seq, body from control.control_log where tenant_id = %s", (ours.id,)
        ).fetchone()
        assert row is not None
        assert '"n":1.1' in row[1]
        apply_everywhere(world, ours, seq=row[0], account=account)
    shown = gateway.get(f"/v1/corrections/{entry['id']}", ours).json()
    assert (shown["state"], shown["counts"]) == ("applied", {"events": 1})
    assert [(c["measure"], c["before"], c["after"], c["why"], c["accounts"]) for c in shown["changed"]] == [
        ("portal_logins", "4", "3", "amendment", ["acme"])
    ]
    assert "portal_logins" in shown["changed"][0]["metrics"]
    assert gateway.get(f"/v1/corrections/{entry['id']}", theirs).status_code == 404
    assert gateway.get("/v1/corrections", theirs).json()["data"] == []
    listed = gateway.get("/v1/corrections", ours).json()["data"]
    assert [one["id"] for one in listed] == [entry["id"]]
    told = gateway.get("/v1/revisions?metric=portal_logins&account=acme", ours).json()["data"]
    assert told == shown["changed"]
    assert gateway.get("/v1/revisions?metric=nps", ours).json()["data"] == []
    steady = gateway.get("/v1/metrics/portal_logins", ours).json()["revised"]
    assert steady == {"complete_days": 1, "revised_days": 1, "share": 1.0}


def apply_everywhere(world: World, tenant: Tenant, seq: int, account: int) -> None:
    """What an engine would note: applied in every partition, one day revised."""
    day = (datetime.now(UTC) - timedelta(days=60)).date()
    with world.connect() as connection:
        world.change(tenant, [account])
        partitions = [
            p
            for (p,) in connection.execute("select partition from engine.progress where topic = %s", (TOPIC,))
        ]
        for partition in partitions:
            connection.execute(
                "insert into engine.control_progress values (%s, %s, %s)", (tenant.id, partition, seq)
            )
        connection.execute(
            "insert into engine.control_result (tenant_id, seq, partition, state, counts) values (%s, %s, 0, 'applied', '{\"events\": 1}')",
            (tenant.id, seq),
        )
        world.count(tenant, account, "portal_logins", datetime.combine(day, datetime.min.time(), UTC), 3)
        row = connection.execute(
            "select id from engine.measure where tenant_id = %s and name = 'portal_logins'", (tenant.id,)
        ).fetchone()
        assert row is not None
        connection.execute(
            """insert into engine.revision (tenant_id, partition, why, seq, account_ids, first_day, last_day, measures, days, untils,
                                            befores, afters, completes)
               values (%s, 0, 'amendment', %s, array[%s::bigint], %s, %s, array[%s::int], array[%s::date], array[%s::date], '{4}', '{3}', '{t}')""",
            (tenant.id, seq, account, day, day, row[0], day, day + timedelta(days=1)),
        )


def test_revenue_and_steps_are_told_by_their_parts(world: World, ours: Tenant, gateway: Served) -> None:
    account = world.account(ours, "acme")
    with world.connect() as connection:
        connection.execute(
            "insert into engine.mrr_change (tenant_id, account_id, currency, at, delta) values (%s, %s, 'EUR', '2026-01-10T12:00Z', 150)",
            (ours.id, account),
        )
        connection.execute(
            """insert into engine.revision (tenant_id, partition, why, account_ids, first_day, last_day, measures, days, untils,
                                            befores, afters, completes, parts)
               values (%s, 0, 'late', array[%s::bigint], '2026-01-15', '2026-01-24', '{0,0}', '{2026-01-15,2026-01-15}',
                 '{2026-01-25,2026-01-20}', '{4,100}', '{5,150}', '{t,t}', '{USD,EUR}')""",
            (ours.id, account),
        )
    pages, following = [], "/v1/revisions?metric=mrr&limit=1"
    while following:
        page = gateway.get(following, ours).json()
        pages += [(one["measure"], one["part"], one["before"], one["after"]) for one in page["data"]]
        following = page["next_cursor"] and f"/v1/revisions?metric=mrr&limit=1&cursor={page['next_cursor']}"
    assert pages == [("mrr", "EUR", "100", "150"), ("mrr", "USD", "4", "5")]
    assert gateway.get("/v1/revisions?metric=tickets_opened", ours).json()["data"] == []
    steady = gateway.get("/v1/metrics/mrr", ours).json()["revised"]
    assert steady["revised_days"] == 10
    assert steady["complete_days"] >= 100, "every day since anybody paid, up to 45 days ago"


def test_answers_are_told_by_score_and_survey(world: World, ours: Tenant, gateway: Served) -> None:
    account = world.account(ours, "acme")
    with world.connect() as connection:
        for name, kind, at in (
            ("a", "csat", "2026-01-10T12:00Z"),
            ("b", "csat", "2026-01-15T12:00Z"),
            ("c", "ces", "2026-01-11T12:00Z"),
        ):
            connection.execute(
                """insert into engine.answer (tenant_id, account_id, person_id, answered_at, source, event_id, survey, kind,
                                              transactional, score)
                   values (%s, %s, 7, %s, 's', %s, 'q', %s, false, 4)""",
                (ours.id, account, at, name, kind),
            )
        connection.execute(
            """insert into engine.revision (tenant_id, partition, why, account_ids, first_day, last_day, measures, days, untils,
                                            befores, afters, completes, parts)
               values (%s, 0, 'late', array[%s::bigint], '2026-01-15', '2026-01-20', '{-2,-2,-1}', '{2026-01-15,2026-01-20,2026-01-15}',
                 '{2026-01-16,2026-01-21,2026-01-16}', '{0,1,2}', '{1,2,3}', '{t,t,t}', '{4 q,1 q,9 q}')""",
            (ours.id, account),
        )
    found = gateway.get("/v1/revisions?metric=csat", ours).json()["data"]
    assert [(one["measure"], one["part"], one["metrics"]) for one in found] == [
        ("answers.csat", part, ["csat", "onboarding_csat"]) for part in ("1 q", "4 q")
    ]
    steady = gateway.get("/v1/metrics/csat", ours).json()["revised"]
    assert (steady["complete_days"], steady["revised_days"]) == (3, 2)
    steady = gateway.get("/v1/metrics/ces", ours).json()["revised"]
    assert (steady["complete_days"], steady["revised_days"]) == (1, 0)


def test_last_values_hold_from_the_first_one_on(world: World, ours: Tenant, gateway: Served) -> None:
    first, until = (datetime.now(UTC).date() - timedelta(days=n) for n in (20, 12))
    with world.connect() as connection:
        row = connection.execute(
            "insert into engine.measure (tenant_id, name) values (%s, 'employee_nps') returning id",
            (ours.id,),
        ).fetchone()
        assert row is not None
        connection.execute(
            "insert into engine.last_value (tenant_id, measure_id, account_id, day, event_at, source, event_id, value) values (%s, %s, 0, %s, now(), 's', 'i', 7)",
            (ours.id, row[0], first),
        )
        connection.execute(
            """insert into engine.revision (tenant_id, partition, why, account_ids, first_day, last_day, measures, days, untils,
                                            befores, afters, completes)
               values (%s, 0, 'late', '{0}', %s, %s, array[%s::int], array[%s::date], array[%s::date], '{5}', '{7}', '{t}')""",
            (ours.id, first, until, row[0], first, until),
        )
    steady = gateway.get("/v1/metrics/employee_nps", ours).json()["revised"]
    assert (steady["complete_days"], steady["revised_days"]) == (19, 8)


def test_an_amended_event_says_so_on_its_account_page(world: World, ours: Tenant, gateway: Served) -> None:
    account = world.account(ours, "globex")
    at = datetime(2026, 3, 1, tzinfo=UTC)
    world.event(ours, account, "e1", at, feature="export")
    world.event(ours, account, "e2", at, feature="import")
    asked = gateway.post(
        "/v1/events/deletions",
        ours,
        {"account": "globex", "source": "x", "id": "y", "reason": "wrong"},
        "admin",
    ).json()
    with world.connect() as connection:
        connection.execute("update control.control_log set kind = 'amendment' where id = %s", (asked["id"],))
        connection.execute(
            """insert into engine.superseded_event (tenant_id, account_id, person_id, type, source, event_id, event_at, ingested_at, body, seq)
               values (%s, %s, 0, 'a.b', 'test', 'e1', %s, %s, '{"id": "e1", "type": "a.b"}', 1)""",
            (ours.id, account, at, at),
        )
    events = {
        event["id"]: event["amended"]
        for event in gateway.get("/v1/accounts/globex/events", ours).json()["data"]
    }
    assert events["e2"] is None
    assert (events["e1"]["reason"], events["e1"]["received"]) == ("wrong", {"id": "e1", "type": "a.b"})


def test_a_backfill_is_opened_closed_and_reverted_in_that_order(
    ours: Tenant, theirs: Tenant, gateway: Served
) -> None:
    opened = gateway.post("/v1/backfills", ours, {"description": "2024"}, "admin").json()
    address = f"/v1/backfills/{opened['id']}"
    assert (opened["state"], opened["staged_events"], opened["close"]) == ("open", 0, None)
    early = gateway.post(f"{address}/revert", ours, None, "admin")
    assert (early.status_code, early.json()["code"]) == (409, "backfill-open")
    closed = gateway.post(f"{address}/close", ours, None, "admin")
    assert closed.status_code == 202
    again = gateway.post(f"{address}/close", ours, None, "admin").json()
    assert closed.json() == again
    assert (again["state"], again["close"]["state"]) == ("closed", "pending")
    reverted = gateway.post(f"{address}/revert", ours, None, "admin").json()
    assert (reverted["state"], reverted["revert"]["kind"]) == ("reverted", "backfill_reverted")
    late = gateway.post(f"{address}/close", ours, None, "admin")
    assert (late.status_code, late.json()["code"]) == (409, "backfill-reverted")
    assert gateway.get(address, ours).json()["changed"] == []
    assert gateway.get(address, theirs).status_code == 404
    assert gateway.get("/v1/backfills", theirs).json()["data"] == []


def test_an_erasure_keeps_no_name(world: World, ours: Tenant, gateway: Served) -> None:
    asked = gateway.post("/v1/erasures", ours, {"person": "ann@example.com", "reason": "asked"}, "admin")
    assert asked.status_code == 202
    assert asked.json()["token"].startswith("erased-")
    again = gateway.post("/v1/erasures", ours, {"person": "ann@example.com", "reason": "asked"}, "admin")
    assert (again.status_code, again.json()["code"]) == (409, "person-erased")
    assert gateway.get(f"/v1/erasures/{asked.json()['id']}", ours, "admin").json()["state"] == "pending"
    with world.connect() as connection:
        kept = connection.execute(
            "select l::text from control.control_log l where tenant_id = %s", (ours.id,)
        ).fetchall()
    assert len(kept) == 1
    assert "ann@" not in kept[0][0]


def test_retention_is_set_by_kind(ours: Tenant, gateway: Served) -> None:
    headers = ours.headers("admin")
    kept = gateway.client.put(
        "/v1/retention", json={"raw_events": 400, "rejected": 30}, headers=headers
    ).json()
    assert kept == {"raw_events": 400, "rejected": 30, "conflicts": None, "revisions": None}
    kept = gateway.client.put("/v1/retention", json={"rejected": None}, headers=headers).json()
    assert kept == {"raw_events": 400, "rejected": None, "conflicts": None, "revisions": None}
    assert gateway.get("/v1/retention", ours).json() == kept
    assert gateway.client.put("/v1/retention", json={"raw_events": 0}, headers=headers).status_code == 400


def test_corrections_need_admin_and_sense(world: World, ours: Tenant, gateway: Served) -> None:
    world.account(ours, "acme")
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": "e",
        "source": "s",
        "type": "t",
        "time": "2026-03-01T00:00:00Z",
        "subject": "acme",
    }
    good = {"event": event, "reason": "r"}
    long = {**good, "event": {**event, "data": {"text": "x" * 50_000}}}
    assert gateway.post("/v1/events/amendments", ours, long, "admin").status_code == 202
    escaped = b'{"person": "\\ud800", "reason": "r"}'
    headers = {**ours.headers("admin"), "Content-Type": "application/json"}
    strange = gateway.client.post("/v1/erasures", content=escaped, headers=headers)
    assert strange.status_code == 400
    assert gateway.post("/v1/events/amendments", ours, good, "act").status_code == 403
    bodies: tuple[Any, ...] = (
        {"event": {"id": "e"}, "reason": "r"},
        {"event": event},
        {**good, "more": 1},
        [],
        "x",
    )
    for bad in bodies:
        assert gateway.post("/v1/events/amendments", ours, bad, "admin").status_code == 400
    for address in ("/v1/revisions?cursor=x", "/v1/revisions?from=soon", "/v1/corrections?cursor=x"):
        assert gateway.get(address, ours).status_code == 400
    for address in (
        "/v1/revisions?metric=x",
        "/v1/revisions?entry=x",
        "/v1/corrections/x",
        "/v1/backfills/x",
    ):
        assert gateway.get(address, ours).status_code == 404


def test_an_account_that_the_engine_has_not_met_yet_is_corrected_like_any_other(
    ours: Tenant, gateway: Served
) -> None:
    event = {
        "specversion": "1.0", "id": "e", "source": "s", "type": "t", "time": "2026-03-01T00:00:00Z", "subject": "new",
    }  # fmt: skip
    gone = {"account": "new", "source": "s", "id": "e", "reason": "r"}
    for address, body in (("amendments", {"event": event, "reason": "r"}), ("deletions", gone)):
        asked = gateway.post(f"/v1/events/{address}", ours, body, "admin")
        assert (asked.status_code, asked.json()["state"], asked.json()["account"]) == (202, "pending", "new")


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        ({"time": "1999-01-01T00:00:00Z"}, "time-too-old"),
        ({"time": "2999-01-01T00:00:00Z"}, "time-in-future"),
        ({"specversion": None}, "attribute-missing"),
        ({"type": "a\tb"}, "control-character"),
        ({"type": "ticket.opened"}, "field-missing"),
        ({"data": {"user": "u" * 300}}, "user-invalid"),
        (
            {"type": "survey.responded", "data": {"survey": "s", "kind": "nps", "user": "u", "score": 11}},
            "field-out-of-range",
        ),
        (
            {"type": "survey.responded", "data": {"survey": "s", "kind": "csat", "user": "u", "score": 77}},
            "field-out-of-range",
        ),
        ({"data": "\0"}, "nul-character"),
    ],
)
def test_what_ingest_would_refuse_is_no_amendment(
    world: World, ours: Tenant, gateway: Served, odd: dict[str, Any], code: str
) -> None:
    world.account(ours, "acme")
    event = {
        "specversion": "1.0", "id": "e", "source": "s", "type": "t", "time": "2026-03-01T00:00:00Z", "subject": "acme",
    }  # fmt: skip
    refused = gateway.post("/v1/events/amendments", ours, {"event": event | odd, "reason": "r"}, "admin")
    assert (refused.status_code, refused.json()["code"]) == (400, code)
    assert gateway.get("/v1/corrections", ours).json()["data"] == []


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        ({"time": "2014-12-31T23:59:59Z"}, "time-too-old"),
        ({"data": {"text": "x" * 3_000}}, "event-too-large"),
        ({"data": {str(n): n for n in range(30)}}, "too-many-keys"),
        ({"data": {"a": {"b": {"c": {"d": {}}}}}}, "nesting-too-deep"),
    ],
)
def test_amendments_are_judged_by_what_ingest_is_set_to(
    world: World, ours: Tenant, odd: dict[str, Any], code: str
) -> None:
    strict = EventSettings(
        max_event_bytes=2048,
        max_depth=4,
        max_keys=20,
        oldest_event=datetime(2015, 1, 1, tzinfo=UTC),
        future_seconds=0,
    )
    event = {
        "specversion": "1.0", "id": "e", "source": "s", "type": "t", "time": "2026-03-01T00:00:00Z", "subject": "acme",
    }  # fmt: skip
    with serving(world.url, strict) as gateway:
        asked = {"event": event | odd, "reason": "r"}
        refused = gateway.post("/v1/events/amendments", ours, asked, "admin")
    assert (refused.status_code, refused.json()["code"]) == (400, code)


def test_an_event_as_large_as_ingest_takes_can_be_amended(world: World, ours: Tenant) -> None:
    event = {
        "specversion": "1.0", "id": "e", "source": "s", "type": "t", "time": "2026-03-01T00:00:00Z", "subject": "acme",
        "data": {"text": "x" * (1024 * 1024 - 500)},
    }  # fmt: skip
    with serving(world.url, EventSettings(max_event_bytes=1024 * 1024)) as gateway:
        asked = gateway.post("/v1/events/amendments", ours, {"event": event, "reason": "r" * 500}, "admin")
    assert asked.status_code == 202
