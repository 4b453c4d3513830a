from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from tests.integration.api_gateway.world import Served, Tenant, World


def test_an_account_is_shown_with_its_traits_figures_and_freshness(
    world: World, ours: Tenant, gateway: Served
) -> None:
    world.account(
        ours, "acme", mrr="1200.5", traits={"name": "Acme Ltd", "plan": "pro"}, figures={"login_trend": -0.25}
    )
    answer = gateway.get("/v1/accounts/acme", ours)
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["id"], shown["name"], shown["plan"], shown["mrr"]) == ("acme", "Acme Ltd", "pro", "1200.50")
    assert shown["figures"]["login_trend"] == -0.25
    assert shown["as_of"].endswith("Z")
    assert shown["case"] is None


def test_a_changed_fee_leaves_term_notice_product_and_seats_as_they_were_known(
    world: World, ours: Tenant, gateway: Served
) -> None:
    account = world.account(ours, "acme")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    said = (
        ("kept", "started", 10, 300, 270, "desk"), ("kept", "changed", 12, None, None, None), ("moved", "started", 10, 300, 270, "desk"),
        ("moved", "changed", 10, None, 200, None), ("longer", "started", 10, 300, 270, "desk"), ("longer", "changed", 10, 600, None, None),
        ("over", "started", 10, 300, 270, "desk"), ("over", "cancelled", None, None, None, None),
    )  # fmt: skip
    with world.connect() as connection:
        for n, (subscription, kind, mrr, term, notice, product) in enumerate(said):
            days = [None if day is None else start + timedelta(days=day) for day in (n, n, term, notice)]
            connection.execute(
                """insert into engine.subscription_change (tenant_id, account_id, subscription, source, event_id, kind, mrr, currency, product,
                   effective_at, event_at, term_end, notice_deadline, seats) values (%s, %s, %s, 'crm', %s, %s, %s, 'EUR', %s, %s, %s, %s, %s, %s)""",
                (
                    ours.id,
                    account,
                    subscription,
                    str(n),
                    kind,
                    mrr,
                    product,
                    *days,
                    {"kept": 5, "moved": n}.get(subscription) if mrr == 10 else None,
                ),
            )
    shown = gateway.get("/v1/accounts/acme", ours).json()["subscriptions"]
    seats = {one["subscription"]: one["seats"] for one in shown}
    assert seats == {"kept": 5, "moved": 3, "longer": None, "over": None}
    dates = {one["subscription"]: (one["product"], one["term_end"], one["notice_deadline"]) for one in shown}
    day = {n: (start + timedelta(days=n)).strftime("%Y-%m-%dT%H:%M:%SZ") for n in (200, 270, 300, 600)}
    assert dates == {
        "kept": ("desk", day[300], day[270]), "moved": ("desk", day[300], day[200]), "longer": ("desk", day[600], None), "over": ("desk", None, None)
    }  # fmt: skip


def test_a_notice_that_a_renewal_withdrew_is_not_what_was_said_last(
    world: World, ours: Tenant, gateway: Served
) -> None:
    account = world.account(ours, "acme")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    said = (("started", 10, 0, 0), ("cancelled", None, 30, 90), ("renewed", 12, 60, 60))
    with world.connect() as connection:
        for name, last in (("withdrawn", None), ("again", ("cancelled", None, 70, 80))):
            for n, (kind, mrr, told, acts) in enumerate((*said, last) if last else said):
                connection.execute(
                    """insert into engine.subscription_change (tenant_id, account_id, subscription, source, event_id, kind, mrr, currency,
                       event_at, effective_at) values (%s, %s, %s, 'crm', %s, %s, %s, 'EUR', %s, %s)""",
                    (ours.id, account, name, f"{name}{n}", kind, mrr, start + timedelta(days=told), start + timedelta(days=acts)),
                )  # fmt: skip
    shown = gateway.get("/v1/accounts/acme", ours).json()["subscriptions"]
    assert {one["subscription"]: one["change"] for one in shown} == {
        "withdrawn": "renewed",
        "again": "cancelled",
    }


