"""What is judged together is judged as one after another: the same cases, the same notices to the byte, in the same order."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from tests.integration.alerts.conftest import connected
from tests.integration.alerts.world import COMPLAINING, FALLEN, HEALTHY, SECRET, SILENT, TOPIC, World

from alerts.adapters.definitions import DefinitionStore
from alerts.adapters.ledger import PostgresLedger
from alerts.adapters.rows import CASE_COLUMNS
from alerts.app import new_id
from alerts.metrics import Metrics
from alerts.ports.ledger import Ledger
from alerts.use_cases.calm import CalmAccounts
from alerts.use_cases.evaluate import Evaluator
from alerts.use_cases.post import Post
from alerts.use_cases.tell import Teller
from common.catalogue.alerting import Alerting, Flapping, Storm
from common.catalogue.models import Receiver, Route, Routing

ACCOUNTS, ROUNDS = 6, 3
STATES: tuple[dict[str, Any], ...] = tuple(
    {**HEALTHY, **changes} for changes in ({}, COMPLAINING, FALLEN, SILENT, {**COMPLAINING, **FALLEN})
)
PARENTS = (None, None, "group", "own-0")
EACH_TOLD = Alerting(flapping=Flapping(turns=2, within_hours=48))
CAPPED = Alerting(storm=Storm(cases=2, within_minutes=90))
# What is random, or counts what was rolled back.
WRITTEN = {
    "cases": f'select {CASE_COLUMNS} from alerts."case" order by account_id, opened_at, id',
    "notices": "select id, receiver_id, case_id, type, body, created_at, occasion from alerts.notification order by seq",
    "alerts": "select account_id, rule, state, reason, case_id, since_at, fired_at, due_at, evidence, figures from alerts.alert order by 1, 2, since_at, 3",
    "steps": "select case_id, label, owner, due_on from alerts.playbook_step order by case_id, position",
    "storms": "select started_at, last_at, cases, ended_at from alerts.storm order by id",
    "turns": "select account_id, rule, at from alerts.turn order by 1, 2, 3",
}


def _judged(ledger: Ledger, batches: Sequence[Sequence[int]], world: World) -> None:
    """By a replica that remembers nothing."""
    metrics = Metrics(CollectorRegistry())
    teller = Teller(Post(new_id, "http://gateway.example", metrics))
    evaluator = Evaluator(teller, metrics, new_id, CalmAccounts())
    for batch in batches:
        evaluator.evaluate(ledger, batch, world.now)


def _written(connection: psycopg.Connection[Any]) -> dict[str, list[tuple[Any, ...]]]:
    return {name: connection.execute(query).fetchall() for name, query in WRITTEN.items()}


def _without_counts(written: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Of a storm that begins people hear how many cases there were in the batch that began it."""
    notices = [
        (*row[:4], "" if row[3] == "storm.summary" else row[4], *row[5:]) for row in written["notices"]
    ]
    return {**written, "notices": notices}


@pytest.mark.parametrize("alerting", [EACH_TOLD, CAPPED], ids=["each is told", "not all are told"])
@given(chance=st.integers(0, 2**32).map(Random))
@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_batch_of_accounts_is_judged_as_one_after_another(
    world: World, chance: Random, alerting: Alerting
) -> None:
    first = len(world.figures)
    if first == 0:
        hook = Receiver(name="team", kind="webhook", url="http://127.0.0.1:9/", secret=SECRET)
        world.apply(
            "acme", Routing(receivers=(hook,), routes=(Route(receivers=("team",)),)), alerting=alerting
        )
    world.pass_time(days=1)
    accounts = [world.account(f"own-{first + n}", parent=chance.choice(PARENTS)) for n in range(ACCOUNTS)]
    with connected(world.url) as connection:
        ledger = PostgresLedger(connection, TOPIC, DefinitionStore(trust_seconds=0))
        world.computed(*accounts)
        _judged(ledger, [accounts], world)
        for _ in range(ROUNDS):
            world.clock.advance(timedelta(hours=1))
            for account in accounts:
                figures = chance.choice(STATES)
                if figures["complaints_7d"]:
                    world.arrives(account, "complaint.filed")
                world.computed(account, **{**figures, "mrr": chance.choice((0, 500, 9000))})
            with connection.transaction(force_rollback=True):
                _judged(ledger, [accounts], world)
                together = _written(connection)
            _judged(ledger, [[account] for account in accounts], world)
            assert _without_counts(together) == _without_counts(_written(connection))
