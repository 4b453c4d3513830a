"""What is known of an account apart from daily use: contract, bills, onboarding, people, surveys, tickets, complaints."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Final

from bellwether.story import rhythm
from bellwether.story.event import StoryEvent
from bellwether.story.world import Account, Person, Role, World

CURRENCY: Final = "EUR"
TERM_DAYS: Final = 365
NOTICE_DAYS: Final = 60
# How far past the anchor day a world is told, for who comes back to it later.
_FUTURE_DAYS: Final = 400
_WAVES_DAYS_AGO: Final = (330, 240, 150, 60)
_MILESTONES: Final = (("kickoff", 3), ("configured", 14), ("first_value", 30), ("live", 60))
_THEMES: Final = ("reliability", "billing", "missing_feature", "support", "speed")
_FAILED_INVOICES: Final = 0.02
# The loud one: often enough to show, never enough at once to be called a rise before the live part begins.
_LOUD_COMPLAINTS_DAYS_AGO: Final = (78, 61, 47, 34, 23, 12, 5)
_LOUD_ANSWERS: Final = MappingProxyType({330: 9, 240: 8, 150: 6, 60: 3})
_LOUD_LAST_ANSWER_DAYS_AGO: Final = 10
_REASONS: Final = ("budget", "missing_feature", "switched_vendor", "project_ended")

Fact = tuple[datetime, str, Mapping[str, object]]


def facts(world: World, account: Account) -> list[StoryEvent]:
    """All of them, also those after the anchor day; sorted. None is after the account's end, but for its closing."""
    told = [*_contract(world, account), *_people(account), *_bills(world, account), *_talks(world, account)]
    told += [*_surveys(world, account), *_tickets(world, account), *_complaints(world, account)]
    told.sort(key=lambda fact: (fact[0], fact[1]))
    return [
        StoryEvent(at, f"{world.name}-{account.slug}-fact-{number}", kind, account.slug, data)
        for number, (at, kind, data) in enumerate(told)
    ]


def at_hour(account: Account, day: date, hour: int, minute: int = 0) -> datetime:
    """An instant by the clock of the account's region; `hour` between 8 and 18 stays within the UTC date."""
    local = datetime.combine(day, time(hour, minute), UTC)
    return local - timedelta(hours=rhythm.UTC_OFFSET_HOURS[account.region])


def money(euros: int) -> str:
    return f"{euros}.00"


def terms(world: World, account: Account) -> Iterator[tuple[date, date]]:
    """First and last-plus-one day of each contract year that has begun."""
    start = account.since
    end_of_story = account.closed or world.anchor + timedelta(days=_FUTURE_DAYS)
    while start < end_of_story:
        yield start, start + timedelta(days=TERM_DAYS)
        start += timedelta(days=TERM_DAYS)


def current_term_end(world: World, account: Account, day: date) -> date:
    return next(end for start, end in terms(world, account) if start <= day < end)


def _contract(world: World, account: Account) -> Iterator[Fact]:
    for number, (start, end) in enumerate(terms(world, account)):
        dates = {"term_end": _midnight(end), "notice_deadline": _midnight(end - timedelta(days=NOTICE_DAYS))}
        traits = {
            "renewal_at": _midnight(end),
            "notice_deadline": dates["notice_deadline"],
            "seats": account.seats_on(start),
        }
        body = {"subscription": _subscription(account), **_price(account, start), **dates}
        if number == 0:
            yield (
                at_hour(account, start, 9),
                "account.created",
                {"traits": {**_first_traits(account), **traits}},
            )
            yield at_hour(account, start, 9, 5), "subscription.started", body
            continue
        yield (
            at_hour(account, start - timedelta(days=4), 11),
            "subscription.renewed",
            {**body, "effective_at": _midnight(start)},
        )
        yield at_hour(account, start, 9), "account.updated", {"traits": traits}
    for name, days in _MILESTONES:
        yield (
            at_hour(account, account.since + timedelta(days=days), 15),
            "onboarding.milestone_reached",
            {"milestone": name},
        )
    yield (
        at_hour(account, account.since + timedelta(days=75), 10),
        "account.updated",
        {"traits": {"stage": "adopt"}},
    )
    for day, seats in account.growth:
        yield (
            at_hour(account, day, 12),
            "subscription.changed",
            {"subscription": _subscription(account), **_price(account, day)},
        )
        yield at_hour(account, day, 12, 1), "account.updated", {"traits": {"seats": seats}}
    if account.closed is not None:
        yield from _end(world, account, account.closed)