def test_ids_with_any_character_are_found(world: World, ours: Tenant, gateway: Served) -> None:
    for name in ("a/b", "a b", "50%", "é/ü?x=1#y", "a/timeline", "%2F"):
        world.account(ours, name)
        quoted = "".join(f"%{byte:02X}" for byte in name.encode())
        assert gateway.get(f"/v1/accounts/{quoted}", ours).json()["id"] == name
        assert gateway.get(f"/v1/accounts/{quoted}/timeline", ours).status_code == 200


def test_accounts_are_listed_by_risk_with_graver_and_older_cases_first(
    world: World, ours: Tenant, gateway: Served
) -> None:
    now = datetime.now(UTC)
    ids = {name: world.account(ours, name) for name in ("calm", "warned", "worst", "older")}
    world.case(ours, ids["warned"], "warning", now)
    world.case(ours, ids["older"], "warning", now - timedelta(days=2))
    world.case(ours, ids["worst"], "critical", now)
    shown = gateway.get("/v1/accounts", ours).json()["data"]
    assert [row["id"] for row in shown] == ["worst", "older", "warned", "calm"]
    assert shown[0]["case"]["summary"] == "logins fell"


def test_a_closed_account_comes_after_those_that_stand_wherever_something_is_to_come(
    world: World, ours: Tenant, gateway: Served
) -> None:
    traits = {"renewal_at": "2026-01-01", "notice_deadline": "2026-01-01"}
    worst = {"login_trend": -0.9, "health": 1}
    rows = {
        name: world.account(ours, name, traits={**traits, "closed": closed}, figures=worst)
        for name, closed in (("over", True), ("cased", True), ("stands", False))
    }
    world.account(
        ours, "well", traits=dict.fromkeys(traits, "2027-01-01"), figures={"login_trend": 0, "health": 90}
    )
    world.case(ours, rows["cased"])

    def ids(sort: str) -> list[str]:
        shown = gateway.get(f"/v1/accounts?sort={sort}&order=asc", ours).json()["data"]
        return [row["id"] for row in shown]

    assert gateway.get("/v1/accounts?sort=risk", ours).json()["data"][-1]["id"] == "over"
    for sort in ("health", "renewal_at", "notice_deadline"):
        assert ids(sort) == ["stands", "well", "cased", "over"], sort


def test_pages_follow_each_other_without_gap_or_repeat_in_every_order(
    world: World, ours: Tenant, gateway: Served
) -> None:
    now = datetime.now(UTC)
    for number in range(23):
        traits = (
            {}
            if number % 5 == 0
            else {
                "renewal_at": f"2027-0{number % 9 + 1}-15",
                "notice_deadline": f"2027-01-{number % 28 + 1:02}T00:00:00Z",
            }
        )
        row = world.account(
            ours,
            f"account {number:02}",
            mrr=str(number % 4),
            traits=traits,
            last_activity_at=now - timedelta(hours=number % 3),
        )
        if number % 6 == 0:
            world.case(ours, row, ("info", "warning", "critical")[number % 3])
    for sort in ("risk", "mrr", "renewal_at", "notice_deadline", "last_activity_at", "name"):
        for order in ("asc", "desc"):
            whole = gateway.get(f"/v1/accounts?sort={sort}&order={order}", ours).json()["data"]
            paged, cursor = [], ""
            while True:
                page = gateway.get(
                    f"/v1/accounts?sort={sort}&order={order}&limit=5&cursor={cursor}", ours
                ).json()
                paged += page["data"]
                cursor = page["next_cursor"]
                if not cursor:
                    break
            assert [row["id"] for row in paged] == [row["id"] for row in whole], (sort, order)
            assert len(whole) == 23


