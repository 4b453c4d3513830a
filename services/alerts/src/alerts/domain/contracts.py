"""What an account's subscriptions say of its past: its revenue by day, and how its terms ended."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from alerts.domain.accuracy import Ending
from common.figures.mrr import (
    OVERDUE,
    ZERO,
    Change,
    committed_functions,
    seat_steps,
    standing,
    step_function,
    value_before,
)
from common.signals.said import SEATS_CHANGED, seats_of

# The last instant of a day lies this much before the next one.
_INSTANT = timedelta(microseconds=1)
_NONE, _QUARTER = timedelta(0), timedelta(days=90)

T = TypeVar("T")


def mrr_by_day(changes: Sequence[Change], ends: Sequence[datetime]) -> list[Decimal]:
    """At the end of each day, by what had been said until then. `ends` ascending."""
    return _by_day(changes, ends, lambda known, now: value_before(step_function(known, now), now), lag=_NONE)


def mrr_90d_ago_by_day(changes: Sequence[Change], ends: Sequence[datetime]) -> list[Decimal]:
    """What it was 90 days before, by what is said of it now."""
    return _by_day(
        changes,
        ends,
        lambda known, now: value_before(step_function(known, now), now - _QUARTER),
        lag=_QUARTER,
    )


def under_notice_by_day(changes: Sequence[Change], ends: Sequence[datetime]) -> list[Decimal]:
    """What of it was given notice of."""

    def under_notice(known: Sequence[Change], now: datetime) -> Decimal:
        committed = committed_functions(known, now, lambda _: None).get(None, [])
        return value_before(step_function(known, now), now) - value_before(committed, now)

    return _by_day(changes, ends, under_notice, lag=_NONE)


def seats_by_day(
    told: Sequence[tuple[datetime, float | None]], changes: Sequence[Change], ends: Sequence[datetime]
) -> list[tuple[float, float] | None]:
    """An account's seats at the end of each day and 90 days before, as `common.signals.said.seats_of` has them of now."""

    def seats(known: Sequence[Change], now: datetime) -> tuple[float, float] | None:
        sold = [(at, change) for at, change in seat_steps(known, now) if at < now]
        return seats_of([(at, number) for at, number in told if at <= now], sold, now)

    return _by_day(changes, ends, seats, lag=SEATS_CHANGED, more=[at for at, _ in told])


def _by_day(
    changes: Sequence[Change],
    ends: Sequence[datetime],
    figure: Callable[[Sequence[Change], datetime], T],
    lag: timedelta,
    more: Sequence[datetime] = (),
) -> list[T]:
    """Asked anew only on days on which something was said, took effect or lapsed, or anything happened at `more`; `lag`: or did so long before."""
    said = [(c.event_at, c.effective_at, c.term_end and c.term_end + OVERDUE) for c in changes]
    told = [at for all_of in (*said, more) for at in all_of if at]
    turns = sorted({at + later for at in told for later in {_NONE, lag}})
    found: list[T] = []
    turn = 0
    for end in ends:
        before = turn
        while turn < len(turns) and turns[turn] < end:
            turn += 1
        if turn != before or not found:
            now = end - _INSTANT
            value = figure([c for c in changes if c.event_at <= now], now)
        found.append(value)
    return found


def pays(changes: Sequence[Change], at: datetime) -> bool:
    """Whether there was revenue to lose at that moment, by what had been said until then."""
    known = [change for change in changes if change.event_at <= at]
    return value_before(step_function(known, at), at) > 0


def endings(
    changes: Sequence[Change], now: datetime, closed_unused: frozenset[datetime] = frozenset()
) -> list[Ending]:
    """Churns and renewals that are known at `now`, by when they were decided.

    A churn is revenue that falls to nothing and does not come back within 30 days; it was decided when the cancellation was announced,
    or by the lapse of the term. `closed_unused`: when cancellations were told that were made because nobody used the product.
    """
    known = [change for change in changes if change.event_at <= now]
    found = [Ending("renewed", at, term_end=term_end) for at, term_end in _renewals(known)]
    level = ZERO
    steps = step_function(known, now)
    for n, (at, delta) in enumerate(steps):
        if level > 0 and level + delta <= 0:
            returned_at = next((again for again, more in steps[n + 1 :] if more > 0), None)
            if returned_at is None or returned_at - at > OVERDUE:
                decided_at = _announced(known, at)
                found.append(
                    Ending(
                        "churned",
                        decided_at,
                        returned_at,
                        notice_deadline=_notice_deadline(known, at),
                        is_silence=decided_at in closed_unused,
                    )
                )
        level += delta
    return sorted(found, key=lambda ending: ending.decided_at)


def ended_by(changes: Sequence[Change], until: datetime) -> Change | None:
    """The cancellation that took effect last by then, whenever it was told, of those that were not withdrawn (ADR 0223) and after which
    their subscription did not begin anew; None when there is none."""
    found = []
    for its in standing(changes):
        acted = [change for change in its if change.effective_at <= until and change.kind != "changed"]
        if acted and acted[-1].kind == "cancelled":
            found.append(acted[-1])
    return max(found, key=lambda change: change.order, default=None)


def expansions(changes: Sequence[Change], now: datetime) -> list[Ending]:
    """When revenue of a paying account grew, as far as is known at `now`: what signs of growth foretell."""
    known = [change for change in changes if change.event_at <= now]
    level, found = ZERO, []
    for at, delta in step_function(known, now):
        if level > 0 and delta > 0:
            said = [change.event_at for change in known if change.effective_at == at]
            found.append(Ending("grew", min([*said, at])))
        level += delta
    return found


def _announced(changes: Sequence[Change], at: datetime) -> datetime:
    said = [
        c.event_at for its in standing(changes) for c in its if c.kind == "cancelled" and c.effective_at == at
    ]
    return min([*said, at])


def _notice_deadline(changes: Sequence[Change], at: datetime) -> datetime | None:
    """The last one that a term in force before `at` names."""
    terms: dict[str, Change] = {}
    for change in sorted(changes, key=lambda change: change.order):
        names_a_term = change.kind != "changed" or change.term_end is not None
        if change.effective_at < at and change.kind != "cancelled" and names_a_term:
            terms[change.subscription] = change
    return max((c.notice_deadline for c in terms.values() if c.notice_deadline is not None), default=None)


def _renewals(changes: Sequence[Change]) -> list[tuple[datetime, datetime | None]]:
    """When they were told, and until when each holds."""
    terms: dict[str, datetime | None] = {}
    found = []
    for change in sorted(changes, key=lambda change: change.order):
        before = terms.get(change.subscription)
        names_later = change.term_end is not None and before is not None and change.term_end > before
        if change.kind == "renewed" or (change.kind == "changed" and names_later):
            found.append((change.event_at, change.term_end))
        if change.kind != "changed" or change.term_end is not None:
            terms[change.subscription] = change.term_end
    return found
