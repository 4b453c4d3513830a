"""What is at stake in a case by what is known of its account now."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from alerts.domain.cases import Case, Status
from alerts.domain.priority import Situation, stakes_of
from alerts.domain.terms import Terms
from alerts.ports.records import Account, Alert, Definitions


def weighed(
    case: Case,
    account: Account,
    firing: Sequence[Alert],
    definitions: Definitions,
    notice_deadline: datetime | None,
    now: datetime,
) -> Case:
    """What a case had at stake when it recovered or ended stays with it."""
    if not firing or case.status is Status.RESOLVED:
        return case
    situation = situation_of(account, notice_deadline, definitions.terms, now)
    facts = [(alert.severity, is_hard(alert.rule, definitions)) for alert in firing]
    return case.with_stakes(stakes_of(situation, case.queue, facts, definitions.terms, now))


def situation_of(
    account: Account, notice_deadline: datetime | None, terms: Terms, now: datetime
) -> Situation:
    """The deadline of a subscription, else what the account's traits say."""
    days = account.figures.get("days_to_notice")
    if notice_deadline is None and isinstance(days, int | float):
        day = terms.calendar.day_of(now) + timedelta(days=int(days) + 1)
        notice_deadline = terms.calendar.start_of(day)
    return Situation(account.mrr, share_of(account.figures.get("renewal_risk")), notice_deadline)


def is_hard(rule: str, definitions: Definitions) -> bool:
    known = definitions.rules.get(rule)
    return known is not None and known.hard


def share_of(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return min(max(Decimal(str(value)), Decimal(0)), Decimal(1))
