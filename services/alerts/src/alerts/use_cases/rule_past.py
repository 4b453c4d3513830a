"""What rules would have warned of before they watched."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from alerts.domain.rules import Rule
from alerts.ports.history import TenantHistory
from alerts.use_cases.replaying import MAX_ACCOUNT_DAYS, computed_from, firings_of
from common.catalogue.models import Catalogue


@dataclass(frozen=True, slots=True)
class PastWarnings:
    """What a rule would have warned of before an instant, as (account, when), from the day `since` on. `note`: what it doesn't say."""

    warnings: Sequence[tuple[int, datetime]]
    since: date | None
    note: str | None = None


def pasts_of(
    history: TenantHistory, catalogue: Catalogue, rules: Mapping[str, tuple[Rule, datetime]]
) -> dict[str, PastWarnings]:
    """Over as many of the days before as can be read; the last ones where they are too many."""
    most = MAX_ACCOUNT_DAYS // max(len(history.accounts), 1)
    last = {name: bisect_left(history.ends, before) - 1 for name, (_, before) in rules.items()}
    begun = {name: computed_from(history, rule) for name, (rule, _) in rules.items()}
    days = {
        name: (first, its)
        for name, its in last.items()
        if (first := max(its + 1 - most, begun[name], 0)) <= its
    }
    warnings: dict[str, list[tuple[int, datetime]]] = {name: [] for name in days}
    asked = {name: (rules[name][0], *its) for name, its in days.items()}
    for name, account, _, firings in firings_of(history, catalogue, asked):
        before = rules[name][1]
        warnings[name] += [(account.account_id, its.fired_at) for its in firings if its.fired_at < before]
    assumed = history.known.assumed
    note = f"{assumed:,} events came in a load of history and are taken as known when they happened"
    found = {
        name: PastWarnings(
            (),
            None,
            "what it reads was not computed before it watched"
            if its > last[name] >= 0
            else "there was no history before it watched",
        )
        for name, its in begun.items()
    }
    for name, (first, _) in days.items():
        found[name] = PastWarnings(warnings[name], history.calendar.day(first), note if assumed else None)
    return found
