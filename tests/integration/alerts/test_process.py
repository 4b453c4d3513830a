"""The service as an operator runs it: processes that are started, killed and told to end."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from tests.contract.channels.stations import http_answering, station
from tests.integration.alerts.world import SECRET, World

from common.catalogue.models import Receiver, Routing
from common.clock import FixedClock
from common.local.ports import free_ports
from common.testing import wait_until

PATIENCE_SECONDS = 60
START_SECONDS = 120


class MachineClock(FixedClock):
    """The world's clock where real processes look at it too: it is always now."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def clock() -> FixedClock:
    return MachineClock(datetime.now(UTC))


@dataclass
class Replica:
    """One alerts process."""

    process: subprocess.Popen[bytes]
    url: str

    def is_ready(self) -> bool:
        assert self.process.poll() is None, "it ended"
        try:
            return httpx.get(f"{self.url}/readyz", timeout=PATIENCE_SECONDS).status_code == 200
        except httpx.TransportError:
            return False

    def last_round(self) -> float:
        """Unix time at which it last looked through what changed."""
        text = httpx.get(f"{self.url}/metrics", timeout=PATIENCE_SECONDS).text
        [line] = re.findall(r"^bellwether_alerts_last_round_timestamp_seconds (\S+)$", text, re.MULTILINE)
        return float(line)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)


@pytest.fixture
def start(world: World, tmp_path: Path) -> Iterator[Callable[[], Replica]]:
    with ExitStack() as stack:

        def begin() -> Replica:
            port = free_ports(1)[0]
            settings = {"ALERTS_PORT": str(port), "ALERTS_DELIVERY_TIMEOUT_SECONDS": "5"}
            environment = {**os.environ, "DATABASE_URL": world.url, **settings}
            log = stack.enter_context((tmp_path / f"alerts-{port}.log").open("wb"))
            process = subprocess.Popen([sys.executable, "-m", "alerts"], env=environment, stderr=log)
            replica = Replica(process, f"http://127.0.0.1:{port}")
            stack.callback(replica.kill)
            return replica

        yield begin


def _route_to(world: World, port: int) -> None:
    url = f"http://127.0.0.1:{port}/"
    team = Receiver(name="team", kind="webhook", url=url, secret=SECRET, allow_private=True)
    world.apply("acme", Routing(receivers=(team,)))


def _complains(world: World, name: str) -> None:
    account = world.account(name)
    world.complains(account)


def _all_evaluated(world: World) -> bool:
    found = world.rows(
        "select count(*) from engine.progress p left join alerts.cursor c using (partition) where c.batch_no is distinct from p.batch_no"
    )
    return found == [(0,)]


def test_a_crossing_reaches_the_receiver_and_sigterm_ends_it(
    world: World, start: Callable[[], Replica]
) -> None:
    with station(http_answering(200)) as receiver:
        _route_to(world, receiver.port)
        replica = start()
        wait_until(replica.is_ready, START_SECONDS, "a ready service")
        wait_until(lambda: _all_evaluated(world), PATIENCE_SECONDS, "the first look at every account")
        _complains(world, "globex")
        wait_until(lambda: receiver.requests, PATIENCE_SECONDS, "the webhook")
        replica.process.send_signal(signal.SIGTERM)
        assert replica.process.wait(PATIENCE_SECONDS) == 0
    assert len(receiver.requests) == 1


def test_its_metrics_tell_that_it_looks_at_no_account(world: World, start: Callable[[], Replica]) -> None:
    replica = start()
    wait_until(replica.is_ready, START_SECONDS, "a ready service")
    began = replica.last_round()
    wait_until(lambda: replica.last_round() > began, PATIENCE_SECONDS, "rounds")
    with world.connection.transaction():
        world.connection.execute("lock table engine.progress in access exclusive mode")
        wait_until(lambda: time.time() - replica.last_round() > 3, PATIENCE_SECONDS, "no more rounds")
    released = time.time()
    wait_until(lambda: replica.last_round() > released, PATIENCE_SECONDS, "rounds again")


def test_two_replicas_killed_at_random_open_each_case_once_and_deliver_each_notice(
    world: World, start: Callable[[], Replica]
) -> None:
    chance, names = random.Random(20260302), [f"account-{number}" for number in range(24)]
    with station(http_answering(200)) as receiver:
        _route_to(world, receiver.port)
        replicas = [start(), start()]
        wait_until(
            lambda: all(replica.is_ready() for replica in replicas), START_SECONDS, "two ready replicas"
        )
        for number, name in enumerate(names):
            _complains(world, name)
            if number % 8 == 4:
                victim = chance.randrange(2)
                replicas[victim].kill()
                replicas[victim] = start()
        wait_until(lambda: len(world.cases()) == len(names), PATIENCE_SECONDS, "a case for every account")
        waiting = "select id, status, reason, attempts, lease_until from alerts.notification where status <> 'delivered'"
        # A notice that a killed replica had claimed waits for its lease to end.
        wait_until(lambda: not world.rows(waiting), 120, f"every notice delivered: {world.rows(waiting)}")
        ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert len(set(ids)) == len(names), "repeats carry the same id, and nothing is told under two"
    per_account = world.rows("select count(*) from alerts.v_case group by account_id having count(*) > 1")
    assert per_account == []


def test_a_database_that_goes_away_is_waited_for(world: World, start: Callable[[], Replica]) -> None:
    with station(http_answering(200)) as receiver:
        _route_to(world, receiver.port)
        replica = start()
        wait_until(replica.is_ready, START_SECONDS, "a ready service")
        world.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        )
        _complains(world, "globex")
        wait_until(lambda: receiver.requests, PATIENCE_SECONDS, "the webhook")
        assert replica.process.poll() is None


@pytest.mark.parametrize(
    ("changes", "ends_with"),
    [
        ({}, 0),
        ({"ALERTS_PORT": "many"}, 2),
        ({"DATABASE_URL": None}, 2),
        ({"ALERTS_MAX_LAG_SECONDS": "-1"}, 2),
    ],
)
def test_settings_are_checked_without_starting(changes: dict[str, str | None], ends_with: int) -> None:
    wanted = {**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", **changes}
    environment = {name: value for name, value in wanted.items() if value is not None}
    done = subprocess.run(
        [sys.executable, "-m", "alerts", "--check-config"], env=environment, capture_output=True, check=False
    )
    assert done.returncode == ends_with
    assert all(name in done.stderr.decode() for name in changes)


def test_a_database_that_was_not_migrated_is_named(empty_postgres_url: str) -> None:
    environment = {**os.environ, "DATABASE_URL": empty_postgres_url}
    done = subprocess.run(
        [sys.executable, "-m", "alerts"], env=environment, capture_output=True, check=False, timeout=90
    )
    assert done.returncode == 1
    assert b"bellwether migrate" in done.stderr
