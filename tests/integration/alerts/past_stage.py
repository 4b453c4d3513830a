"""The engine's stage with arrivals: events are written on the day on which they came, whenever they happened."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
from tests.integration.kpi_engine.figures_stage import Ev, Stage

from common.catalogue import loading
from common.clock import FixedClock
from common.contracts.instants import microseconds
from kpi_engine.adapters.figures_store import FigureWriter
from kpi_engine.adapters.state_store import PostgresStateStore
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.seen import SeenKeys
from kpi_engine.use_cases.account_states import AccountStates

CATALOGUE = loading.load(loading.base_pack())
START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
ACCOUNTS = {"calm": "mid", "fading": "mid", "loud": "mid", "gone": "small", "late": "small", "rare": None}
# What a dollar is worth, from a day on.
USD = {12: 0.9, 40: 1.1, 75: 0.5}
# What is said of them later, by the day on which it is.
TRAITS: Mapping[str, Sequence[tuple[int, Mapping[str, Any]]]] = {
    "calm": [(3, {"renewal_at": "2026-03-31", "notice_deadline": "2026-03-01T23:30:00-08:00"})],
    "loud": [(20, {"contract_start": "2025-11-30"}), (60, {"contract_start": None, "renewal_at": "soon"})],
    "fading": [(7, {"seats": 9}), (50, {"seats": None}), (93, {"seats": "4"})],
}
# What their subscriptions say at the beginning.
SEATS: Mapping[str, Mapping[str, Any]] = {name: {"seats": 5} for name in ("calm", "fading", "loud", "gone")}


class PastStage(Stage):
    def __init__(self, url: str) -> None:
        super().__init__(url, CATALOGUE, FixedClock(START))
        self.writer = FigureWriter(self.clock, SeenKeys(1 << 16))
        self._stamps: list[datetime] = []
        self._states = AccountStates(PostgresStateStore())
        # Which partitions there are: what a company's newest data is read by.
        self.conn.execute(
            "insert into engine.progress (topic, partition, partitions, batch_no, applied_at, updated_at) "
            "select 't', partition, 8, 0, %s, %s from generate_series(0, 7) partition",
            (START, START),
        )
        made = self.rows("insert into control.import (id, tenant_id, kind, file, started_at, imported_by, dry_run) "
            "values (gen_random_uuid(), %s, 'rates', 'f', %s, 'k', false) returning id", self.tenant_id, START)  # fmt: skip
        for day, rate in USD.items():
            told_rate = (self.tenant_id, (START + day * DAY).date(), rate, made[0][0])
            self.conn.execute("insert into control.rate values (%s, 'EUR', 'USD', %s, %s, %s)", told_rate)

    def batch(self, events: Sequence[Ev]) -> TenantBatch:
        stamps = np.array([microseconds(at) for at in self._stamps], np.int64)
        return replace(super().batch(events), ingested_at_us=stamps)

    def arrive(self, events: Sequence[Ev], at: datetime) -> None:
        """What is stamped `at`; nothing is lost when there is nothing."""
        self.arrive_each([(at, event) for event in events])

    def arrive_each(self, arrivals: Sequence[tuple[datetime, Ev]]) -> None:
        """Each with its own stamp, in one batch."""
        self._stamps = [at for at, _ in arrivals]
        if arrivals:
            self.write([event for _, event in arrivals])

    def loaded(self, started_at: datetime, ended_at: datetime) -> None:
        self.conn.execute(
            "insert into control.load (id, tenant_id, description, started_at, heartbeat_at, ended_at) "
            "values (gen_random_uuid(), %s, 'history', %s, %s, %s)",
            (self.tenant_id, started_at, ended_at, ended_at),
        )

    def figures(
        self, names: Sequence[str], now: datetime
    ) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
        """What the engine says of these accounts at `now`: figures and signals."""
        ids = {self.account(name): name for name in names}
        with self.conn.transaction():
            self._states.compute(self.conn, self.tenant_id, self.catalogue, sorted(ids), now, now)
        rows = self.conn.execute(
            "select account_id, figures, signals from engine.account_state where account_id = any(%s)",
            (list(ids),),
        )
        return {ids[account_id]: (figures, signals) for account_id, figures, signals in rows}


def told(days: int, seed: int = 5) -> list[tuple[datetime, Ev]]:
    """Arrival and event, in the order of arrival: accounts of every character over so many days."""
    rng, found = Random(seed), list[tuple[datetime, Ev]]()
    number = 0

    def tell(
        account: str, kind: str, day: int, data: Mapping[str, Any], user: str | None = None, late: int = 0
    ) -> None:
        nonlocal number
        number += 1
        at = START + day * DAY + timedelta(seconds=rng.randrange(86_000))
        event = Ev(kind, at, f"e{number}", account, user, data)
        found.append((at if not late else at + late * DAY, event))

    for account, segment in ACCOUNTS.items():
        traits = {"owner": "dana"} | ({"segment": segment} if segment else {})
        tell(account, "account.updated", 0, {"traits": traits})
        for day, later in TRAITS.get(account, ()):
            tell(account, "account.updated", day, {"traits": later})
        price = {"subscription": f"{account}-1", "mrr": "100.00", "currency": "EUR", **SEATS.get(account, {})}
        tell(account, "subscription.started", 0, price)
        for day in range(days):
            for kind, user, late in _day(account, day, rng):
                tell(account, kind, day, {"complaint": f"c{number}"}, user, late)
    fee = {"mrr": "100.00", "currency": "EUR"}
    for account, day, change in (
        ("calm", 4, {"seats": 3, "effective_at": (START + 2 * DAY).isoformat()}),
        ("loud", 6, {"seats": "many"}),
        ("late", 8, {"seats": 2, "effective_at": (START + 40 * DAY).isoformat()}),
        ("rare", 9, {"subscription": "rare-2", "seats": 6, "currency": "USD"}),
    ):
        tell(account, "subscription.changed", day, {"subscription": f"{account}-1", **fee, **change})
    gone = {"subscription": "gone-1", "effective_at": (START + 60 * DAY).isoformat()}
    tell("gone", "subscription.cancelled", 50, gone)
    tell("late", "account.closed", 66, {"reason": "moved"})
    tell("late", "account.created", 82, {})
    tell("fading", "account.closed", 84, {"reason": "moved"})
    tell("fading", "account.created", 92, {})
    for day, who, score in ((9, "ann", 8), (30, "ann", 3), (31, "bob", 9), (64, "bob", 8), (90, "ann", 7)):
        answer = {"survey": "s", "kind": "nps", "score": score, "wave": str(day)}
        tell("loud", "survey.responded", day, answer, who)
    for day in (12, 80):
        tell("calm", "survey.sent", day, {"survey": "s", "kind": "nps", "wave": str(day)}, "user-1")
    people: list[tuple[int, str, str, Mapping[str, Any]]] = [
        (4, "fading", "user-0", {"champion": True}),
        (4, "fading", "user-1", {"role": "Champion"}),
        (50, "fading", "user-1", {"left": True}),
        (70, "fading", "user-1", {"left": False}),
        (2, "gone", "user-2", {"champion": True}),
        (75, "gone", "user-2", {"champion": False}),
        (6, "late", "user-3", {"champion": True}),
        (8, "rare", "nobody", {"champion": True}),
        (60, "loud", "user-2", {"champion": True, "left": True}),
    ]
    for day, account, who, said in people:
        tell(account, "user.updated", day, {"traits": said}, who)
    for day, kind, invoice in (
        (20, "failed", "i1"),
        (5, "failed", "i2"),
        (33, "paid", "i1"),
        (70, "failed", "i1"),
    ):
        tell("calm", f"invoice.{kind}", day, {"invoice": invoice})
    for n, (opened, waits, takes) in enumerate(
        [(2, 0, 1), (9, 1, 3), (11, 2, 2), (14, 0, 1), (18, 3, 40), (50, 4, 9), (52, 0, 90), (57, 7, 8)]
    ):
        for day, kind in (
            (opened, "opened"),
            (opened + waits, "first_responded"),
            (opened + takes, "resolved"),
        ):
            tell("late", f"ticket.{kind}", day, {"ticket": f"t{n}"})
    plan = {"goal": "g", "baseline": 10, "target": 20, "due": "2026-03-15"}
    tell("fading", "success_plan.set", 15, plan)
    for day, value in ((40, 12), (60, 21), (66, 18)):
        tell("fading", "success_plan.progressed", day, {"goal": "g", "value": value})
    tell("rare", "success_plan.set", 30, {"goal": "h", "target": 5, "due": "2026-03-15"})
    tell("rare", "success_plan.set", 80, {"goal": "h", "target": 8})
    tell("loud", "subscription.changed", 25, {"subscription": "loud-1", "mrr": "80.00", "currency": "USD"})
    return sorted(found, key=lambda one: one[0])


def _day(account: str, day: int, rng: Random) -> list[tuple[str, str, int]]:
    """What an account's people do on a day: type, who, and how many days later it comes."""
    share = {"fading": 0.9 if day < 40 else 0.2, "gone": 0.8 if day < 30 else 0.0, "rare": 0.1}.get(
        account, 0.8
    )
    done = [("user.logged_in", f"user-{n}", 0) for n in range(4) if rng.random() < share]
    if account == "late":
        done = [(kind, user, rng.choice([0, 0, 3, 20])) for kind, user, _ in done if day < 45 or day > 70]
    if account == "loud" and (day % 13 == 0 or day in (52, 53)):
        done += [("complaint.filed", "ann", 0)] * (3 if day == 53 else 1)
    return done
