"""Small random histories of a few accounts, and how the engine would have stored them."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from tests.reference.calendar import Calendar

Connection = psycopg.Connection[Any]
DAY = timedelta(days=1)
VALID_DAYS = 180
SEGMENTS = ("smb", "enterprise", None)
PLANS = ("free", "pro", 3)
# The last one stands for an `activity.logged` of kind review.
KINDS = ("user.logged_in", "feature.used", "complaint.filed", "invoice.paid", "invoice.failed", "review")
PASSIVE = ("invoice.paid", "invoice.failed", "review")
COUNTED = {
    "user.logged_in": "portal_logins",
    "complaint.filed": "complaints",
    "invoice.failed": "failed_invoices",
    "review": "reviews_held",
}
HOURLY = ("portal_logins", "complaints")


@dataclass(frozen=True)
class Seen:
    """An event: of somebody or of nobody named, activity or not, of some type."""

    account: str
    at: datetime
    user: str | None
    type: str
    activity: bool


@dataclass(frozen=True)
class Answer:
    account: str
    user: str
    at: datetime
    score: int


@dataclass(frozen=True)
class TraitSet:
    account: str
    name: str
    at: datetime
    source: str
    event_id: str
    value: Any


@dataclass(frozen=True)
class Reported:
    """A number that an event said: `amount` in cents is summed, `level` is kept as the day's last."""

    account: str
    at: datetime
    amount: int
    level: Decimal


@dataclass(frozen=True)
class Worth:
    """The account's MRR is `mrr` after `at`."""

    account: str
    at: datetime
    mrr: Decimal


@dataclass
class World:
    calendar: Calendar
    first: date
    days: int
    accounts: list[str]
    seen: list[Seen] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    traits: list[TraitSet] = field(default_factory=list)
    worth: list[Worth] = field(default_factory=list)
    reported: list[Reported] = field(default_factory=list)

    @property
    def end(self) -> date:
        return self.first + DAY * self.days

    def mrr(self, account: str, before: datetime) -> Decimal:
        """Of everything strictly before an instant; later entries of one instant stand."""
        past = [
            w.mrr for w in sorted(self.worth, key=lambda w: w.at) if w.account == account and w.at < before
        ]
        return past[-1] if past else Decimal(0)


def random_world(seed: int, calendar: Calendar) -> World:
    rng = random.Random(seed)
    first = date(2026, rng.choice((1, 3, 10)), rng.randrange(1, 28))
    names = [f"acct-{n}" for n in range(rng.randrange(1, 5))]
    world = World(calendar, first, rng.randrange(40, 100), names)
    for account in names:
        world.seen.extend(_activity(rng, world, account))
        world.answers.extend(_answers(rng, world, account))
        world.traits.extend(_traits(rng, world, account))
        world.worth.extend(_worth(rng, world, account))
        world.reported.extend(_reported(rng, world, account))
    return world


def _moment(rng: random.Random, world: World) -> datetime:
    """Often exactly on a local midnight, where the edges are."""
    midnight = world.calendar.start_of(world.first + DAY * rng.randrange(world.days))
    if rng.random() < 0.25:
        return midnight
    return midnight + timedelta(seconds=rng.randrange(86_400), microseconds=rng.choice((0, 1, 999_999)))


def _activity(rng: random.Random, world: World, account: str) -> Iterator[Seen]:
    people = [f"{account}-user-{n}" for n in range(rng.randrange(1, 4))]
    for _ in range(rng.randrange(0, 90)):
        kind = rng.choice(KINDS)
        user = rng.choice(people) if kind == "user.logged_in" or rng.random() < 0.7 else None
        yield Seen(account, _moment(rng, world), user, kind, kind not in PASSIVE)


def _answers(rng: random.Random, world: World, account: str) -> Iterator[Answer]:
    for n in range(rng.randrange(0, 5)):
        answered: set[datetime] = set()
        for _ in range(rng.randrange(0, 3)):
            at = _moment(rng, world) - DAY * rng.choice((0, 0, 100, 150))
            if at not in answered:
                answered.add(at)
                yield Answer(account, f"{account}-user-{n}", at, rng.randrange(11))