def _end(world: World, account: Account, closed: date) -> Iterator[Fact]:
    reason = (
        "acquired" if account.role is Role.UNFORESEEN else world.rng("reason", account.slug).choice(_REASONS)
    )
    said = closed - timedelta(days=28)
    yield (
        at_hour(account, said, 14),
        "subscription.cancelled",
        {
            "subscription": _subscription(account),
            "effective_at": _midnight(closed),
            "reason": reason,
            "reason_source": "customer",
        },
    )
    yield at_hour(account, closed, 17), "account.closed", {"reason": reason}


def _first_traits(account: Account) -> dict[str, object]:
    return {
        "name": account.name,
        "segment": account.segment,
        "plan": account.plan,
        "region": account.region,
        "country": account.country,
        "industry": account.industry,
        "owner": account.owner,
        "stage": "onboard",
        "contract_start": _midnight(account.since),
        "auto_renew": account.segment == "small",
    }


def _price(account: Account, day: date) -> dict[str, object]:
    seats = account.seats_on(day)
    return {"mrr": money(account.mrr_on(day)), "currency": CURRENCY, "product": "platform", "seats": seats}


def _subscription(account: Account) -> str:
    return f"{account.slug}-platform"


def _midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def _people(account: Account) -> Iterator[Fact]:
    for number, person in enumerate(account.people):
        traits = {"role": person.job, "champion": person.champion}
        yield (
            at_hour(account, person.joined, 8, number % 50),
            "user.created",
            {"user": person.id, "traits": traits},
        )
        if person.left is not None:
            yield at_hour(account, person.left, 16), "user.left", {"user": person.id}


def _bills(world: World, account: Account) -> Iterator[Fact]:
    """Monthly, on the day of the month on which the contract began; one in fifty fails and is paid some days later."""
    rng = world.rng("bills", account.slug)
    end = account.closed or world.anchor + timedelta(days=_FUTURE_DAYS)
    day, number = account.since + timedelta(days=30), 1
    while day < end:
        bill = {
            "invoice": f"{account.slug}-{number}",
            "amount": money(account.mrr_on(day)),
            "currency": CURRENCY,
        }
        if rng.random() < _FAILED_INVOICES:
            yield at_hour(account, day, 10), "invoice.failed", bill
            yield at_hour(account, day + timedelta(days=5), 10), "invoice.paid", bill
        else:
            yield at_hour(account, day, 10), "invoice.paid", bill
        day += timedelta(days=30)
        number += 1


def _talks(world: World, account: Account) -> Iterator[Fact]:
    """Calls and reviews by the owner, monthly with large accounts, rarely with small ones."""
    rng = world.rng("talks", account.slug)
    gap = {"enterprise": 30, "mid": 60, "small": 180}[account.segment]
    end = account.closed or world.anchor + timedelta(days=_FUTURE_DAYS)
    day = account.since + timedelta(days=rng.randint(5, gap))
    while day < end:
        kind = rng.choice(("call", "review", "mail"))
        yield (
            at_hour(account, day, 13),
            "activity.logged",
            {"owner": account.owner, "kind": kind, "two_way": rng.random() < 0.8},
        )
        day += timedelta(days=gap + rng.randint(-5, 5))
    if account.role is Role.HOLIDAY:
        note = {
            "owner": account.owner,
            "kind": "mail",
            "two_way": True,
            "note": "closed for the yearly kiln overhaul",
        }
        yield at_hour(account, world.anchor - timedelta(days=24), 11), "activity.logged", note


def _surveys(world: World, account: Account) -> Iterator[Fact]:
    rng = world.rng("surveys", account.slug)
    for ago in _WAVES_DAYS_AGO:
        day = world.anchor - timedelta(days=ago)
        wave = f"{day:%Y}-q{(day.month + 2) // 3}"
        if account.since + timedelta(days=30) > day or (account.closed is not None and account.closed <= day):
            continue
        for person in account.people_on(day):
            if person.champion or rng.random() < 0.5:
                yield from _one_survey(account, person, day, wave, rng, _LOUD_ANSWERS.get(ago))
    if account.role is Role.LOUD:
        day = world.anchor - timedelta(days=_LOUD_LAST_ANSWER_DAYS_AGO)
        answer = {
            "survey": f"{account.slug}-after",
            "kind": "nps",
            "wave": "follow-up",
            "user": account.people[1].id,
            "score": 2,
        }
        yield (
            at_hour(account, day, 16),
            "survey.responded",
            {**answer, "comment": "We keep reporting the same outage."},
        )


