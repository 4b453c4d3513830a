"""What rules would have opened in the last weeks: the work that they make for people."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from alerts.domain.budgets import Episode
from alerts.domain.rules import Rule
from alerts.domain.said_days import TraitDays
from alerts.ports.history import Recorded, TenantHistory
from alerts.use_cases.replaying import MAX_ACCOUNT_DAYS, firings_of, owner_on
from common.catalogue.models import Catalogue

# A warning may have been open so long before the days that are asked about.
_LOOK_BACK_DAYS = 28


@dataclass(frozen=True, slots=True)
class RuleLoad:
    """Warnings of rules from day number `first` on, and those still open then. `recorded`: rules that can't be replayed and stand with
    their own warnings, and from which day on there are any. `not_replayed`: rules without either, with what can't be said of them."""

    start: date
    end: date
    first: int
    episodes: Sequence[Episode]
    recorded: Mapping[str, date]
    not_replayed: Mapping[str, str]


def load_of(
    history: TenantHistory,
    catalogue: Catalogue,
    rules: Mapping[str, Rule],
    refused: Mapping[str, str],
    weeks: int,
    recorded: Callable[[datetime], Mapping[str, Recorded]],
) -> RuleLoad:
    """`refused`: rules that can't be replayed, and why. `recorded`: what those that watch warned of themselves, open at an instant or
    fired after it."""
    asked = {name: rule for name, rule in rules.items() if name not in refused}
    calendar, last = history.calendar, history.calendar.days - 1
    most = MAX_ACCOUNT_DAYS // max(len(history.accounts) * len(asked), 1)
    first = max(last + 1 - min(weeks * 7, max(most, 7)), 0)
    episodes = list(_replayed(history, catalogue, asked, first, last))
    known = recorded(history.ends[first])
    for name, its in known.items():
        episodes += _as_episodes(history, catalogue, rules[name].queue, name, its)
    start = calendar.day(first)
    return RuleLoad(
        start,
        calendar.day(last),
        first,
        episodes,
        {name: max(calendar.day_of(its.since), start) for name, its in known.items()},
        {name: why for name, why in refused.items() if name not in known},
    )


def _replayed(
    history: TenantHistory, catalogue: Catalogue, rules: Mapping[str, Rule], first: int, last: int
) -> Iterator[Episode]:
    days = (max(first - _LOOK_BACK_DAYS, 0), last)
    asked = {name: (rule, *days) for name, rule in rules.items()}
    for name, one, its, firings in firings_of(history, catalogue, asked):
        # What was open when the range begins opens nothing.
        for firing in firings:
            yield Episode(
                one.account_id,
                rules[name].queue,
                name,
                firing.day,
                None if firing.ended_at is None else history.calendar.number_of(firing.ended_at),
                owner_on(its.traits, firing.day),
                _engagement(its.traits, firing.day, catalogue),
            )


def _as_episodes(
    history: TenantHistory, catalogue: Catalogue, queue: str, rule: str, recorded: Recorded
) -> Iterator[Episode]:
    warned = {account_id for account_id, _, _ in recorded.warnings}
    traits = {
        one.account_id: TraitDays.of(one.traits, history.ends)
        for one in history.accounts
        if one.account_id in warned
    }
    for account_id, fired_at, ended_at in recorded.warnings:
        if account_id in traits:
            day = history.calendar.number_of(fired_at)
            yield Episode(
                account_id,
                queue,
                rule,
                day,
                None if ended_at is None else history.calendar.number_of(ended_at),
                owner_on(traits[account_id], day),
                _engagement(traits[account_id], day, catalogue),
            )


def _engagement(traits: TraitDays, day: int, catalogue: Catalogue) -> str:
    """The engagement model that looks after the account; an empty name where there is none."""
    said = traits.on(day).get("engagement_model")
    models = catalogue.engagement_models.values()
    named = [one.name for one in models if one.trait_value == said]
    return next(iter([*named, *(one.name for one in models if one.default)]), "")
