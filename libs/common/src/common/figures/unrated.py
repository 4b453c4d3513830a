"""Where figures of revenue are unknown: where something above 0 that is paid in a currency without any rate takes part.

An account takes part in the groups and at the instants at which the formula reads what it pays, and in no other bucket. What
only counts accounts needs no rate, and benefits are left out: `goals` knows what is unknown of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

from common.catalogue.economics import AtRisk, Benefit, Lifetime, Recorded, Repeated, RiskResolved, Unaided
from common.catalogue.lifecycles import (
    Churn,
    Committed,
    Conversion,
    Coverage,
    Duration,
    Entered,
    MovedOn,
    Open,
    Renewal,
    Share,
)
from common.catalogue.models import Formula, Movement, SemiAdditive
from common.figures import moves, prospects, revenue
from common.figures.asked import Asked
from common.figures.book import Account, book, committed, terms
from common.figures.buckets import state_at
from common.figures.histories import as_text, of_trait, standing
from common.figures.rates import rates
from common.figures.slices import GroupKey
from common.figures.terms import Due

Cell = tuple[GroupKey | None, int]
"""A group, None where the account is in none that was asked for, and the position of a bucket."""
Span = tuple[int, tuple[dt.datetime, dt.datetime]]

_OF_A_COHORT = ("nrr", "grr", "mrr_churn")
_NUMBERS = ("new_accounts", "logo_churn", "logo_retention")
_OF_CASES = (Conversion, Duration, MovedOn, Repeated, Share, Unaided)


def cells(formula: Formula, asked: Asked) -> set[tuple[GroupKey, int]]:
    """The group and position of every bucket whose value is unknown."""
    return {(group, position) for group, position in _cells(formula, asked) if group is not None}


def _cells(formula: Formula, asked: Asked) -> Iterable[Cell]:
    if is_number(formula):
        return ()
    if isinstance(formula, Movement):
        return _moved(formula, asked)
    if isinstance(formula, SemiAdditive):
        return _at_ends(asked, moves.accounts(asked))
    if isinstance(formula, Committed):
        return _at_ends(asked, committed(asked.store, asked.now).unrated)
    if isinstance(formula, Coverage):
        return _of_covered(formula, asked)
    if isinstance(formula, Lifetime):
        return _of_lives(asked)
    if isinstance(formula, Churn):
        return _of_churn(formula, asked)
    if isinstance(formula, Renewal):
        return _of_renewals(asked)
    if isinstance(formula, AtRisk):
        return _of_risks(asked)
    return _of_entries(formula, asked) if isinstance(formula, RiskResolved) else ()


def is_number(formula: Formula) -> bool:
    """Whether it counts accounts, deals or other cases, or measures time, and needs no rate of exchange."""
    if isinstance(formula, SemiAdditive):
        return formula.sum == "accounts"
    if isinstance(formula, Movement):
        return formula.movement in _NUMBERS
    if isinstance(formula, Renewal):
        return formula.by == "logo"
    if isinstance(formula, Entered | Open):
        return formula.sum == "entities"
    if isinstance(formula, Recorded):
        return formula.sum == "events"
    if isinstance(formula, Coverage):
        return formula.weigh == "accounts"
    if isinstance(formula, Benefit):
        return formula.of == "share"
    return isinstance(formula, _OF_CASES)


def _at_ends(asked: Asked, accounts: Iterable[Account]) -> Iterator[Cell]:
    for account in accounts:
        for position, bucket in enumerate(asked.buckets):
            at = state_at(bucket, asked.now)
            if at is not None and account.is_unrated_before(at):
                yield moves.group_of(asked.store, account, at), position


def _moved(formula: Movement, asked: Asked) -> Iterator[Cell]:
    over_months = revenue.is_of_a_cohort(formula)
    accounts = list(book(asked.store).unrated if over_months else moves.accounts(asked))

    def group(account: Account, at: dt.datetime) -> GroupKey | None:
        if over_months:
            return asked.placing.at(account.account_id, at)
        return moves.group_of(asked.store, account, at)

    for position, (start, end) in _spans(asked, formula.months):
        for account in accounts:
            if not (account.is_unrated_before(start) or account.is_unrated_before(end)):
                continue
            if account.before(start) > 0:
                yield group(account, start), position
            if formula.movement not in _OF_A_COHORT and account.before(end) > 0:
                yield group(account, end), position


def _of_covered(formula: Coverage, asked: Asked) -> Iterator[Cell]:
    owners, stands = of_trait(asked.store, formula.owner, as_text), standing(asked.store)
    owned = [account for account in book(asked.store).unrated if account.account_id in owners]
    for account in owned:
        for cell in _at_ends(asked, [account]):
            at = state_at(asked.buckets[cell[1]], asked.now)
            who = account.account_id
            if at is not None and owners[who].before(at) is not None and stands(who, at):
                yield cell


def _of_lives(asked: Asked) -> Iterator[Cell]:
    for account in book(asked.store).unrated:
        for position, (_, end) in revenue.periods(asked, prospects.MONTHS):
            if account.is_unrated_before(end):
                yield asked.placing.at(account.account_id, end), position


def _of_churn(formula: Churn, asked: Asked) -> Iterator[Cell]:
    for account in book(asked.store).unrated:
        for position, (start, end) in _spans(asked):
            is_read = formula.of != "coded" or account.before(end) <= 0
            if is_read and account.is_unrated_before(start):
                yield asked.placing.at(account.account_id, start), position


def _of_renewals(asked: Asked) -> Iterator[Cell]:
    for account_id, due in _unrated_terms(asked):
        bucket = asked.bucket_of(due.at)
        if bucket is not None:
            start = min(asked.buckets[bucket].start, asked.now)
            yield asked.placing.in_cohort(account_id, start), bucket


def _of_risks(asked: Asked) -> Iterator[Cell]:
    stands = standing(asked.store)
    for account_id, due in _unrated_terms(asked):
        bucket = asked.bucket_of(due.deadline or due.at)
        if bucket is not None and due.renewed is None and stands(account_id, asked.now):
            yield asked.placing.at(account_id, asked.now), bucket
    for account_id, _, decide_by, mrr in prospects.told_by_traits(asked.store):
        bucket = asked.bucket_of(decide_by)
        if mrr is None and bucket is not None:
            yield asked.placing.at(account_id, asked.now), bucket


def _of_entries(formula: RiskResolved, asked: Asked) -> Iterator[Cell]:
    unrated = {account.account_id: account for account in book(asked.store).unrated}
    for entry, _ in prospects.entries(formula, asked):
        account, bucket = unrated.get(entry.account_id), asked.bucket_of(entry.at)
        if account is not None and bucket is not None and account.is_unrated_before(entry.at):
            yield asked.placing.in_cohort(entry.account_id, entry.at), bucket


def _unrated_terms(asked: Asked) -> Iterator[tuple[int, Due]]:
    known = rates(asked.store)
    for account_id, its in terms(asked.store, asked.now).items():
        for due in its:
            if not all(known.has(currency) for currency in due.currencies):
                yield account_id, due


def _spans(asked: Asked, months: int | None = None) -> Iterator[Span]:
    if months is not None:
        yield from revenue.periods(asked, months)
        return
    for position, bucket in enumerate(asked.buckets):
        end = state_at(bucket, asked.now)
        if end is not None and bucket.start < end:
            yield position, (bucket.start, end)
