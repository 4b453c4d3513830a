"""A figure by the definition that was in force, where measures change, and where events came late as well."""

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from tests.conftest import PostgresServer
from tests.integration.analysis.stage import Told, telling
from tests.integration.analysis.test_explaining import definitions, parts
from tests.integration.kpi_engine.figures_stage import Ev

from common import catalogue as catalogues
from common.catalogue import Catalogue
from common.catalogue.models import Metric

AUGUST, LATER = datetime(2026, 8, 10, 10, tzinfo=UTC), datetime(2026, 11, 10, tzinfo=UTC)


def used(kind: str, name: str, at: datetime = AUGUST) -> Ev:
    return Ev(kind, at, name, "a", "ann", {"feature": "x"} if kind == "feature.used" else {})


def counting_actions() -> Catalogue:
    base = definitions()
    body = base.metrics["portal_logins"].model_dump(mode="json")
    formula = {"type": "simple", "measure": "key_actions"}
    changed = Metric.model_validate(
        {**body, "formula": formula, "version": 2, "effective_from": date(2026, 9, 1)}
    )
    return base.model_copy(update={"metrics": {**base.metrics, "portal_logins": changed}})


@pytest.fixture
def told(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Told]:
    name = f"definitions_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {} strategy file_copy", name, migrated_template)
    with telling(postgres_server.database_url(name), definitions(), counting_actions()) as made:
        made.history.tell(used("user.logged_in", f"in-{n}") for n in range(5))
        made.history.tell([used("feature.used", "on-time")])
        made.history.applied(datetime(2026, 11, 20, tzinfo=UTC))
        yield made
    postgres_server.drop(name)


def explained(told: Told) -> tuple[str, dict[str, tuple[str, bool]]]:
    body = {"metric": "portal_logins", "from": "2026-09-01", "to": "2026-10-01", "compare": "previous_period"}
    answer: dict[str, Any] = told.post("/v1/explain-change", body)
    found = {name: (part["amount"], part["known"]) for name, part in parts(answer).items()}
    return answer["earlier"]["as_known_when_complete"], found


def test_late_events_are_those_of_each_definition(told: Told) -> None:
    """What was known is a count by the old definition, whatever came late of what the new one counts."""
    told.history.tell((used("feature.used", f"late-{n}") for n in range(7)), LATER)
    known, found = explained(told)
    assert (known, found["definition"], found["late_data"]) == ("5", ("-4", True), ("7", True))
    told.history.tell([used("user.logged_in", "late-in")], LATER)
    known, found = explained(told)
    assert (known, found["definition"], found["late_data"]) == ("5", ("-4", True), ("7", True))


def test_a_measure_that_counts_otherwise_is_another_definition(told: Told) -> None:
    """Its name and the metric's version stay; what it counted before is kept under the version that brought it."""
    base = counting_actions()
    never = base.measures["key_actions"].model_copy(update={"where": "event.data.feature == 'other'"})
    narrower = base.model_copy(update={"measures": {**base.measures, "key_actions": never}})
    version = catalogues.apply(told.history.conn, "t", narrower)
    told.history.conn.execute(
        "insert into engine.definition_counted (tenant_id, version, counted_at) values (%s, %s, %s)",
        (told.history.tenant_id, version, LATER),
    )
    body = {"metric": "portal_logins", "earlier": {"from": "2026-09-01", "to": "2026-10-01"},
            "later": {"from": "2026-10-01", "to": "2026-11-01"}}  # fmt: skip
    told.history.tell([used("feature.used", "september", AUGUST.replace(month=9))])
    answer = told.post("/v1/explain-change", body)
    assert answer["earlier"]["value"] == "0"
    assert answer["earlier"]["as_known_when_complete"] == "1"
    assert parts(answer)["definition"]["amount"] == "-1"


def test_figures_by_a_former_definition_lead_to_their_accounts_and_have_movers(told: Told) -> None:
    """July and August had it; what is in force counts uses, of which August has one."""
    body = {"metric": "portal_logins", "from": "2026-08-01", "to": "2026-09-01", "compare": "previous_period"}
    explained, moved = told.post("/v1/explain-change", body), told.post("/v1/movers", body)
    for answer in (explained, moved):
        assert [answer[name]["value"] for name in ("earlier", "later")] == ["0", "5"]
        [row] = told.get(answer["later"]["behind"])["data"]
        assert float(row["value"]) == 5
    assert moved["movers"] == explained["accounts"]


def test_a_definition_in_another_unit_is_not_taken_from_the_former(told: Told) -> None:
    """A metric that comes again as a ratio was so many events; nothing is gained by what one is less the other."""
    base = counting_actions()
    seven = {"window_days": 7, "agg": "sum"}
    formula = {"type": "ratio", "numerator": {"measure": "key_actions", **seven}, "denominator": {"measure": "events", **seven}}  # fmt: skip
    body = base.metrics["portal_logins"].model_dump(mode="json") | {
        "formula": formula, "kind": "ratio", "unit": "ratio", "rollup": "ratio", "version": 3, "effective_from": "2026-10-01",
    }  # fmt: skip
    ratio = Metric.model_validate(body)
    metrics = {**base.metrics, "portal_logins": ratio}
    catalogues.apply(told.history.conn, "t", base.model_copy(update={"metrics": metrics}))
    used_twice = (used("feature.used", f"{month}", AUGUST.replace(month=month, day=29)) for month in (9, 10))
    told.history.tell([*used_twice, used("user.logged_in", "october", AUGUST.replace(month=10, day=29))])
    asked = {"metric": "portal_logins", "earlier": {"from": "2026-09-01", "to": "2026-09-30"},
             "later": {"from": "2026-10-01", "to": "2026-10-30"}}  # fmt: skip
    answer = told.post("/v1/explain-change", asked)
    assert [answer[name]["value"] for name in ("earlier", "later")] == ["1", "0.5"]
    assert answer["earlier"]["as_known_when_complete"] == "1"
    definition = parts(answer)["definition"]
    assert (definition["amount"], definition["known"]) == ("0", False)
    assert "version 2 was told in logins, version 3 in ratio" in definition["note"]
    assert "from 100 % to 50 %" in answer["sentence"]


def test_what_was_no_longer_kept_when_it_was_counted_is_unknown_to_all(told: Told) -> None:
    base = counting_actions()
    every = base.measures["key_actions"].model_copy(update={"where": "event.data.feature != 'other'"})
    wider = base.model_copy(update={"measures": {**base.measures, "key_actions": every}})
    version = catalogues.apply(told.history.conn, "t", wider)
    told.history.conn.execute(
        "insert into engine.definition_counted (tenant_id, version, counted_at, kept_from) values (%s, %s, %s, %s)",
        (told.history.tenant_id, version, LATER, AUGUST.replace(month=9)),
    )
    told.history.tell([used("feature.used", "october", AUGUST.replace(month=10))])
    body = {"metric": "portal_logins", "earlier": {"from": "2026-09-01", "to": "2026-10-01"},
            "later": {"from": "2026-10-01", "to": "2026-11-01"}}  # fmt: skip
    explained, moved = told.post("/v1/explain-change", body), told.post("/v1/movers", body)
    for answer in (explained, moved):
        assert [answer[name]["value"] for name in ("earlier", "later")] == [None, "0"]
    assert (explained["change"], explained["parts"], moved["movers"]["data"]) == (None, [], [])
    assert (
        "no longer kept when version 3 of the definitions counted the measure key_actions"
        in explained["sentence"]
    )
    assert "the earlier figure is unknown (it needs events from before" in moved["reason"]
