"""Which steps are set on a case, for whom and until when."""

from collections.abc import Callable, Sequence
from datetime import datetime

from alerts.domain.cases import Case
from alerts.domain.terms import Playbook
from alerts.ports.lives import SetStep
from alerts.ports.records import Account, Definitions
from alerts.use_cases.post import text_of


def playbooks_of(
    case: Case, account: Account, rules: Sequence[str], definitions: Definitions
) -> list[Playbook]:
    """Of rules that are new to the case, and, where something is at risk, of the account's engagement model."""
    found = [
        Playbook("rule", name, definitions.rules[name].playbook)
        for name in rules
        if name in definitions.rules
    ]
    if case.queue == "risk":
        known = definitions.terms.playbooks
        model = known.get(text_of(account.traits.get("engagement_model"))) or known.get(None)
        found += [model] if model is not None else []
    return found


def set_steps(
    case: Case,
    account: Account,
    playbooks: Sequence[Playbook],
    definitions: Definitions,
    now: datetime,
    new_id: Callable[[str], str],
) -> list[SetStep]:
    """Due days are working days of the company; a step that is due the same day is due that day, working or not."""
    calendar = definitions.terms.calendar
    today = calendar.day_of(now)
    return [
        SetStep(
            new_id("step"),
            case.tenant_id,
            case.id,
            playbook.source,
            playbook.name,
            position,
            step.label,
            step.owner_role,
            _owner(case, account, step.owner_role),
            calendar.nth_working_day(today, step.due_days),
        )
        for playbook in playbooks
        for position, step in enumerate(playbook.steps)
    ]


def _owner(case: Case, account: Account, role: str) -> str | None:
    if role == "owner" and case.assignee is not None:
        return case.assignee
    return text_of(account.traits.get(role))
