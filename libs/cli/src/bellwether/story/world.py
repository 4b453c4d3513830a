"""Who is in the story: accounts, their people and contracts. The same seed and anchor day give the same world."""

import random
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from bellwether.story import names

ACCOUNTS: Final = 200
HISTORY_DAYS: Final = 365


class Role(StrEnum):
    """What an account is in the story for."""

    BACKGROUND = "background"
    LOUD = "loud"
    SILENT = "silent"
    EXPANDING = "expanding"
    HOLIDAY = "holiday"
    UNFORESEEN = "unforeseen"


@dataclass(frozen=True)
class Person:
    """`weekdays`: those on which they use the product, 0 is Monday. `left` is their first day no longer there."""

    id: str
    job: str
    champion: bool
    joined: date
    left: date | None
    weekdays: frozenset[int]
    features: tuple[str, ...]


@dataclass(frozen=True)
class Account:
    """`since` is the day of the contract's start; `closed` the first day after its end. Money is in euros a month."""

    slug: str
    name: str
    role: Role
    segment: str
    plan: str
    region: str
    country: str
    industry: str
    owner: str
    since: date
    closed: date | None
    seats: int
    price_per_seat: int
    mood: int  # what an NPS answer of theirs is around
    people: tuple[Person, ...]
    growth: tuple[tuple[date, int], ...] = ()  # seats from that day on, earliest first

    def seats_on(self, day: date) -> int:
        return next((seats for start, seats in reversed(self.growth) if start <= day), self.seats)

    def mrr_on(self, day: date) -> int:
        return self.seats_on(day) * self.price_per_seat

    def people_on(self, day: date) -> list[Person]:
        return [p for p in self.people if p.joined <= day and (p.left is None or day < p.left)]


@dataclass(frozen=True)
class World:
    """`anchor` is the day on which the history ends and the live part begins."""

    seed: int
    anchor: date
    accounts: tuple[Account, ...]

    @property
    def name(self) -> str:
        """Unique per seed and anchor; part of every id, so that another world is never taken for a repeat of this one."""
        return f"s{self.seed}-{self.anchor:%Y%m%d}"

    def account(self, role: Role) -> Account:
        return next(account for account in self.accounts if account.role is role)

    def rng(self, *what: object) -> random.Random:
        """Randomness of its own for each subject, so that days and accounts can be told in any order."""
        return random.Random("/".join(map(str, (self.seed, self.anchor, *what))))  # noqa: S311 - a story, not a secret


@dataclass(frozen=True)
class _Segment:
    accounts: int
    people: tuple[int, int]
    days_a_week: tuple[int, int]
    plans: tuple[str, ...]


_SEGMENTS: Final = MappingProxyType(
    {
        "enterprise": _Segment(24, (9, 18), (3, 4), ("enterprise",)),
        "mid": _Segment(66, (4, 9), (2, 4), ("growth", "pro")),
        "small": _Segment(110, (1, 4), (2, 3), ("starter", "pro")),
    }
)
_PRICE_PER_SEAT: Final = MappingProxyType({"starter": 29, "pro": 49, "growth": 59, "enterprise": 79})
_COUNTRIES: Final = MappingProxyType(
    {"emea": ("DE", "FR", "NL", "SE", "GB"), "amer": ("US", "CA", "BR"), "apac": ("SG", "AU", "JP")}
)
_JOBS: Final = ("admin", "manager", "analyst", "operator")
_CAST: Final = (
    (Role.LOUD, "enterprise", "Harlund Freight", "emea"),
    (Role.SILENT, "mid", "Ostervane Textiles", "emea"),
    (Role.EXPANDING, "mid", "Kellbrook Analytics", "amer"),
    (Role.HOLIDAY, "mid", "Mirabeck Ceramics", "emea"),
    (Role.UNFORESEEN, "enterprise", "Tarrowgate Energy", "amer"),
)
# Chosen so that the one can still give notice for some three weeks and the other for some six.
_CUSTOMER_DAYS: Final = MappingProxyType({Role.LOUD: 2 * 365 - 82, Role.SILENT: 2 * 365 - 103})
# Of the others: how many left during the year and how many came.
_LEAVERS: Final = 12
_NEWCOMERS: Final = 55


def build(seed: int, anchor: date) -> World:
    empty = World(seed, anchor, ())
    found = names.account_names(empty.rng("names"), ACCOUNTS)
    accounts: list[Account] = []
    for segment, shape in _SEGMENTS.items():
        cast = [one for one in _CAST if one[1] == segment]
        for role, _, name, region in cast:
            accounts.append(_cast_account(empty, role, segment, name, region))
        for _ in range(shape.accounts - len(cast)):
            name, trade = found[len(accounts)]
            accounts.append(_account(empty, name, trade, segment))
    return replace(empty, accounts=tuple(_with_leavers(empty, _with_newcomers(empty, accounts))))


