"""Values that are equal to Python alone, such as true and 1, are slices of their own in explanations, as they are in figures."""

import random
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from tests.conftest import PostgresServer
from tests.integration.analysis.stage import Told, telling
from tests.integration.analysis.test_explaining import definitions, parts
from tests.integration.kpi_engine.figures_stage import Ev

AUGUST, SEPTEMBER, OCTOBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (8, 9, 10))
DAY = timedelta(days=1)
LEVELS = (True, 1, "1", False, 0, "0", "true", None, 1.5)
PERIODS = {"from": "2026-09-01", "to": "2026-10-01", "compare": "previous_period"}
_RANDOM = random.Random(8)
# Of each account: its level, log-ins in August and September, MRR at the start and the end of both.
ACCOUNTS = {
    f"a{n}": (LEVELS[n % len(LEVELS)], [_RANDOM.randrange(1, 9) for _ in range(2)], [_RANDOM.randrange(1, 9) for _ in range(3)])
    for n in range(2 * len(LEVELS))
}  # fmt: skip


@pytest.fixture(scope="module")
def told(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Told]:
    name = f"slices_by_value_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {} strategy file_copy", name, migrated_template)
    with telling(postgres_server.database_url(name), definitions()) as made:
        made.history.tell(event for account in ACCOUNTS for event in life(account))
        made.history.applied(datetime(2026, 11, 20, tzinfo=UTC))
        yield made
    postgres_server.drop(name)


def life(account: str) -> Iterator[Ev]:
    level, logins, mrr = ACCOUNTS[account]
    yield Ev(
        "account.created", AUGUST - 9 * DAY, f"{account}-new", account, None, {"traits": {"level": level}}
    )
    for month, number in zip((AUGUST, SEPTEMBER), logins, strict=True):
        for n in range(number):
            yield Ev("user.logged_in", month + n * DAY, f"{account}-{month:%m}-{n}", account, "ann", {})
    for number, amount in enumerate(mrr):
        at = (AUGUST - 8 * DAY, AUGUST + 8 * DAY, SEPTEMBER + 8 * DAY)[number]
        data = {"subscription": "s", "mrr": f"{amount}.00", "currency": "EUR"}
        yield Ev(f"subscription.{'changed' if number else 'started'}", at, f"{account}-s{number}", account, None, data)  # fmt: skip


def test_each_value_moved_what_its_accounts_did(told: Told) -> None:
    expected: Counter[str] = Counter()
    for level, (august, september), _ in ACCOUNTS.values():
        expected[repr(level)] += september - august
    answer = told.post("/v1/movers", {"metric": "portal_logins", "by": "level", **PERIODS})
    found = {repr(one["level"]): int(one["amount"]) for one in answer["movers"]["data"]}
    assert found == {level: amount for level, amount in expected.items() if amount}


def test_each_value_has_its_own_share_of_a_change(told: Told) -> None:
    starts: Counter[str] = Counter()
    for level, _, (_, start, _) in ACCOUNTS.values():
        starts[repr(level)] += start
    answer = told.post("/v1/explain-change", {"metric": "nrr", "by": ["level"], **PERIODS})
    shares = {
        repr(one["group"]["level"]): Fraction(Decimal(one["share_after"]))
        for one in parts(answer)["mix"]["slices"]
    }
    total = sum(starts.values())
    assert shares.keys() == starts.keys()
    assert all(abs(shares[level] - Fraction(start, total)) < Fraction(1, 10**12) for level, start in starts.items())  # fmt: skip
