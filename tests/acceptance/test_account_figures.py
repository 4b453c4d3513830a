"""The figures of single accounts, as rules and account pages read them, against the reference.

Days at the very edge of a window are left without events, because `now` moves on while the test runs.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.acceptance.client import Client
from tests.acceptance.stack import Stack
from tests.acceptance.tenants import Tenant
from tests.reference.account import account_figures
from tests.reference.calendar import Calendar
from tests.reference.events import Event, Json, events_of

ZONE = "America/New_York"
ACCOUNTS = 12
EDGES = (0, 1, 6, 7, 8, 27, 28, 29, 55, 56, 57, 90, 91, 92, 179, 180, 181)
EXACT = ("user_days_28d", "user_days_base", "complaints_7d", "complaints_28d", "days_silent")
NEAR = ("login_trend", "complaints_base", "usual_gap_days")


@dataclass(frozen=True)
class Accounts:
    client: Client
    events: list[Event]


def deed(rng: random.Random, number: int, account: str, days_ago: int) -> Json:
    at = datetime.now(UTC) - timedelta(days=days_ago, seconds=rng.randrange(3600))
    kind = rng.choices(("feature.used", "user.logged_in", "complaint.filed"), (5, 3, 1))[0]
    data: Json = {"user": f"user-{rng.randrange(4)}"}
    if kind == "complaint.filed":
        data |= {"complaint": f"c{number}"}
    if kind == "feature.used":
        data |= {"feature": "export"}
    return {
        "specversion": "1.0", "id": str(number), "source": "/app", "type": kind, "subject": account,
        "time": at.isoformat(), "data": data,
    }  # fmt: skip


@pytest.fixture(scope="module")
def accounts(stack: Stack, new_tenant: Callable[..., Tenant]) -> Accounts:
    tenant = new_tenant("accounts", {"settings.yaml": f"timezone: {ZONE}\n"})
    rng = random.Random(28)
    days = [day for day in range(2, 200) if day not in EDGES]
    bodies: list[Json] = []
    for n in range(ACCOUNTS):
        times = rng.choices(days, k=rng.choice((3, 40, 250)))
        bodies += [deed(rng, len(bodies) + i, f"acct-{n}", day) for i, day in enumerate(times)]
    bodies += [
        {
            "specversion": "1.0", "id": f"segment-{n}", "source": "/crm", "type": "account.updated", "subject": f"acct-{n}",
            "time": (datetime.now(UTC) - timedelta(days=250)).isoformat(), "data": {"traits": {"segment": f"s{n % 2}"}},
        }
        for n in range(ACCOUNTS)
    ]  # fmt: skip
    rng.shuffle(bodies)
    tenant.client.post_all(bodies, 200)
    stack.wait_applied()
    return Accounts(tenant.client, events_of(bodies))


@pytest.mark.parametrize("number", range(ACCOUNTS))
def test_the_figures_of_an_account_equal_the_recomputation(accounts: Accounts, number: int) -> None:
    account = f"acct-{number}"
    shown = accounts.client.get(f"/v1/accounts/{account}")["figures"]
    expected = account_figures(accounts.events, Calendar(ZoneInfo(ZONE)), account, datetime.now(UTC))
    assert {name: shown[name] for name in EXACT} == {name: getattr(expected, name) for name in EXACT}
    for name in NEAR:
        exact = getattr(expected, name)
        assert shown[name] == (None if exact is None else pytest.approx(float(exact), rel=1e-9, abs=1e-12)), (
            name
        )
    last = expected.last_activity_at
    assert last is not None
    assert abs(datetime.fromisoformat(shown["last_activity_at"]) - last) < timedelta(milliseconds=1)


def test_a_trend_is_shown_relative_to_the_segment(accounts: Accounts) -> None:
    for number in range(ACCOUNTS):
        shown = accounts.client.get(f"/v1/accounts/acct-{number}")["figures"]
        own, segment, relative = (
            shown[name] for name in ("login_trend", "segment_login_trend", "login_trend_vs_segment")
        )
        if own is None or segment is None:
            assert relative is None
        else:
            assert relative == pytest.approx(own - segment, abs=1e-9)
