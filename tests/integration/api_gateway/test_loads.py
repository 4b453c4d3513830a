from tests.integration.api_gateway.world import Served, Tenant


def test_a_load_is_started_kept_open_and_ended_once(ours: Tenant, gateway: Served) -> None:
    started = gateway.post("/v1/loads", ours, {"description": "history"}, "ingest")
    assert started.status_code == 201
    load = started.json()
    assert load["ended_at"] is None
    kept = gateway.post(f"/v1/loads/{load['id']}/heartbeat", ours, None, "admin").json()
    assert kept["heartbeat_at"] > load["heartbeat_at"]
    ended = gateway.post(f"/v1/loads/{load['id']}/end", ours, None, "ingest").json()
    again = gateway.post(f"/v1/loads/{load['id']}/end", ours, None, "ingest").json()
    assert ended["ended_at"] == again["ended_at"] is not None
    late = gateway.post(f"/v1/loads/{load['id']}/heartbeat", ours, None, "ingest")
    assert (late.status_code, late.json()["code"]) == (409, "load-ended")
    assert gateway.get("/v1/loads", ours).json()["data"] == [again]


def test_loads_need_admin_or_ingest(ours: Tenant, gateway: Served) -> None:
    for scope in ("read", "act"):
        assert gateway.post("/v1/loads", ours, {"description": "x"}, scope).status_code == 403


def test_bad_loads_are_refused(ours: Tenant, gateway: Served) -> None:
    bodies: tuple[object, ...] = (
        {"description": "\0"},
        {"description": "x" * 501},
        {"description": 5},
        [],
        "x",
    )
    for body in bodies:
        assert gateway.post("/v1/loads", ours, body, "admin").status_code == 400
    for load in ("nothing", "%00", "00000000-0000-0000-0000-000000000000"):
        assert gateway.post(f"/v1/loads/{load}/end", ours, None, "admin").status_code == 404
