"""A whole stack with a few customers, and a browser that has signed in to its dashboard."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from tests.acceptance.conftest import free_base
from tests.acceptance.stack import Stack
from tests.conftest import PostgresServer
from tests.pages.browser import WIDE, Browser, browsing

from common.testing import wait_until

# A name that would run as a script if any page took text for markup.
HOSTILE = "<img src=x onerror=\"document.title='taken'\">"


@dataclass
class Office:
    """The stack as its people use it."""

    url: str
    ingest: str
    keys: dict[str, str]
    database: str

    def send(self, *events: dict[str, Any]) -> None:
        """Post events that happened; all must be accepted."""
        answer = httpx.post(
            f"{self.ingest}/v1/events",
            json=list(events),
            headers={"Authorization": f"Bearer {self.keys['ingest']}"},
            trust_env=False,
            timeout=60,
        )
        assert answer.json()["accepted"] == len(events), answer.text

    def silence(self, account: str, until: datetime, comment: str) -> None:
        httpx.post(
            f"{self.url}/v1/silences",
            json={"account": account, "ends_at": until.isoformat(), "comment": comment},
            headers={"Authorization": f"Bearer {self.keys['act']}"},
            trust_env=False,
            timeout=60,
        ).raise_for_status()

    def ask(self, path: str) -> Any:
        answer = httpx.get(
            self.url + path,
            headers={"Authorization": f"Bearer {self.keys['read']}"},
            trust_env=False,
            timeout=60,
        )
        return answer.raise_for_status().json()


def event(account: str, type_: str, at: datetime, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "source": "/test",
        "type": type_,
        "subject": account,
        "time": at.isoformat(),
        "data": data,
    }


def remembered_health(office: Office, account: str, *scores: int) -> None:
    """Health of one day each until yesterday, by definitions older than those in force."""
    with psycopg.connect(office.database, autocommit=True) as connection:
        connection.execute(
            "insert into engine.health_day (tenant_id, account_id, day, score, band, profile, definitions, computed_at) "
            "select a.tenant_id, a.account_id, current_date - (cardinality(%(scores)s) - s.place)::int - 1, s.score, "
            "a.health ->> 'band', a.health ->> 'profile', 0, now() "
            "from published.account a, unnest(%(scores)s::int[]) with ordinality s (score, place) where a.account = %(account)s",
            {"account": account, "scores": list(scores)},
        )


def in_days(now: datetime, days: int) -> str:
    return (now + timedelta(days=days)).date().isoformat()


def history(
    account: str, name: str, mrr: str, notice_in_days: int, now: datetime
) -> Iterator[dict[str, Any]]:
    """Sixty days of a customer with a subscription and a goal of its own."""
    start = now - timedelta(days=60)
    traits = {"name": name, "segment": "mid", "plan": "pro", "owner": "ana"}
    yield event(account, "account.created", start, traits=traits)
    yield event(
        account,
        "subscription.started",
        start,
        subscription="s1",
        mrr=mrr,
        currency="EUR",
        product="platform",
        notice_deadline=in_days(now, notice_in_days),
        term_end=in_days(now, notice_in_days + 30),
    )
    yield event(
        account,
        "success_plan.set",
        start + timedelta(days=1),
        goal="Reports in half the time",
        measure="hours_a_report",
        baseline=10,
        target=5,
        value=8,
        due=in_days(now, 30),
    )
    for day in range(60):
        for user in ("uma", "vic", "wes"):
            yield event(account, "user.logged_in", start + timedelta(days=day, hours=9), user=user)


@pytest.fixture(scope="session")
def office(postgres_server: PostgresServer, kafka_bootstrap: str) -> Iterator[Office]:
    directory, database = Path(tempfile.mkdtemp(prefix="bellwether-pages-")), f"pages_{uuid.uuid4().hex}"
    postgres_server.execute("create database {}", database)
    topics = {
        "BELLWETHER_EVENTS_TOPIC": f"{database}.events",
        "BELLWETHER_REJECTED_TOPIC": f"{database}.rejected",
    }
    servers = {
        "DATABASE_URL": postgres_server.database_url(database),
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        **topics,
    }
    stack = Stack.start(directory / "data", free_base(22_000), engines=1, **servers)
    try:
        found = Office(stack.urls["gateway"], stack.urls["ingest"], stack.keys, servers["DATABASE_URL"])
        _furnish(found)
        yield found
    finally:
        left = stack.stop()
        shutil.rmtree(directory, ignore_errors=True)
        postgres_server.drop(database)
    assert left == [], "the stack left processes behind"


def _furnish(office: Office) -> None:
    now = datetime.now(UTC)
    office.send(event("blank", "account.created", now, traits={"name": "Blank"}))
    # Who pays less has to decide sooner, and has its case first.
    _complaining(office, "quiet/one", *history("quiet/one", HOSTILE, "1000.00", 10, now))
    _complaining(office, "acme", *history("acme", "Acme Ltd", "1200.00", 80, now))


def _complaining(office: Office, account: str, *before: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    office.send(
        *before,
        *(event(account, "complaint.filed", now, complaint=f"c{n}", text="It is slow") for n in range(4)),
    )
    wait_until(
        lambda: account in [one["id"] for one in office.ask("/v1/accounts?case=open")["data"]],
        90,
        f"a case of {account}",
    )


@pytest.fixture(scope="session")
def shared_browser(office: Office) -> Iterator[Browser]:
    with browsing(office.url) as browser:
        browser.sized(WIDE)
        browser.sign_in(office.keys["act"])
        yield browser


@pytest.fixture
def browser(shared_browser: Browser) -> Browser:
    """A wide, light screen whose console is still empty."""
    shared_browser.sized(WIDE)
    shared_browser.driver.get(f"{shared_browser.url}/static/favicon.svg")
    shared_browser.driver.execute_script("localStorage.clear()")
    shared_browser.complaints()
    return shared_browser
