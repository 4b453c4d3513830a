"""The long run of telling: `python -m tests.faults.telling --trials 50 --seconds 600 --results FILE`.

Accounts complain and calm down at random for sixteen hours, flapping; at a random moment the database is one from up to three hours before and all
that the engine had done since is done again. Judged by what a receiver sees, against a database that was never replaced: the same episodes are told
under the same ids, and no id names two cases. One JSON line a trial; trials already in the file are not run again. Ends with 1 when any failed.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.conftest import PostgresServer
from tests.integration.alerts.conftest import MONDAY_NOON, Watcher, connected, replica
from tests.integration.alerts.world import SECRET, World

from common.catalogue.alerting import Alerting, Flapping
from common.catalogue.models import Receiver, Routing
from common.clock import FixedClock
from common.db.migrate import migrate
from common.local.ports import free_ports
from common.local.postgres import VOLATILE, LocalPostgres

ACCOUNTS, STEPS, STEP = 6, 24, timedelta(minutes=40)
HOOK = Receiver(name="team", kind="webhook", url="http://127.0.0.1:9/", secret=SECRET)
ALERTING = Alerting(flapping=Flapping(turns=4, within_hours=48))
# What one account does in one step: it complains, it has calmed down, or nothing is heard of it.
Step = tuple[int, bool]


@dataclass
class Seen:
    """What a receiver remembers: the openings it was told, with the account and which of its cases it is."""

    openings: dict[str, tuple[str, str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def take(self, world: World) -> None:
        found = world.rows(
            'select n.id, a.name, n.case_id from alerts.notification n join alerts."case" c on c.id = n.case_id '
            "join engine.account a on a.id = c.account_id where n.type = 'case.opened'"
        )
        for notice, account, case in found:
            known = self.openings.setdefault(notice, (account, case))
            if known != (account, case):
                self.failures.append(f"{notice} named {known} and then {(account, case)}")


def trial(server: PostgresServer, template: str, seed: int) -> dict[str, Any]:
    chance = random.Random(seed)
    steps = [
        [(n, chance.random() < 0.5) for n in range(ACCOUNTS) if chance.random() < 0.5] for _ in range(STEPS)
    ]
    ends = chance.randrange(6, STEPS)
    begins = max(0, ends - chance.randrange(1, 5))
    once, seen = Seen(), Seen()
    with _world(server, template, f"whole_{seed}") as (world, ids, watcher):
        _live(world, ids, watcher(), steps, once)
    with _world(server, template, f"first_{seed}") as (world, ids, watcher):
        _live(world, ids, watcher(), steps[:ends], seen)
    told = len(seen.openings)
    with _world(server, template, f"second_{seed}") as (world, ids, watcher):
        # The copy knows the steps until `begins`; those after it are done again, by a replica that remembers nothing.
        _live(world, ids, watcher(), steps[:begins], Seen())
        _live(world, ids, watcher(), steps[begins:], seen)
    lost, others = once.openings.keys() - seen.openings.keys(), seen.openings.keys() - once.openings.keys()
    failures = [*seen.failures, *once.failures]
    failures += [f"{len(lost)} episodes were never told"] * bool(lost)
    failures += [f"{len(others)} episodes were told under another id"] * bool(others)
    return {
        "seed": seed,
        "restored": [begins, ends],
        "told": [told, len(seen.openings)],
        "failures": failures,
    }


def _live(
    world: World, ids: Sequence[int], watcher: Watcher, steps: Sequence[Sequence[Step]], seen: Seen
) -> None:
    for step in steps:
        for number, complains in step:
            if complains:
                world.complains(ids[number])
            else:
                world.computed(ids[number], complaints_7d=0, complaints_28d=0)
        world.drained()
        watcher.follow()
        seen.take(world)
        world.clock.advance(STEP)


@contextmanager
def _world(
    server: PostgresServer, template: str, name: str
) -> Iterator[tuple[World, list[int], Callable[[], Watcher]]]:
    server.execute("create database {} template {} strategy file_copy", name, template)
    try:
        with ExitStack() as stack:
            url = server.database_url(name)
            connection = stack.enter_context(connected(url))
            world = World(url, connection, FixedClock(MONDAY_NOON))
            world.tenant("acme", HOOK)
            world.apply("acme", Routing(receivers=(HOOK,)), alerting=ALERTING)
            # As in a copy: one installation has one line, and one place for each name.
            connection.execute("update alerts.installation set line = 'line', seen_at = %s", (world.now,))
            ids = [world.account(f"account-{n}") for n in range(ACCOUNTS)]
            world.computed(*ids)
            replica(stack, world).follow()
            world.pass_time(minutes=1)
            yield world, ids, lambda: replica(stack, world)
    finally:
        server.drop(name)


def main() -> int:
    options = _options()
    done = (
        [json.loads(line) for line in options.results.read_text().splitlines()]
        if options.results.exists()
        else []
    )
    directory, began = Path(tempfile.mkdtemp(prefix="bellwether-telling-")), time.monotonic()
    server = LocalPostgres(directory / "postgres", free_ports(1)[0], settings=VOLATILE)
    try:
        server.start()
        databases = PostgresServer(server.url())
        databases.execute("create database {}", "template_of_trials")
        migrate(databases.database_url("template_of_trials"))
        with connected(databases.database_url("template_of_trials")) as connection:
            connection.execute("create table engine.raw_chunk_any partition of engine.raw_chunk default")
        for number in range(len(done), options.trials):
            if time.monotonic() - began > options.seconds:
                break
            done.append(trial(databases, "template_of_trials", options.seed + number))
            with options.results.open("a") as file:
                file.write(json.dumps(done[-1]) + "\n")
            sys.stdout.write(f"{number + 1}/{options.trials} {done[-1]}\n")
    finally:
        server.stop()
        shutil.rmtree(directory)
    failed = [one for one in done if one["failures"]]
    sys.stdout.write(f"{len(done)} trials, {len(failed)} failed\n")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seed", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for this piece")
    parser.add_argument("--results", type=Path, default=Path(".local/telling.ndjson"))
    options = parser.parse_args()
    options.results.parent.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    sys.exit(main())
