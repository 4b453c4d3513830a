"""What rules read of a tenant's past, and when they would have fired in it: account by account, day by day."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from alerts.domain.account_days import (
    RECORDED,
    REPLAYED,
    AccountDays,
    Asked,
    SegmentTrends,
    account_days,
    first_day,
    needs_segments,
)
from alerts.domain.past import Past
from alerts.domain.replay import Firing, replay
from alerts.domain.rules import Rule
from alerts.domain.said_days import Said, TraitDays
from alerts.domain.signal_days import (
    Company,
    can_be_counted,
    compared_by,
    counted_by,
    figures_of_signals,
    span_by,
)
from alerts.domain.step_days import days_at
from alerts.ports.history import AccountHistory, TenantHistory
from common import evidence
from common.catalogue.cel import SIGNALS
from common.catalogue.lifecycles import SEATS
from common.catalogue.models import Catalogue
from common.signals.said import number_of

# Days of accounts that a rule is asked about, at some 10 us each.
MAX_ACCOUNT_DAYS = 2_000_000
# Days of accounts that are worked out together: as long as numpy's overhead shows, no more than caches hold.
_ROWS_AT_ONCE = 2_048
# Figures that count the people of a measure.
_PEOPLE = {"active_users_28d_before": "active_users", "key_users_28d": "key_users"}


def not_replayed(rule: Rule, catalogue: Catalogue) -> str | None:
    """What a replay can't say of it."""
    unknown = (names_of(rule) | figures_of_signals(rule.signals.values())) - REPLAYED
    for name in measures_of([rule]):
        measure = catalogue.measures.get(name)
        if measure is None or not can_be_counted(measure):
            unknown |= {name}
    return f"a replay by days can't say {', '.join(sorted(unknown))}; leave it out" if unknown else None


def measures_of(rules: Sequence[Rule]) -> frozenset[str]:
    """Which of them are to be marked in events."""
    signals = [signal for rule in rules for signal in rule.signals.values()]
    names = {name for rule in rules for name in names_of(rule)} | figures_of_signals(signals)
    return counted_by(signals) | {measure for figure, measure in _PEOPLE.items() if figure in names}


def computed_from(history: TenantHistory, rule: Rule) -> int:
    """The first day on which it could have warned: health and risk are taken as they were computed then, and before that there was neither."""
    days = [history.calendar.days]
    names = names_of(rule) & RECORDED
    for one in history.accounts if names else ():
        for name in names:
            known = (day for day, value in getattr(one.computed, name) if value is not None)
            days += [(day - history.first_day).days for day in islice(known, 1)]
    return max(min(days), 0) if names else 0


def firings_of(
    history: TenantHistory, catalogue: Catalogue, rules: Mapping[str, tuple[Rule, int, int]]
) -> Iterator[tuple[str, AccountHistory, AccountDays, list[Firing]]]:
    """Of each rule, from one of its days to another, both included; account by account, so that rules share what they ask of it."""
    names = frozenset(name for rule, _, _ in rules.values() for name in names_of(rule))
    signals = {name: its for rule, _, _ in rules.values() for name, its in rule.signals.items()}
    asked = Asked(names, signals.values(), catalogue.measures)
    for one, its in days_of(history, asked) if rules else ():
        known_from = first_day(one.events, history.calendar.days)
        for name, (rule, first, last) in rules.items():
            begin = max(first - 1, known_from, 0)
            found = replay(rule, its, history.ends[: last + 1], begin)
            # What was true before the first day is no warning of that day.
            yield name, one, its, [firing for firing in found if firing.day >= first]


def days_of(history: TenantHistory, asked: Asked) -> Iterator[tuple[AccountHistory, AccountDays]]:
    """Every account with what is asked of it, for every day."""
    calendar = history.calendar
    traits = {one.account_id: TraitDays.of(one.traits, history.ends) for one in history.accounts}
    segments, company = SegmentTrends(calendar.days), Company(calendar.days, span_by(asked.signals))
    compared = {of: asked.measures[of[1]] for of in compared_by(asked.signals)}
    together = max(_ROWS_AT_ONCE // calendar.days, 1)
    parts = [history.accounts[n : n + together] for n in range(0, len(history.accounts), together)]
    for some in parts:
        past, its = _past_of(some, calendar.days), [traits[one.account_id] for one in some]
        if needs_segments(asked.names | figures_of_signals(asked.signals)):
            segments.add(past, its)
        company.add(past, its, compared)
        for one in some:
            for measure, steps in one.steps.items():
                company.note(f"measure.{measure}", days_at([step.at for step in steps], history.ends))
            seated = [change.event_at for change in one.changes if change.seats is not None]
            company.note(f"trait.{SEATS}", days_at(seated, history.ends))
    company.done()
    for some in parts:
        said = [
            Said(
                traits[one.account_id],
                [(at, number_of(str(value))) for at, name, value in one.traits if name == SEATS],
                one.changes,
                one.answers,
                one.steps,
                one.computed,
                one.events,
                one.champions,
                history.rates,
            )
            for one in some
        ]
        past = _past_of(some, calendar.days)
        yield from zip(some, account_days(past, said, segments, company, calendar, asked), strict=True)


def _past_of(accounts: Sequence[AccountHistory], days: int) -> Past:
    return Past.of_each([one.events for one in accounts], days)


def names_of(rule: Rule) -> set[str]:
    """The figures it reads or shows; not its signals."""
    named = {*rule.inputs, *evidence.figures_of(rule.template, {})}
    return {name for name in named if not name.startswith(f"{SIGNALS}.")}


def owner_on(traits: TraitDays, day: int) -> str | None:
    owner = traits.on(day).get("owner")
    return None if owner is None else str(owner)
