"""Pages that nobody acknowledged in time go on: to the next person, then to the default receivers."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.domain.cases import Case, NoticeType, Status
from alerts.domain.on_call import Page, next_page
from alerts.domain.routing import Target
from alerts.ports.ledger import Ledger
from alerts.ports.records import Definitions
from alerts.use_cases.outcome import Letter, Outcome
from alerts.use_cases.post import Post

# One after another on the thread that also looks at what happens now.
STEPS_A_ROUND = 20


@dataclass(frozen=True, slots=True)
class Escalating:
    """One step at a time, each in a transaction of its own with its notice: a killed replica neither loses nor repeats one."""

    post: Post
    name: str = "escalating"
    every: timedelta = timedelta(seconds=1)

    def round(self, ledger: Ledger, now: datetime) -> None:
        for _ in range(STEPS_A_ROUND):
            with ledger.transaction():
                due = ledger.due_pages(now, 1)
                if not due:
                    return
                self._go_on(ledger, due[0], now)

    def _go_on(self, ledger: Ledger, page: Page, now: datetime) -> None:
        case = ledger.lock_case(page.tenant_id, page.case_id)
        definitions = ledger.definitions(page.tenant_id)
        rotation = definitions.rotations.get(page.rotation) if definitions else None
        answered = _answered(case, now)
        if answered is not None or definitions is None or rotation is None or case is None:
            ledger.go_on(page, answered or "rotation-removed", None)
            return
        outcome = Outcome()
        team = outcome.team(ledger, definitions, now)
        following = next_page(page, rotation, team, now)
        receivers = self._receivers(ledger, following, definitions, rotation.default, outcome, now)
        accounts = ledger.accounts([case.account_id])
        if accounts:
            more = {
                "escalation": {
                    "rotation": page.rotation,
                    "unanswered_by": page.person,
                    "since": page.paged_at.isoformat(),
                    "goes_to": following.person,
                }
            }
            evidence = ledger.alerts_of_cases([case.id])
            letter = Letter(NoticeType.ESCALATED, accounts[0], case, evidence, receivers, False, more)
            outcome.letters.append(letter)
            self.post.put(ledger, outcome, now)
        ledger.go_on(page, "escalated", following)
        detail = {"rotation": page.rotation, "from": page.person, "to": following.person or "default"}
        ledger.record(case, case.tenant_id, "escalated", "alerts", now, detail)

    def _receivers(
        self,
        ledger: Ledger,
        page: Page,
        definitions: Definitions,
        default: tuple[str, ...],
        outcome: Outcome,
        now: datetime,
    ) -> list[Target]:
        person = definitions.team.people.get(page.person) if page.person is not None else None
        names = {person.receiver} if person is not None else set(default)
        targets = outcome.targets(ledger, page.tenant_id)
        return [target for target in targets if target.name in names]


def _answered(case: Case | None, now: datetime) -> str | None:
    """What became of the page, if anything did; a case that recovered needs nobody at night."""
    if case is None or case.status is Status.RESOLVED:
        return "resolved"
    if case.status is Status.ACKNOWLEDGED:
        return "acknowledged"
    if case.snoozed_until is not None and now < case.snoozed_until:
        return "snoozed"
    return "recovered" if case.recovered_at is not None else None
