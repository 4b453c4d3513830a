"""`bellwether doctor` on a real broker and a real database."""

import json
from collections.abc import Callable
from typing import Any

import psycopg
from tests.conftest import Topics
from tests.integration.cli.command import Cli

Findings = dict[str, dict[str, str]]


def examined(cli: Cli) -> tuple[int, Findings]:
    done = cli.run("doctor", "--json")
    told: dict[str, Any] = json.loads(done.stdout)
    findings = {finding["check"]: finding for finding in told["findings"]}
    assert told["healthy"] == (done.returncode == 0)
    assert all(f["why"] and f["do"] for f in findings.values() if f["health"] in ("warning", "failure"))
    return done.returncode, findings


def whole(cli_with: Callable[..., Cli], database: str, broker: str, topics: Topics) -> Cli:
    return cli_with(
        DATABASE_URL=database, KAFKA_BOOTSTRAP_SERVERS=broker, BELLWETHER_EVENTS_TOPIC=topics.events
    )


def test_a_fresh_installation_lacks_only_what_a_person_has_to_do(
    cli_with: Callable[..., Cli], postgres_url: str, kafka_bootstrap: str, fresh_topics: Topics
) -> None:
    code, found = examined(whole(cli_with, postgres_url, kafka_bootstrap, fresh_topics))
    assert code == 0
    health = {check: finding["health"] for check, finding in found.items()}
    expected = {
        "postgresql": "ok",
        "schema": "ok",
        "clock": "ok",
        "outbox": "ok",
        "rejected": "ok",
        "kafka": "ok",
    }
    expected |= {"partitions": "ok", "offsets": "ok", "lag": "ok", "engine": "note", "keys": "warning"}
    assert health | expected == health


def test_an_engine_that_read_another_topic_is_found(
    cli_with: Callable[..., Cli], postgres_url: str, kafka_bootstrap: str, fresh_topics: Topics
) -> None:
    with psycopg.connect(postgres_url) as conn:
        conn.execute(
            """insert into engine.progress (topic, partition, topic_id, partitions, next_offset, updated_at)
               values (%s, 0, gen_random_uuid(), 4, 7, now() - interval '1 hour')""",
            (fresh_topics.events,),
        )
    code, found = examined(whole(cli_with, postgres_url, kafka_bootstrap, fresh_topics))
    assert code == 1
    assert found["partitions"]["health"] == "failure"
    assert "was read with 4" in found["partitions"]["what"]
    assert found["offsets"]["what"] == "not looked at: what the engine noted belongs to the former topic"


def test_an_empty_database_needs_migrating(
    cli_with: Callable[..., Cli], empty_postgres_url: str, kafka_bootstrap: str, fresh_topics: Topics
) -> None:
    code, found = examined(whole(cli_with, empty_postgres_url, kafka_bootstrap, fresh_topics))
    assert code == 1
    assert found["schema"]["do"] == "run `bellwether migrate`"
    assert found["outbox"]["health"] == "unknown"


def test_a_missing_topic_is_named(
    cli_with: Callable[..., Cli], postgres_url: str, kafka_bootstrap: str
) -> None:
    environment = {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "BELLWETHER_EVENTS_TOPIC": "never-made"}
    code, found = examined(cli_with(DATABASE_URL=postgres_url, **environment))
    assert code == 1
    assert found["kafka"]["what"] == "topic never-made does not exist"


def test_what_is_down_is_said_and_the_rest_still_looked_at(
    cli_with: Callable[..., Cli], postgres_url: str
) -> None:
    cli = cli_with(
        DATABASE_URL="postgresql://127.0.0.1:1/x",
        KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1",
        BELLWETHER_INGEST_URL="http://127.0.0.1:1",
    )
    code, found = examined(cli)
    assert code == 1
    assert found["postgresql"]["health"] == found["kafka"]["health"] == found["ingest"]["health"] == "failure"
    assert found["disk"]["health"] in ("ok", "warning")
    done = cli.run("doctor")
    assert "docs/runbooks/database-down.md" in done.stdout
    assert "Traceback" not in done.stderr


def test_what_could_not_be_stored_leads_to_its_page_until_it_is_replayed(
    cli_with: Callable[..., Cli], postgres_url: str, kafka_bootstrap: str, fresh_topics: Topics
) -> None:
    cli = whole(cli_with, postgres_url, kafka_bootstrap, fresh_topics)
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(
            """insert into engine.rejected (received_at, stage, code, message, body, topic, partition, "offset")
               select now(), 'engine', 'event-poisoned', 'no', '', 'events', 0, n from generate_series(1, 30) n"""
        )
        assert "30 accepted events" in examined(cli)[1]["rejected"]["what"]
        conn.execute("update engine.rejected set replayed_at = now()")
    assert examined(cli)[1]["rejected"]["health"] == "ok"