def _traits(rng: random.Random, world: World, account: str) -> Iterator[TraitSet]:
    for name, values in (("segment", SEGMENTS), ("plan", PLANS)):
        for n in range(rng.choice((0, 1, 1, 2, 4))):
            at = _moment(rng, world) - DAY * rng.choice((0, 200))
            yield TraitSet(
                account, name, at, rng.choice(("/crm", "/Billing")), f"{name}-{n}", rng.choice(values)
            )


def _worth(rng: random.Random, world: World, account: str) -> Iterator[Worth]:
    for at in sorted(
        {_moment(rng, world) - DAY * rng.choice((0, 0, 90)) for _ in range(rng.choice((0, 2, 6, 9)))}
    ):
        yield Worth(account, at, Decimal(rng.choice((0, 10_000, 25_050, 99_999))) / 100)


def _reported(rng: random.Random, world: World, account: str) -> Iterator[Reported]:
    for at in sorted({_moment(rng, world) for _ in range(rng.randrange(0, 12))}):
        yield Reported(account, at, rng.randrange(-500, 5_000), Decimal(rng.randrange(0, 400)) / 4)


def store(conn: Connection, tenant_id: int, world: World) -> None:
    """Writes what the engine keeps of the world: measures by account and bucket, totals, deltas, steps, traits."""
    ids = {name: _account(conn, tenant_id, name, partition) for partition, name in enumerate(world.accounts)}
    partitions = {ids[name]: n for n, name in enumerate(world.accounts)}
    hourly = _hourly(world)
    by_day = {**_daily(world), **{measure: _days_of(world, rows) for measure, rows in hourly.items()}}
    for measure, daily in by_day.items():
        number = _measure(conn, tenant_id, measure)
        cells = {(ids[a], on): n for (a, on), n in daily.items()}
        _write(conn, tenant_id, "day", number, cells, partitions)
        if measure in hourly:
            hours = {(ids[a], at): n for (a, at), n in hourly[measure].items()}
            _write(conn, tenant_id, "hour", number, hours, partitions)
    _write_last(conn, tenant_id, world, ids)
    for trait in world.traits:
        conn.execute(
            "insert into engine.trait values (%s, %s, 0, %s, %s, %s, %s, %s) on conflict do nothing",
            (
                tenant_id,
                ids[trait.account],
                trait.name,
                trait.at,
                trait.source,
                trait.event_id,
                Jsonb(trait.value),
            ),
        )
    for account in world.accounts:
        levels = [(w.at, w.mrr) for w in world.worth if w.account == account]
        for (_, before), (at, after) in pairwise([(None, Decimal(0)), *levels]):
            if after != before:
                row = (tenant_id, ids[account], at, after - before)
                conn.execute("insert into engine.mrr_change values (%s, %s, %s, %s, 'EUR')", row)


def _account(conn: Connection, tenant_id: int, name: str, partition: int) -> int:
    row = conn.execute(
        "insert into engine.account (tenant_id, name, partition) values (%s, %s, %s) returning id",
        (tenant_id, name, partition),
    ).fetchone()
    assert row is not None
    return int(row[0])


def _measure(conn: Connection, tenant_id: int, name: str) -> int:
    found = conn.execute(
        "insert into engine.measure (tenant_id, name) values (%s, %s) returning id", (tenant_id, name)
    ).fetchone()
    assert found is not None
    return int(found[0])


def _days_of(world: World, hours: Counter[tuple[str, datetime]]) -> Counter[tuple[str, date]]:
    days: Counter[tuple[str, date]] = Counter()
    for (account, hour), value in hours.items():
        days[account, world.calendar.day_of(hour)] += value
    return days


def _write(
    conn: Connection,
    tenant_id: int,
    grain: str,
    measure_id: int,
    rows: dict[tuple[int, Any], int],
    partitions: dict[int, int],
) -> None:
    column = "bucket" if grain == "hour" else "day"
    totals: Counter[tuple[int, Any]] = Counter()
    for (account_id, at), value in rows.items():
        totals[partitions[account_id], at] += value
    with conn.cursor() as cursor:
        _copy(cursor, f"measure_{grain}", ("account_id", column), tenant_id, measure_id, rows)
        _copy(cursor, f"total_{grain}", ("partition", column), tenant_id, measure_id, totals)


