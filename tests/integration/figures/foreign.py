"""The same history paid in other currencies: each amount as many units as make, by the rate that holds for it, what it was."""

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import uuid4

from tests.integration.kpi_engine.figures_stage import Ev, Stage
from tests.reference.calendar import Calendar

Abroad = Callable[[Iterable[Ev], Calendar, int], list[Ev]]
AMOUNTS = ("amount", "mrr", "yearly_benefit", "customer_effort")
DATED = {date(2024, 1, 1): Decimal("0.5"), date(2026, 2, 10): Decimal(4), date(2026, 5, 3): Decimal("0.25")}
STEADY = Decimal(8)
"""Recurring fees are counted at the rates of whoever asks, so theirs never moves."""


def paid_abroad(events: Iterable[Ev], calendar: Calendar, seed: int) -> list[Ev]:
    """Some money in dollars, by the rate of its local day, and some subscriptions in francs."""
    rng = random.Random(seed)
    francs: dict[tuple[str, str], bool] = {}

    def paid(event: Ev) -> Ev:
        if event.data.get("currency") != "EUR":
            return event
        if event.type.startswith("subscription."):
            named = (event.account, event.data["subscription"])
            return in_units(event, "CHF", STEADY) if francs.setdefault(named, rng.random() < 0.5) else event
        day = calendar.day_of(event.at)
        rate = DATED[max(first for first in DATED if first <= day)]
        return in_units(event, "USD", rate) if rng.random() < 0.5 else event

    return [paid(event) for event in events]


def in_units(event: Ev, currency: str, rate: Decimal) -> Ev:
    units = {
        name: str(Decimal(event.data[name]) / rate) for name in AMOUNTS if event.data.get(name) is not None
    }
    return replace(event, data={**event.data, **units, "currency": currency})


def give_rates(stage: Stage) -> None:
    """Keeps the rates that these amounts are told by."""
    imported = uuid4()
    stage.conn.execute(
        "insert into control.import (id, tenant_id, kind, file, started_at, imported_by, dry_run)"
        " values (%s, %s, 'rates', 'rates.csv', now(), 'test', false)",
        (imported, stage.tenant_id),
    )
    told = [("USD", day, rate) for day, rate in DATED.items()] + [("CHF", date(2025, 1, 1), STEADY)]
    for currency, day, rate in told:
        row = (stage.tenant_id, "EUR", currency, day, rate, imported)
        stage.conn.execute("insert into control.rate values (%s, %s, %s, %s, %s, %s)", row)


def take_rates(stage: Stage) -> None:
    stage.conn.execute("delete from control.rate")
    stage.conn.execute("delete from control.import")
