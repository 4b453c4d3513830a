"""What people do with a case, each step recorded with who did it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.domain import actions
from alerts.domain.ageing import timed
from alerts.domain.cases import Case, Resolution, close, settle
from alerts.domain.episodes import Reason, State, end_by_people, stand
from alerts.domain.terms import Terms
from alerts.ports.ledger import Ledger
from alerts.ports.records import Alert, Watch
from common.errors import NotFound


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: the name they gave, or that of their key."""

    tenant_id: int
    name: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Desk:
    """Every method raises NotFound for a case of another tenant and Conflict for a closed one."""

    new_id: Callable[[str], str]

    def acknowledge(
        self, ledger: Ledger, actor: Actor, case_id: str, comment: str | None, now: datetime
    ) -> None:
        def change(case: Case) -> Case:
            return actions.acknowledge(case, actor.name, now)

        self._change(ledger, actor, case_id, "acknowledged", {"comment": comment}, now, change)

    def assign(self, ledger: Ledger, actor: Actor, case_id: str, assignee: str | None, now: datetime) -> None:
        def change(case: Case) -> Case:
            return actions.assign(case, assignee, now)

        self._change(ledger, actor, case_id, "assigned", {"assignee": assignee}, now, change)

    def snooze(self, ledger: Ledger, actor: Actor, case_id: str, until: datetime, now: datetime) -> None:
        def change(case: Case) -> Case:
            return actions.snooze(case, until, now)

        self._change(ledger, actor, case_id, "snoozed", {"until": until.isoformat()}, now, change)

    def comment(self, ledger: Ledger, actor: Actor, case_id: str, text: str, now: datetime) -> None:
        """Also on a closed case: what was learnt later belongs there."""

        def change(case: Case) -> Case:
            return replace(case, updated_at=now)

        self._change(ledger, actor, case_id, "commented", {"comment": text}, now, change)

    def outcome(
        self,
        ledger: Ledger,
        actor: Actor,
        case_id: str,
        outcome: str,
        real: bool | None,
        comment: str | None,
        now: datetime,
    ) -> None:
        """Closes the case. What still holds stands without a case until it crosses anew or fresh evidence comes."""
        verdict = actions.verdict_of(outcome, real)
        with ledger.transaction():
            case, _ = self._locked(ledger, actor.tenant_id, case_id)
            actions.check_outcome(case, outcome)
            live = [a for a in ledger.alerts_of_cases([case.id]) if a.episode.is_live]
            closed = close(case, actions.OUTCOMES[outcome], now)
            self._stand_down(ledger, live, Reason.JUDGED, None, now)
            ledger.save_cases([closed])
            if verdict is not None:
                ledger.save_verdict(case, verdict, actor.name, now)
            detail = {"outcome": outcome, "real": verdict, "comment": comment}
            self._record(ledger, actor, case, "outcome", detail, now)

    def verdict(self, ledger: Ledger, actor: Actor, case_id: str, real: bool | None, now: datetime) -> None:
        """Whether the risk was real, also of a closed case: often it shows later. None takes back what was said."""
        with ledger.transaction():
            case, _ = self._locked(ledger, actor.tenant_id, case_id)
            ledger.save_verdict(case, real, actor.name, now)
            ledger.save_cases([replace(case, updated_at=now)])
            self._record(ledger, actor, case, "verdict", {"real": real}, now)

    def expected(
        self, ledger: Ledger, actor: Actor, case_id: str, until: datetime, comment: str | None, now: datetime
    ) -> None:
        """Quiet is expected until then: what time made true stands down and comes back if it still holds. Complaints stay."""
        with ledger.transaction():
            case, watch = self._locked(ledger, actor.tenant_id, case_id)
            actions.check_expectation(case, until, now)
            alerts = ledger.alerts_of_cases([case.id])
            definitions = ledger.definitions(actor.tenant_id)
            rules = definitions.rules if definitions else {}
            quiet = [
                a
                for a in alerts
                if a.episode.is_live and (a.rule not in rules or rules[a.rule].is_driven_by_time)
            ]
            kept = [a.fact for a in alerts if a not in quiet]
            settled = settle(case, kept, now) if any(f.state is State.FIRING for f in kept) else None
            terms = definitions.terms if definitions else Terms()
            self._stand_down(ledger, quiet, Reason.EXPECTED, until, now)
            after = settled or close(case, Resolution.EXPECTED, now)
            ledger.save_cases([timed(replace(after, touched_at=now), terms)])
            ledger.save_watches([replace(watch, expected_until=until)])
            self._record(
                ledger, actor, case, "expected", {"until": until.isoformat(), "comment": comment}, now
            )

    def _change(
        self,
        ledger: Ledger,
        actor: Actor,
        case_id: str,
        kind: str,
        detail: Mapping[str, object],
        now: datetime,
        change: Callable[[Case], Case],
    ) -> None:
        with ledger.transaction():
            case, _ = self._locked(ledger, actor.tenant_id, case_id)
            definitions = ledger.definitions(actor.tenant_id)
            terms = definitions.terms if definitions else Terms()
            ledger.save_cases([timed(replace(change(case), touched_at=now), terms)])
            self._record(ledger, actor, case, kind, detail, now)

    def _locked(self, ledger: Ledger, tenant_id: int, case_id: str) -> tuple[Case, Watch]:
        """Locks in the order in which evaluation does: the account, then its case."""
        account_id = ledger.account_of_case(tenant_id, case_id)
        if account_id is not None:
            watch = ledger.lock_watches(ledger.accounts([account_id]))[account_id]
            case = ledger.lock_case(tenant_id, case_id)
            if case is not None:
                return case, watch
        raise NotFound("case-unknown", f"there is no case {case_id[:80]!r}; GET /v1/alerts lists them")

    def _stand_down(
        self, ledger: Ledger, live: Sequence[Alert], reason: Reason, until: datetime | None, now: datetime
    ) -> None:
        ledger.save_alerts([replace(a, episode=end_by_people(a.episode, now)) for a in live], now)
        standing = [
            replace(
                a, id=self.new_id("alert"), case_id=None, episode=stand(reason, a.episode.since_at, until)
            )
            for a in live
        ]
        ledger.save_alerts(standing, now)

    def _record(
        self, ledger: Ledger, actor: Actor, case: Case, kind: str, detail: Mapping[str, object], now: datetime
    ) -> None:
        known = {name: value for name, value in detail.items() if value is not None}
        ledger.record(case, actor.tenant_id, kind, actor.name, now, {**known, "key": actor.key_id})