def _account(
    world: World, name: str, trade: str, segment: str, region: str | None = None, days: int | None = None
) -> Account:
    shape, slug = _SEGMENTS[segment], names.slug(name)
    rng = world.rng("account", slug)
    plan = rng.choice(shape.plans)
    region = region or rng.choices(("emea", "amer", "apac"), (45, 35, 20))[0]
    since = world.anchor - timedelta(days=days or HISTORY_DAYS + rng.randint(20, 560))
    people = _people(world, rng, segment, since)
    return Account(
        slug=slug,
        name=name,
        role=Role.BACKGROUND,
        segment=segment,
        plan=plan,
        region=region,
        country=rng.choice(_COUNTRIES[region]),
        industry=trade,
        owner=rng.choice(names.OWNERS),
        since=since,
        closed=None,
        seats=len(people) + rng.randint(0, len(people)),
        price_per_seat=_PRICE_PER_SEAT[plan],
        mood=rng.choices((9, 8, 7, 5), (45, 30, 15, 10))[0],
        people=tuple(people),
        growth=_growth(world, rng, len(people)),
    )


def _growth(world: World, rng: random.Random, people: int) -> tuple[tuple[date, int], ...]:
    """One account in five bought or gave back seats once."""
    if rng.random() > 0.2:
        return ()
    day = world.anchor - timedelta(days=rng.randint(30, HISTORY_DAYS - 30))
    return ((day, people if rng.random() < 0.4 else people * 2 + rng.randint(1, 3)),)


def _people(world: World, rng: random.Random, segment: str, since: date) -> list[Person]:
    shape = _SEGMENTS[segment]
    count = rng.randint(*shape.people)
    people = []
    for at, name in enumerate(names.people_names(rng, count)):
        days = rng.randint(*shape.days_a_week)
        joined = since + timedelta(days=rng.randint(0, 40))
        if at > 1 and rng.random() < 0.15:
            joined = world.anchor - timedelta(days=rng.randint(70, HISTORY_DAYS - 20))
        people.append(
            Person(
                id=name,
                job=_JOBS[at % len(_JOBS)] if at else "admin",
                champion=at == 0,
                joined=max(joined, since),
                left=None,
                weekdays=frozenset(rng.sample(range(5), days)),
                features=tuple(rng.sample(names.FEATURES, rng.randint(2, 5))),
            )
        )
    return people


def _with_newcomers(world: World, accounts: list[Account]) -> list[Account]:
    """Some came during the year: they start later, and nobody is there before."""
    rng = world.rng("newcomers")
    chosen = set(rng.sample([a.slug for a in accounts if a.role is Role.BACKGROUND], _NEWCOMERS))
    return [
        _starting(world, a, rng.randint(75, HISTORY_DAYS - 10)) if a.slug in chosen else a for a in accounts
    ]


def _starting(world: World, account: Account, days_ago: int) -> Account:
    since = world.anchor - timedelta(days=days_ago)
    rng = world.rng("start", account.slug)
    people = tuple(replace(p, joined=since + timedelta(days=rng.randint(0, 12))) for p in account.people)
    growth = tuple(step for step in account.growth if step[0] > since + timedelta(days=30))
    return replace(account, since=since, people=people, growth=growth)


def _with_leavers(world: World, accounts: list[Account]) -> list[Account]:
    """Some left, most of them at the end of a quarter of contract; the last long enough ago to be no news."""
    rng = world.rng("leavers")
    old = [
        a.slug for a in accounts if a.role is Role.BACKGROUND and (world.anchor - a.since).days > HISTORY_DAYS
    ]
    chosen = {
        slug: world.anchor - timedelta(days=rng.randint(60, 330))
        for slug in rng.sample(sorted(old), _LEAVERS)
    }
    return [
        replace(a, closed=chosen[a.slug], mood=rng.choice((3, 5, 6))) if a.slug in chosen else a
        for a in accounts
    ]


def _cast_account(world: World, role: Role, segment: str, name: str, region: str) -> Account:
    account = _account(
        world, name, name.rsplit(maxsplit=1)[-1].lower(), segment, region, _CUSTOMER_DAYS.get(role)
    )
    account = replace(account, role=role, mood=9, growth=())
    anchor = world.anchor
    if role is Role.LOUD:
        champion = replace(account.people[0], left=anchor - timedelta(days=18))
        return replace(account, people=(champion, *account.people[1:]), mood=4)
    if role is Role.EXPANDING:
        return _expanding(world, account)
    if role is Role.UNFORESEEN:
        return replace(account, closed=anchor - timedelta(days=12))
    return account


def _expanding(world: World, account: Account) -> Account:
    """Seats bought three times in seven months, and the people to go with them."""
    rng = world.rng("expanding")
    people = list(account.people)
    taken = {person.id for person in people}
    for name in names.people_names(rng, 24):
        if name not in taken and len(people) < len(account.people) + 16:
            joined = world.anchor - timedelta(days=rng.randint(5, 200))
            weekdays = frozenset(rng.sample(range(5), rng.randint(3, 4)))
            people.append(
                Person(name, rng.choice(_JOBS), False, joined, None, weekdays, tuple(names.FEATURES[:6]))
            )
    seats = len(account.people) + 2
    steps = ((200, seats + 6), (120, seats + 12), (40, seats + 20))
    growth = tuple((world.anchor - timedelta(days=ago), count) for ago, count in steps)
    return replace(account, people=tuple(people), seats=seats, growth=growth)