def test_what_an_account_pays_is_unknown_without_a_rate_and_comes_last(
    world: World, ours: Tenant, gateway: Served
) -> None:
    rows = {name: world.account(ours, name, mrr=mrr) for name, mrr in (("a", "5"), ("b", "0"), ("c", "7"))}
    with world.connect() as connection:
        connection.execute("update engine.account_state set mrr = null where account_id = %s", (rows["a"],))
    for order, expected in (("asc", "bca"), ("desc", "cba")):
        pages = [gateway.get(f"/v1/accounts?sort=mrr&order={order}&limit=2", ours).json()]
        pages.append(gateway.get(f"/v1/accounts?sort=mrr&order={order}&limit=2&cursor={pages[0]['next_cursor']}", ours).json())  # fmt: skip
        assert [one["id"] for page in pages for one in page["data"]] == list(expected)
    assert gateway.get("/v1/accounts/a", ours).json()["mrr"] is None
    assert gateway.get("/v1/accounts/b", ours).json()["mrr"] == "0.00"


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", ["mrr", "last_activity_at", "name"])
def test_who_keeps_its_place_is_on_one_page_whoever_else_moves(
    world: World, ours: Tenant, gateway: Served, sort: str, order: str
) -> None:
    random, now = Random(7), datetime.now(UTC)
    rows = {
        f"a{number:02}": world.account(
            ours, f"a{number:02}", mrr=str(number % 7), last_activity_at=now - timedelta(hours=number % 7)
        )
        for number in range(40)
    }
    movers = random.sample(sorted(rows), 15)
    before = gateway.get(f"/v1/accounts?sort={sort}&order={order}", ours).json()["data"]
    told: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = gateway.get(f"/v1/accounts?sort={sort}&order={order}&limit=4&cursor={cursor}", ours).json()
        told += [row["id"] for row in page["data"]]
        cursor = page["next_cursor"]
        for name in random.sample(movers, 3):
            at = now - timedelta(minutes=random.randrange(600))
            with world.connect() as connection:
                connection.execute(
                    "update engine.account_state set last_activity_at = %s where account_id = %s",
                    (at, rows[name]),
                )
            world.change(ours, [rows[name]], mrr=str(random.randrange(9)))
    unmoved = before if sort == "name" else [row for row in before if row["id"] not in movers]
    assert [name for name in told if name not in movers or sort == "name"] == [row["id"] for row in unmoved]


def test_accounts_are_filtered_by_trait_text_and_case(world: World, ours: Tenant, gateway: Served) -> None:
    world.account(ours, "acme", traits={"segment": "smb", "owner": "ana", "name": "Acme GmbH"})
    row = world.account(ours, "bolt", traits={"segment": "smb", "owner": "ben", "plan": "pro"})
    world.account(ours, "coil", traits={"segment": "big"})
    world.case(ours, row)

    def ids(query: str) -> list[str]:
        return [found["id"] for found in gateway.get(f"/v1/accounts?sort=name&{query}", ours).json()["data"]]

    assert ids("segment=smb") == ["acme", "bolt"]
    assert ids("segment=smb&owner=ana") == ["acme"]
    assert ids("filter.plan=pro&filter.plan=free") == ["bolt"]
    assert ids("q=gmbh") == ["acme"]
    assert ids("q=%25") == []
    assert ids("case=open") == ["bolt"]
    assert ids("case=none") == ["acme", "coil"]


def test_a_misspelt_filter_is_refused_and_what_a_browser_adds_is_not(
    world: World, ours: Tenant, gateway: Served
) -> None:
    world.account(ours, "acme", traits={"segment": "mid"})
    misspelt = gateway.get("/v1/accounts?segmnet=large", ours)
    assert (misspelt.status_code, misspelt.json()["code"]) == (400, "parameter-unknown")
    assert "did you mean 'segment'" in misspelt.json()["message"]
    assert gateway.get("/v1/accounts?_=1763822000&segment=large", ours).json()["data"] == []
    assert gateway.get("/v1/accounts?utm_source=mail&orgId=1", ours).json()["data"] != []