def _one_survey(
    account: Account, person: Person, day: date, wave: str, rng: random.Random, loud_score: int | None
) -> Iterator[Fact]:
    survey = {"survey": f"{account.slug}-{wave}-{person.id}", "kind": "nps", "wave": wave, "user": person.id}
    yield at_hour(account, day, 9), "survey.sent", survey
    answers, score = rng.random() < 0.55, account.mood + rng.choice((-2, -1, 0, 0, 0, 1, 1))
    after = day + timedelta(days=rng.randint(0, 9))
    if account.role is Role.LOUD and loud_score is not None:
        answers, score = answers or person.champion, loud_score
    if (
        answers
        and (person.left is None or after < person.left)
        and (account.closed is None or after < account.closed)
    ):
        yield (
            at_hour(account, after, 14, rng.randint(0, 59)),
            "survey.responded",
            {**survey, "score": min(10, max(0, score))},
        )


def _tickets(world: World, account: Account) -> Iterator[Fact]:
    rng = world.rng("tickets", account.slug)
    day, number = max(account.since, world.anchor - timedelta(days=365)), 0
    mean_gap = 14 + 120 // len(account.people)
    while True:
        day += timedelta(days=rng.randint(mean_gap // 2, mean_gap * 2))
        person = rng.choice(account.people_on(day) or list(account.people))
        opened_on = _on_a_day_of(person, day)
        # Resolved by then, so that nothing happens after the account's end.
        if opened_on + timedelta(days=4) >= (account.closed or world.anchor):
            return
        if _is_away(world, account, opened_on + timedelta(days=4)):
            continue
        number += 1
        ticket = {
            "ticket": f"{account.slug}-{number}",
            "priority": rng.choice(("low", "normal", "normal", "high")),
        }
        opened = at_hour(account, opened_on, rng.randint(9, 15), rng.randint(0, 59))
        yield opened, "ticket.opened", {**ticket, "user": person.id}
        yield opened + timedelta(minutes=rng.randint(10, 300)), "ticket.first_responded", ticket
        yield opened + timedelta(hours=rng.randint(6, 60)), "ticket.resolved", ticket


def _complaints(world: World, account: Account) -> Iterator[Fact]:
    """Others complain at most every three weeks, so that nobody but the loud one ever comes near a rise."""
    rng = world.rng("complaints", account.slug)
    if account.role is Role.LOUD:
        days = [world.anchor - timedelta(days=ago) for ago in _LOUD_COMPLAINTS_DAYS_AGO]
    elif account.role is Role.BACKGROUND and rng.random() < 0.45:
        start = max(account.since + timedelta(days=20), world.anchor - timedelta(days=360))
        end = account.closed or world.anchor
        days = [
            start + timedelta(days=shift)
            for shift in range(0, max(0, (end - start).days), rng.randint(21, 200))
        ]
    else:
        days = []
    for number, day in enumerate(days, start=1):
        complaint = {"complaint": f"{account.slug}-{number}", "theme": rng.choice(_THEMES)}
        person = rng.choice(account.people_on(day) or list(account.people))
        filed_on = day if account.role is Role.LOUD else _on_a_day_of(person, day)
        severity = "high" if account.role is Role.LOUD else rng.choice(("low", "medium"))
        filed = at_hour(account, filed_on, rng.randint(9, 15), rng.randint(0, 59))
        yield filed, "complaint.filed", {**complaint, "severity": severity, "user": person.id}
        if account.role is not Role.LOUD or number <= 3:
            yield filed + timedelta(days=rng.randint(1, 6)), "complaint.resolved", complaint


def _on_a_day_of(person: Person, day: date) -> date:
    """That day or the next on which they are there anyway: a ticket must not look like more use."""
    return next(
        later for ahead in range(7) if (later := day + timedelta(days=ahead)).weekday() in person.weekdays
    )


def _is_away(world: World, account: Account, day: date) -> bool:
    return account.role is Role.HOLIDAY and 0 <= (world.anchor - day).days < 18
