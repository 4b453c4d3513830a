"""MRR in several currencies from raw events: what each subscription is worth at an instant, converted, added up.

A rate holds from its local day until the next day that has one; before the first day the first one holds. The rate at an
instant is that of the local day just before it. Between two instants everything is counted at the rates of the first; what
the rates did to what is paid at the second is fx.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.reference.calendar import Calendar
from tests.reference.events import Event, accepted
from tests.reference.revenue import CHANGE_TYPES, Change, Step, change_of, not_taken_back, steps_of

Rates = dict[str, dict[date, Decimal]]
Place = Callable[[str, datetime], Any]
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Subscription:
    account: str
    told: list[tuple[Change, str | None, str | None]]
    """In the order in which they act, with currency and product where they name one."""
    steps: list[Step]

    def amount(self, at: datetime) -> Decimal:
        past = [step.mrr for step in self.steps if step.at < at]
        return past[-1] if past else Decimal(0)

    def named(self, at: datetime) -> tuple[str | None, str | None]:
        """Currency and product as last named by what acts before an instant."""
        currency = product = None
        for change, its_currency, its_product in self.told:
            if change.acts_at < at:
                currency, product = its_currency or currency, its_product or product
        return currency, product


class Currencies:
    def __init__(
        self, arrived: Iterable[Event], now: datetime, calendar: Calendar, home: str, rates: Rates
    ) -> None:
        self.calendar, self.home, self.rates = calendar, home, rates
        found: dict[tuple[str, str], list[Event]] = defaultdict(list)
        for event in accepted(arrived):
            if event.type in CHANGE_TYPES and event.at < now:
                found[event.account, event.data["subscription"]].append(event)
        self.subscriptions = []
        for (account, _), events in found.items():
            words = {change_of(e): (e.data.get("currency"), e.data.get("product")) for e in events}
            told = [(change, *words[change]) for change in not_taken_back(words)]
            self.subscriptions.append(Subscription(account, told, steps_of(words, now)))
        self.accounts = sorted({s.account for s in self.subscriptions})
        self.products = sorted({s.named(now + timedelta(days=9999))[1] or "" for s in self.subscriptions})

    def rate(self, currency: str | None, at: datetime) -> Fraction:
        if currency in (None, self.home):
            return Fraction(1)
        day, dated = self.calendar.day_of(at - INSTANT), self.rates[currency or ""]
        known = [d for d in dated if d <= day] or [min(dated)]
        return Fraction(dated[max(known)])

    def pays_in(self, name: str, account: str, at: datetime, product: Any = ...) -> bool:
        """Whether just before an instant an account pays something in this currency."""
        for subscription in self.subscriptions:
            currency, its_product = subscription.named(at)
            its = subscription.account == account and product in (..., its_product)
            if its and currency == name and subscription.amount(at) > 0:
                return True
        return False

    def worth(self, account: str, at: datetime, rated: datetime, product: Any = ...) -> Fraction:
        total = Fraction(0)
        for subscription in self.subscriptions:
            currency, its_product = subscription.named(at)
            if subscription.account == account and product in (..., its_product):
                total += Fraction(subscription.amount(at)) * self.rate(currency, rated)
        return total

    def paid_before(self, account: str, at: datetime, product: Any = ...) -> bool:
        instants = {
            step.at for s in self.subscriptions if s.account == account for step in s.steps if step.at < at
        }
        return any(self.worth(account, one + INSTANT, at, product) > 0 for one in instants)

    def period(
        self, start: datetime, end: datetime, group: Any, place: Place, product: Any = ...
    ) -> dict[str, Any]:
        """All movements of one group; `place` says which group an account is in just before an instant."""
        total: dict[str, Any] = defaultdict(Fraction)
        for account in self.accounts:
            was, then = (self.worth(account, at, start, product) for at in (start, end))
            now = self.worth(account, end, end, product)
            before, after = was and place(account, start) == group, now and place(account, end) == group
            if before:
                total["start"] += was
                total["cohort"] += 1
                total["lost"] += then == 0
                total["mrr_expansion"] += max(then - was, 0) if then else 0
                total["mrr_contraction"] += max(was - then, 0) if then else 0
                total["mrr_churned"] += 0 if then else was
                total["held"] += then
                total["kept"] += min(was, then)
            if after and not was:
                known = self.paid_before(account, start, product)
                total["mrr_reactivation" if known else "mrr_new"] += then
                total["new_accounts"] += not known
            if before or (after and not was):
                total["mrr_fx"] += now - then
            if was and now and before and not after:
                total["mrr_transfer_out"] += now
            if was and now and after and not before:
                total["mrr_transfer_in"] += now
            total["mrr"] += now if after else 0
        base = total["start"]
        total["net_new_mrr"] = total["mrr"] - base
        total["nrr"], total["grr"] = (float(total[k] / base) if base else None for k in ("held", "kept"))
        total["logo_churn"] = float(Fraction(total["lost"], total["cohort"])) if total["cohort"] else None
        return total
