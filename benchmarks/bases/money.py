"""Contracts: who an account is, what it pays, and how its terms end. Facts as (instant, type, data)."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np
from benchmarks.bases.calendar import DAYS, END
from benchmarks.bases.plan import OWNERS, SIGNED_BEFORE_DAYS, YEAR, Account, Cause, at

Fact = tuple[datetime, str, Mapping[str, Any]]

CURRENCY: Final = "EUR"
_OWNER_CHANGES_A_YEAR: Final = 0.15
_INVOICE_FAILS: Final = 0.015


def contract(account: Account, rng: np.random.Generator) -> Iterator[Fact]:
    found = [*_terms(account, rng), *_traits(account, rng), *_invoices(account, rng), *_growth(account)]
    end = at((END - at(0).date()).days, 0)
    yield from (fact for fact in found if at(0, 0) <= fact[0] < end)


def _terms(account: Account, rng: np.random.Generator) -> Iterator[Fact]:
    begins = max(account.joins, 0)
    ends, share = account.term_ends, 1.0
    yield at(begins, 6), "subscription.started", _fee(account, account.seats, ends[0])
    for end, following in pairwise(ends):
        signed = end - SIGNED_BEFORE_DAYS
        if signed <= begins:
            continue
        if account.cause is Cause.CHEAPER and end == account.term_end:
            share = rng.uniform(0.5, 0.8)
        renewed = _fee(account, max(round(_seats_on(account, signed) * share), 1), following)
        yield at(signed, 14), "subscription.renewed", {**renewed, "effective_at": _instant(end)}
        yield at(signed, 15), "account.updated", {"traits": _dates(account, following)}
    if account.leaves and account.danger:
        reason = {Cause.SUDDEN: "budget", Cause.LOUD: "service"}.get(account.cause, "no use")
        told = {
            "subscription": _subscription(account),
            "effective_at": _instant(account.term_end),
            "reason": reason,
        }
        yield at(account.danger.notice, 11), "subscription.cancelled", told
        yield at(account.term_end, 9), "account.closed", {"reason": reason}


def _traits(account: Account, rng: np.random.Generator) -> Iterator[Fact]:
    begins = max(account.joins, 0)
    traits = {
        "name": account.name.replace("-", " ").capitalize(), "segment": account.segment, "country": account.country,
        "owner": account.owner, "engagement_model": account.touch, "seats": account.seats, "plan": account.segment,
        "contract_start": _instant(account.joins), **_dates(account, account.term_ends[0]),
    }  # fmt: skip
    yield at(begins, 5), "account.created", {"traits": traits}
    changes = rng.exponential(YEAR / _OWNER_CHANGES_A_YEAR)
    if changes < account.gone - begins:
        yield at(begins + int(changes), 10), "account.updated", {"traits": {"owner": str(rng.choice(OWNERS))}}


def _dates(account: Account, term_end: int) -> dict[str, str]:
    return {
        "renewal_at": _instant(term_end),
        "notice_deadline": _instant(term_end - account.notice_days),
    }


def _invoices(account: Account, rng: np.random.Generator) -> Iterator[Fact]:
    """On the first of the month; what fails is paid four days later."""
    for day in range(max(account.joins, 0) + 3, account.gone, 30):
        data = {
            "invoice": f"{account.name}-i{day}",
            "amount": _money(account.seats * account.price),
            "currency": CURRENCY,
        }
        fails = rng.random() < _INVOICE_FAILS
        if fails:
            yield at(day, 7), "invoice.failed", data
        yield at(day + 4 * fails, 8), "invoice.paid", data


def _growth(account: Account) -> Iterator[Fact]:
    """Growing accounts buy seats each quarter."""
    if account.cause is not Cause.GROWING:
        return
    for day in range(max(account.joins, 0) + 90, DAYS, 91):
        seats = _seats_on(account, day)
        ends = next(end for end in account.term_ends if end > day + SIGNED_BEFORE_DAYS)
        yield at(day, 13), "subscription.changed", _fee(account, seats, ends)
        yield at(day, 14), "account.updated", {"traits": {"seats": seats}}


def _seats_on(account: Account, day: int) -> int:
    if account.cause is not Cause.GROWING:
        return account.seats
    return account.seats + round((day - max(account.joins, 0)) // 90 * account.people * 0.25)


def _fee(account: Account, seats: int, term_end: int) -> dict[str, Any]:
    return {
        "subscription": _subscription(account), "mrr": _money(seats * account.price), "currency": CURRENCY, "product": "platform", "seats": seats,
        "billing_interval": "month", "term_end": _instant(term_end), "notice_deadline": _instant(term_end - account.notice_days),
    }  # fmt: skip


def _subscription(account: Account) -> str:
    return f"{account.name}-platform"


def _money(amount: int) -> str:
    return f"{amount}.00"


def _instant(day: int) -> str:
    return (at(0, 0) + timedelta(days=day)).isoformat()