def _write_last(conn: Connection, tenant_id: int, world: World, ids: dict[str, int]) -> None:
    found = conn.execute(
        "insert into engine.measure (tenant_id, name) values (%s, 'level') returning id", (tenant_id,)
    ).fetchone()
    assert found is not None
    latest = {
        (said.account, world.calendar.day_of(said.at)): said
        for said in sorted(world.reported, key=lambda r: r.at)
    }
    for (account, on), said in latest.items():
        row = (tenant_id, found[0], ids[account], on, said.at, "s", "e", said.level)
        conn.execute("insert into engine.last_value values (%s, %s, %s, %s, %s, %s, %s, %s)", row)


def _copy(
    cursor: psycopg.Cursor[Any],
    table: str,
    columns: tuple[str, str],
    tenant_id: int,
    measure_id: int,
    rows: Mapping[tuple[int, Any], int],
) -> None:
    statement = f"copy engine.{table} (tenant_id, measure_id, {', '.join(columns)}, value) from stdin"
    with cursor.copy(statement) as copy:
        for (key, at), value in rows.items():
            copy.write_row((tenant_id, measure_id, key, at, value))


def _hourly(world: World) -> dict[str, Counter[tuple[str, datetime]]]:
    rows: dict[str, Counter[tuple[str, datetime]]] = defaultdict(Counter)
    for event in world.seen:
        hour = world.calendar.hour_of(event.at)
        rows["events"][event.account, hour] += 1
        if (measure := COUNTED.get(event.type)) in HOURLY:
            rows[measure][event.account, hour] += 1
    return rows


def _daily(world: World) -> dict[str, Counter[tuple[str, date]]]:
    people: dict[tuple[str, str], set[date]] = defaultdict(set)
    active: dict[str, set[date]] = defaultdict(set)
    rows: dict[str, Counter[tuple[str, date]]] = defaultdict(Counter)
    for event in world.seen:
        day = world.calendar.day_of(event.at)
        if (measure := COUNTED.get(event.type, "")) and measure not in HOURLY:
            rows[measure][event.account, day] += 1
        if event.activity:
            active[event.account].add(day)
            if event.user is not None:
                people[event.account, event.user].add(day)
    for (account, _), days in people.items():
        _presence(rows, "active_users", account, days)
    for account, days in active.items():
        _presence(rows, "active_accounts", account, days)
    for account, measure, on, delta in _answer_deltas(world):
        rows[measure][account, on] += delta
    for said in world.reported:
        rows["spent"][said.account, world.calendar.day_of(said.at)] += said.amount
    return rows


def _presence(
    rows: dict[str, Counter[tuple[str, date]]], measure: str, account: str, days: set[date]
) -> None:
    """One a day, and for each window +1 where a covered stretch begins and -1 on the day after it ends."""
    for day in days:
        rows[measure][account, day] += 1
    for window in (7, 28):
        covered = {day + DAY * n for day in days for n in range(window)}
        for day in covered:
            rows[f"{measure}_{window}d"][account, day] += day - DAY not in covered
            rows[f"{measure}_{window}d"][account, day + DAY] -= day + DAY not in covered


def _answer_deltas(world: World) -> Iterable[tuple[str, str, date, int]]:
    by_person: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    for answer in world.answers:
        by_person[answer.account, answer.user].append(answer)
    for (account, _), answers in by_person.items():
        ordered = sorted(answers, key=lambda a: a.at)
        for answer, following in zip(ordered, [*ordered[1:], None], strict=True):
            start = world.calendar.day_of(answer.at)
            end = start + DAY * VALID_DAYS
            if following is not None:
                end = min(end, world.calendar.day_of(following.at))
            if start == end:
                continue
            measures = ["nps_answers"]
            measures += (
                ["nps_promoters"] if answer.score >= 9 else ["nps_detractors"] if answer.score <= 6 else []
            )
            for measure in measures:
                yield account, measure, start, 1
                yield account, measure, end, -1
