"""What is at stake in a case by what is known of its account now."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from alerts.domain.cases import Case, Status
from alerts.domain.priority import Renewal, Situation, stakes_of
from alerts.domain.terms import Terms
from alerts.ports.records import Account, Alert, Definitions


def weighed(
    case: Case,
    account: Account,
    firing: Sequence[Alert],
    definitions: Definitions,
    renewals: Sequence[Renewal],
    now: datetime,
) -> Case:
    """What a case had at stake when it recovered or ended stays with it."""
    if not firing or case.status is Status.RESOLVED:
        return case
    situation = situation_of(account, renewals, definitions.terms, now)
    facts = [(alert.severity, is_hard(alert.rule, definitions)) for alert in firing]
    return case.with_stakes(stakes_of(situation, case.queue, facts, definitions.terms, now))


def situation_of(account: Account, renewals: Sequence[Renewal], terms: Terms, now: datetime) -> Situation:
    """The deadline of the account's traits counts where no renewal names one."""
    days = account.figures.get("days_to_notice")
    if any(one.deadline for one in renewals) or not isinstance(days, int | float):
        return Situation(account.mrr, renewals)
    day = terms.calendar.day_of(now) + timedelta(days=int(days) + 1)
    return Situation(account.mrr, renewals, terms.calendar.start_of(day))


def is_hard(rule: str, definitions: Definitions) -> bool:
    known = definitions.rules.get(rule)
    return known is not None and known.hard


def share_of(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return min(max(Decimal(str(value)), Decimal(0)), Decimal(1))
