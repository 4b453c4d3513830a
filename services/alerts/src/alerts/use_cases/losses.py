"""Opens a review of every account that is lost, with or without a case, filled in as far as history tells."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.domain.gate import loading_tenants
from alerts.domain.losses import LOOKS_BACK, RETURNS_WITHIN, SAME_LOSS, Last, Seen, propose
from alerts.domain.rules import Verdict, judge
from alerts.ports.ledger import Ledger
from alerts.ports.records import Account, Alert, Definitions
from alerts.ports.reviews import Loss, Review
from alerts.use_cases.post import owner_of

# What was lost before is history that nobody learns from one by one.
NEW_FOR = timedelta(days=90)
# One after another on the thread that also looks at what happens now.
OPENED_A_ROUND = 10


@dataclass(frozen=True, slots=True)
class Reviewing:
    """A loss has one review, however often it is looked at."""

    new_id: Callable[[str], str]
    name: str = "reviewing"
    every: timedelta = timedelta(minutes=1)

    def round(self, ledger: Ledger, now: datetime) -> None:
        loading = loading_tenants(ledger.loads())
        for tenant_id in ledger.tenants():
            definitions = ledger.definitions(tenant_id)
            if definitions is None or tenant_id in loading:
                continue
            for loss in ledger.new_losses(tenant_id, now - NEW_FOR, now)[:OPENED_A_ROUND]:
                with ledger.transaction():
                    self.open(ledger, loss, definitions, "alerts", now)
            for review_id in ledger.returned(tenant_id, now - RETURNS_WITHIN):
                with ledger.transaction():
                    _return(ledger, tenant_id, review_id, now)

    def open(
        self, ledger: Ledger, loss: Loss, definitions: Definitions, opened_by: str, now: datetime
    ) -> str | None:
        """The review's id; None when the account has one that is open. In the caller's transaction."""
        accounts = ledger.accounts([loss.account_id])
        if not accounts:
            return None
        account = accounts[0]
        review = Review(
            self.new_id("loss"),
            loss.tenant_id,
            loss.account_id,
            ledger.last_case(loss.tenant_id, loss.account_id),
            "open",
            loss.lost_at,
            now,
            opened_by,
            account.mrr if loss.mrr is None and account.mrr else loss.mrr,
            owner_of(account),
            _proposal(ledger, loss, account, definitions),
        )
        if not ledger.add_review(review):
            return None
        detail = {"review": review.id, "account_id": loss.account_id, "lost_at": loss.lost_at.isoformat()}
        ledger.record(None, loss.tenant_id, "loss-review-opened", opened_by, now, detail)
        return review.id


def _proposal(ledger: Ledger, loss: Loss, account: Account, definitions: Definitions) -> dict[str, object]:
    cancelled = ledger.cancellation(loss.tenant_id, loss.account_id, loss.lost_at + SAME_LOSS)
    said, deadline = cancelled or (None, None)
    risk_rules = {name for name, rule in definitions.rules.items() if rule.queue == "risk"}
    alerts = ledger.alerts_of_account(loss.account_id, loss.lost_at - LOOKS_BACK)
    seen = [
        _seen(alert)
        for alert in alerts
        if alert.episode.since_at <= loss.lost_at
        and (alert.rule in risk_rules or alert.rule not in definitions.rules)
    ]
    last = _last(account, definitions)
    # What it pays is unknown in a currency without a rate, not nothing.
    still_pays = cancelled is None and account.mrr != 0
    return propose(loss.lost_at, deadline, said, cancelled is not None, seen, last, still_pays=still_pays)


def _seen(alert: Alert) -> Seen:
    episode = alert.episode
    return Seen(
        alert.rule,
        alert.label,
        episode.state,
        episode.reason.value,
        episode.since_at,
        episode.fired_at,
        episode.ended_at,
        alert.evidence,
    )


def _last(account: Account, definitions: Definitions) -> Last:
    hold, unknown = set(), set()
    for name, rule in definitions.rules.items():
        if rule.queue != "risk" or rule.is_shadow:
            continue
        verdict = judge(rule, account.figures, account.traits, is_firing=False).verdict
        hold |= {name} if verdict is Verdict.FIRING else set()
        unknown |= {name} if verdict is Verdict.NO_DATA else set()
    return Last(hold, unknown)


def _return(ledger: Ledger, tenant_id: int, review_id: str, now: datetime) -> None:
    review = ledger.lock_review(tenant_id, review_id)
    if review is not None and review.status == "open":
        ledger.save_review(replace(review, status="returned", completed_at=now, completed_by="alerts"))
