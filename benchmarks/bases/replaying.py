"""A base's past, read once, and the product's own replay of rules over it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import psycopg
from benchmarks.bases.calendar import DAYS, FIRST_DAY, JUDGED_FROM
from benchmarks.bases.judging import Warned
from benchmarks.bases.plan import at
from benchmarks.bases.remembering import NOW
from benchmarks.bed import TENANT

from alerts.adapters.definitions import compile_rule
from alerts.adapters.history import PostgresHistory
from alerts.domain.signal_days import can_be_counted
from alerts.ports.history import Recorded, TenantHistory
from alerts.use_cases.backtest import Backtest, Question, Replayed
from common.catalogue.models import Catalogue, Rule
from common.db.pool import open_pool

HORIZON = timedelta(days=90)


@dataclass(frozen=True)
class Read:
    """`History` that was read once, with the days of all measures that replays can count, and answers every rule from memory."""

    known: TenantHistory

    def catalogue(self, tenant_id: int) -> Catalogue | None:
        return None

    def read(
        self, tenant_id: int, catalogue: Catalogue, now: datetime, measures: Collection[str] = ()
    ) -> TenantHistory | None:
        return self.known

    def recorded(
        self, tenant_id: int, catalogue: Catalogue, rules: Collection[str], begin: datetime
    ) -> Mapping[str, Recorded]:
        return {}


@dataclass(frozen=True)
class Replays:
    tenant_id: int
    catalogue: Catalogue
    backtest: Backtest

    def of(self, rule: Rule) -> Replayed:
        """What the rule would have said on the judged days."""
        return self.between(rule, at(JUDGED_FROM).date(), None)

    def between(self, rule: Rule, start: date, end: date | None) -> Replayed:
        """Both included."""
        question = Question(compile_rule(rule, self.catalogue.signals), start, end, HORIZON)
        return self.backtest.run(self.tenant_id, self.catalogue, question, NOW)


def over(history: TenantHistory, catalogue: Catalogue) -> Replays:
    return Replays(0, catalogue, Backtest(Read(history)))


def kept(url: str, catalogue: Catalogue) -> TenantHistory:
    """The past that the product kept in this database."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select id from control.tenant where slug = %s", (TENANT,)).fetchone()
    assert row is not None
    countable = [name for name, one in catalogue.measures.items() if can_be_counted(one)]
    pool = open_pool(url, "bases", min_size=1, max_size=2)
    try:
        found = PostgresHistory(pool).read(int(row[0]), catalogue, NOW, countable)
    finally:
        pool.close()
    assert found is not None
    return found


def warned(replayed: Replayed) -> list[Warned]:
    """The evidence is of the end of a day, so the warning came at the start of the next one."""
    return [
        Warned(
            one.account,
            (one.from_day - FIRST_DAY).days + 1,
            DAYS if one.to_day is None else (one.to_day - FIRST_DAY).days + 1,
        )
        for one in replayed.warned
    ]
