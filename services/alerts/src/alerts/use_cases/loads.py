"""After a load of history: what stands at its end becomes cases once, silently, with one summary."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson

from alerts.domain.cases import NoticeType
from alerts.domain.gate import lag_of, ready_to_sweep
from alerts.domain.notices import load_summary
from alerts.ports.ledger import Ledger, Sweep
from alerts.ports.records import Notification
from alerts.use_cases.evaluate import Evaluator, Mode
from alerts.use_cases.follow import CHUNK


@dataclass(frozen=True, slots=True)
class LoadSweeper:
    """Walks the accounts of tenants whose loads ended. Resumes where a killed replica stopped."""

    evaluator: Evaluator
    new_id: Callable[[str], str]
    public_url: str
    max_lag: timedelta

    def round(self, ledger: Ledger, now: datetime) -> bool:
        """One page per tenant; whether there is more."""
        more = False
        progress = ledger.progress()
        if any(lag_of(one) > self.max_lag for one in progress):
            return False
        for tenant_id, loads in ledger.loads().items():
            through = ready_to_sweep(loads, progress, now)
            lease = f"sweep-{tenant_id}"
            if through is None or not ledger.try_lease(lease):
                continue
            try:
                more |= self._page(ledger, tenant_id, through, now)
            finally:
                ledger.release([lease])
        return more

    def _page(self, ledger: Ledger, tenant_id: int, through: datetime, now: datetime) -> bool:
        sweep = ledger.sweep(tenant_id)
        if sweep is None or sweep.through < through:
            sweep = Sweep(
                tenant_id,
                through,
                0,
                sweep.cases_opened if sweep and sweep.next_account_id is not None else 0,
            )
        if sweep.next_account_id is None:
            return False
        page = ledger.accounts_of_tenant(tenant_id, sweep.next_account_id, CHUNK)
        with ledger.transaction():
            opened = self.evaluator.evaluate(ledger, page, now, Mode.LOAD_END)
            after = page[-1] if len(page) == CHUNK else None
            sweep = replace(sweep, next_account_id=after, cases_opened=sweep.cases_opened + opened)
            ledger.save_sweep(sweep)
            if after is None:
                self._finish(ledger, sweep, now)
        return after is not None

    def _finish(self, ledger: Ledger, sweep: Sweep, now: datetime) -> None:
        detail = {"cases_opened": sweep.cases_opened, "load_ended_at": sweep.through.isoformat()}
        ledger.record(None, sweep.tenant_id, "load-swept", "alerts", now, detail)
        if sweep.cases_opened == 0:
            return
        summary = load_summary(sweep.cases_opened, sweep.through, self.public_url, now)
        body = orjson.dumps(summary).decode()
        ledger.add_notifications(
            [
                Notification(
                    self.new_id("msg"),
                    sweep.tenant_id,
                    target.receiver_id,
                    None,
                    NoticeType.LOAD_SUMMARY,
                    body,
                    now,
                    sweep.through.isoformat(),
                )
                for target in ledger.targets(sweep.tenant_id)
                if not target.disabled and target.wants(NoticeType.LOAD_SUMMARY)
            ]
        )
