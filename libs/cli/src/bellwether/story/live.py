"""The story going on in real time, a few events a second, with the plot pressed into minutes."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import merge
from typing import Final

from bellwether.story.event import StoryEvent
from bellwether.story.facts import CURRENCY, money
from bellwether.story.world import Account, Role, World

_EVENTS_PER_SECOND: Final = 3.0
_LOUD_COMPLAINTS_AT_SECONDS: Final = (10, 18, 26, 34, 47, 63)
_LOUD_ANSWER_AT_SECONDS: Final = 40
_EXPANSION_AT_SECONDS: Final = 55
_BACK_FROM_HOLIDAY_AT_SECONDS: Final = 150
_COMMENTS: Final = (
    "The import has failed again",
    "Nobody answers our tickets",
    "Third outage this week",
    "Reports are wrong since Monday",
    "We are asked to pay for what does not work",
    "Please call us",
)


def live(world: World, started_at: datetime) -> Iterator[StoryEvent]:
    """Without end, sorted by time, none before `started_at`. The same arguments give the same events."""
    plot = sorted(_plot(world, started_at), key=lambda event: event.order)
    return merge(iter(plot), _everyday(world, started_at), key=lambda event: event.order)


def _prefix(world: World, started_at: datetime) -> str:
    return f"{world.name}-live-{started_at:%Y%m%dT%H%M%S}"


def _everyday(world: World, started_at: datetime) -> Iterator[StoryEvent]:
    """People at work somewhere; the silent one hardly, the one on holiday and those who left not at all."""
    rng, prefix = world.rng("live", started_at), _prefix(world, started_at)
    day = started_at.date()
    there = [a for a in world.accounts if a.closed is None and a.role is not Role.HOLIDAY]
    weights = [_liveliness(account) for account in there]
    at, number = started_at, 0
    while True:
        at += timedelta(seconds=rng.expovariate(_EVENTS_PER_SECOND))
        account = rng.choices(there, weights)[0]
        person = rng.choice(account.people_on(day))
        number += 1
        identity = f"{prefix}-{number}"
        if rng.random() < 0.4:
            yield StoryEvent(at, identity, "user.logged_in", account.slug, {"user": person.id})
        else:
            used = {"user": person.id, "feature": rng.choice(person.features)}
            yield StoryEvent(at, identity, "feature.used", account.slug, used)


def _liveliness(account: Account) -> float:
    share = {Role.SILENT: 0.05, Role.EXPANDING: 2.0}.get(account.role, 1.0)
    return share * len(account.people)


def _plot(world: World, started_at: datetime) -> Iterator[StoryEvent]:
    rng, prefix = world.rng("plot", started_at), _prefix(world, started_at)
    yield from _loud(world.account(Role.LOUD), rng, prefix, started_at)
    yield from _expansion(world.account(Role.EXPANDING), prefix, started_at)
    holiday = world.account(Role.HOLIDAY)
    for number, person in enumerate(holiday.people):
        back = started_at + timedelta(seconds=_BACK_FROM_HOLIDAY_AT_SECONDS + 5 * number)
        yield StoryEvent(back, f"{prefix}-back-{number}", "user.logged_in", holiday.slug, {"user": person.id})


def _loud(account: Account, rng: random.Random, prefix: str, started_at: datetime) -> Iterator[StoryEvent]:
    there = account.people_on(started_at.date())
    for number, after in enumerate(_LOUD_COMPLAINTS_AT_SECONDS):
        data = {
            "complaint": f"{prefix}-{number}",
            "severity": "high",
            "theme": "reliability",
            "user": rng.choice(there).id,
            "text": _COMMENTS[number],
        }
        at = started_at + timedelta(seconds=after)
        yield StoryEvent(at, f"{prefix}-complaint-{number}", "complaint.filed", account.slug, data)
    answer = {"survey": f"{prefix}-nps", "kind": "nps", "wave": "follow-up", "user": there[0].id, "score": 1}
    at = started_at + timedelta(seconds=_LOUD_ANSWER_AT_SECONDS)
    yield StoryEvent(at, f"{prefix}-answer", "survey.responded", account.slug, answer)


def _expansion(account: Account, prefix: str, started_at: datetime) -> Iterator[StoryEvent]:
    day = started_at.date()
    seats = account.seats_on(day) + 10
    price = {
        "mrr": money(seats * account.price_per_seat),
        "currency": CURRENCY,
        "product": "platform",
        "seats": seats,
    }
    at = started_at + timedelta(seconds=_EXPANSION_AT_SECONDS)
    change = {"subscription": f"{account.slug}-platform", **price}
    yield StoryEvent(at, f"{prefix}-expansion", "subscription.changed", account.slug, change)
    traits = {"traits": {"seats": seats}}
    yield StoryEvent(at + timedelta(seconds=1), f"{prefix}-seats", "account.updated", account.slug, traits)