def test_a_cursor_of_another_question_or_garbage_is_refused(
    world: World, ours: Tenant, theirs: Tenant, gateway: Served
) -> None:
    for tenant in (ours, theirs):
        for number in range(3):
            world.account(tenant, f"account {number}")
    cursor = gateway.get("/v1/accounts?limit=1", ours).json()["next_cursor"]
    for path, tenant in (
        (f"/v1/accounts?limit=1&cursor={cursor}", theirs),
        (f"/v1/accounts?limit=1&sort=name&cursor={cursor}", ours),
        (f"/v1/accounts?limit=1&segment=x&cursor={cursor}", ours),
        ("/v1/accounts?cursor=garbage", ours),
        ("/v1/accounts?cursor=%00", ours),
        (f"/v1/accounts?cursor={'A' * 5000}", ours),
    ):
        answer = gateway.get(path, tenant)
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor-invalid"), path


def test_events_and_timeline_page_backwards_through_time(world: World, ours: Tenant, gateway: Served) -> None:
    row = world.account(ours, "acme")
    start = datetime.now(UTC) - timedelta(days=1)
    for number in range(7):
        world.event(ours, row, f"e{number}", start + timedelta(minutes=number // 2), feature=f"f{number}")
    world.case(ours, row)
    seen, cursor = [], ""
    while True:
        page = gateway.get(f"/v1/accounts/acme/events?limit=3&cursor={cursor}", ours).json()
        seen += [event["id"] for event in page["data"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert sorted(seen) == [f"e{number}" for number in range(7)]
    assert seen[0] == "e6"
    entries = gateway.get("/v1/accounts/acme/timeline", ours).json()["data"]
    assert [entry["kind"] for entry in entries] == ["case", "case"] + ["event"] * 7
    assert entries[2]["text"] == "feature used: f6"


def test_events_come_newest_first_however_far_the_chunks_of_a_load_overlap(
    world: World, ours: Tenant, gateway: Served
) -> None:
    row, chance = world.account(ours, "acme"), Random(7)
    start = datetime.now(UTC) - timedelta(days=30)
    told: list[tuple[datetime, str]] = []
    for number in range(60):
        # Some chunks hold an hour, some the whole month; several events share an instant.
        reach = chance.choice((1, 24, 600))
        first = start + timedelta(hours=chance.randrange(720 - reach + 1))
        events = [
            (f"e{number}-{n}", first + timedelta(hours=chance.randrange(reach)))
            for n in range(chance.randint(1, 6))
        ]
        world.chunk(ours, row, events)
        told += [(at, name) for name, at in events]
    for limit in (1, 5, 40, 200):
        seen: list[tuple[str, str]] = []
        cursor = ""
        while len(seen) < 200:
            page = gateway.get(f"/v1/accounts/acme/events?limit={limit}&cursor={cursor}", ours).json()
            seen += [(event["time"], event["id"]) for event in page["data"]]
            cursor = page["next_cursor"]
            if not cursor or (limit == 1 and len(seen) == 25):
                break
        newest = sorted((at for at, _ in told), reverse=True)[: len(seen)]
        assert [datetime.fromisoformat(time) for time, _ in seen] == newest
        assert len({name for _, name in seen}) == len(seen)
        assert len(seen) >= (25 if limit == 1 else min(len(told), 200))


def test_an_unchanged_answer_is_304_until_its_account_or_case_is_another(
    world: World, ours: Tenant, gateway: Served
) -> None:
    account = world.account(ours, "acme", mrr="10")
    paths = ("/v1/accounts/acme", "/v1/accounts?sort=risk")
    tags = {path: gateway.get(path, ours).headers["etag"] for path in paths}

    def statuses() -> list[int]:
        """With the tag of the answer before."""
        answers = {path: gateway.get(path, ours, **{"If-None-Match": tags[path]}) for path in paths}
        tags.update({path: answer.headers["etag"] for path, answer in answers.items()})
        assert {answer.headers["cache-control"] for answer in answers.values()} == {"private, no-cache"}
        assert all(answer.status_code == 200 or not answer.content for answer in answers.values())
        return [answer.status_code for answer in answers.values()]

    assert statuses() == [304, 304]
    world.change(ours, [account], mrr="20")
    assert statuses() == [200, 200]
    world.change(ours, [account])
    assert statuses() == [304, 304]
    world.case(ours, account)
    assert statuses() == [200, 200]
    assert gateway.get(paths[0], ours).json()["case"]["severity"] == "warning"
