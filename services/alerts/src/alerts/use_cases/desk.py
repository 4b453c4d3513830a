"""What people do with a case, each step recorded with who did it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from alerts.domain import actions
from alerts.domain.ageing import timed
from alerts.domain.cases import Case, NoticeType, Resolution, Status, close, settle
from alerts.domain.episodes import Reason, State, end_by_people, stand
from alerts.domain.terms import Terms
from alerts.ports.ledger import Ledger
from alerts.ports.lives import StepStatus
from alerts.ports.records import Alert, Watch
from alerts.ports.reviews import Loss
from alerts.use_cases.doubt import suppressions
from alerts.use_cases.losses import Reviewing
from alerts.use_cases.outcome import Outcome
from alerts.use_cases.post import Post
from common.errors import NotFound


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: the name they gave, or that of their key."""

    tenant_id: int
    name: str
    key_id: str


@dataclass(frozen=True, slots=True)
class StepChange:
    """None: as it was."""

    status: StepStatus
    note: str | None
    owner: str | None
    due_on: date | None


@dataclass(frozen=True, slots=True)
class Desk:
    """Every method raises NotFound for a case of another tenant and Conflict for a closed one."""

    new_id: Callable[[str], str]
    post: Post

    def acknowledge(
        self, ledger: Ledger, actor: Actor, case_id: str, comment: str | None, now: datetime
    ) -> None:
        def change(case: Case) -> Case:
            return actions.acknowledge(case, actor.name, now)

        with ledger.transaction():
            self._change(ledger, actor, case_id, "acknowledged", {"comment": comment}, now, change)
            self._tell(ledger, NoticeType.ACKNOWLEDGED, actor, case_id, now)

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

    def step(
        self,
        ledger: Ledger,
        actor: Actor,
        case_id: str,
        step_id: str,
        change: StepChange,
        now: datetime,
    ) -> None:
        """Also on a closed case: what is still done for the account belongs there."""
        with ledger.transaction():
            case, _ = self._locked(ledger, actor.tenant_id, case_id)
            step = ledger.lock_step(actor.tenant_id, case.id, step_id)
            if step is None:
                raise NotFound("step-unknown", f"the case has no step {step_id[:80]!r}")
            is_over = change.status != "todo"
            ledger.end_step(
                replace(
                    step,
                    status=change.status,
                    note=change.note or step.note,
                    owner=change.owner or step.owner,
                    due_on=change.due_on or step.due_on,
                    ended_at=now if is_over else None,
                    ended_by=actor.name if is_over else None,
                )
            )
            self._save(ledger, replace(case, updated_at=now), now)
            detail = {"step": step.label, "status": change.status, "note": change.note}
            self._record(ledger, actor, case, f"step-{change.status}", detail, now)

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
            evidence = ledger.alerts_of_cases([case.id])
            live = [alert for alert in evidence if alert.episode.is_live]
            closed = close(case, actions.OUTCOMES[outcome], now)
            until = self._suppress(ledger, actor, case, evidence, now) if outcome == "not_real" else None
            self._stand_down(ledger, live, Reason.NOT_REAL if until else Reason.JUDGED, until, now)
            ledger.save_cases([closed])
            if verdict is not None:
                ledger.save_verdict(case, verdict, actor.name, now)
            detail = {"outcome": outcome, "real": verdict, "comment": comment}
            self._record(ledger, actor, case, "outcome", detail, now)
            self._tell(ledger, NoticeType.RESOLVED, actor, case_id, now)
            if closed.resolution is Resolution.LOST and case.queue == "risk":
                self._review(ledger, actor, case, now)

    def _review(self, ledger: Ledger, actor: Actor, case: Case, now: datetime) -> None:
        """A loss is looked back on, once; when its revenue ends later, that is the same loss."""
        definitions = ledger.definitions(actor.tenant_id)
        if definitions is not None:
            loss = Loss(case.tenant_id, case.account_id, now, None)
            Reviewing(self.new_id).open(ledger, loss, definitions, actor.name, now)

    def _suppress(
        self, ledger: Ledger, actor: Actor, case: Case, evidence: Sequence[Alert], now: datetime
    ) -> datetime | None:
        """Until when the rules of the case open nothing on the account; None where the company doesn't want that."""
        definitions = ledger.definitions(actor.tenant_id)
        accounts = ledger.accounts([case.account_id])
        if definitions is None or not accounts or not definitions.terms.not_real_for:
            return None
        found = suppressions(case, accounts[0], {alert.rule for alert in evidence}, definitions, now)
        ledger.suppress(found)
        until = now + definitions.terms.not_real_for
        detail = {"rules": sorted(one.rule for one in found), "until": until.isoformat()}
        self._record(ledger, actor, case, "suppressed", detail, now)
        return until

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
            if after.status is Status.RESOLVED:
                self._tell(ledger, NoticeType.RESOLVED, actor, case_id, now)

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
            self._save(ledger, change(case), now)
            self._record(ledger, actor, case, kind, detail, now)

    def _tell(self, ledger: Ledger, notice: NoticeType, actor: Actor, case_id: str, now: datetime) -> None:
        """Receivers that follow the case see what became of it."""
        case = ledger.lock_case(actor.tenant_id, case_id)
        accounts = ledger.accounts([case.account_id]) if case is not None else []
        if case is None or not accounts:
            return
        outcome = Outcome()
        evidence = ledger.alerts_of_cases([case.id])
        self.post.send(ledger, notice, accounts[0], case, evidence, outcome, now)
        self.post.put(ledger, outcome, now)

    def _save(self, ledger: Ledger, case: Case, now: datetime) -> None:
        """Somebody did something about it: an acknowledgement holds on from here."""
        definitions = ledger.definitions(case.tenant_id)
        terms = definitions.terms if definitions else Terms()
        ledger.save_cases([timed(replace(case, touched_at=now), terms)])

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
