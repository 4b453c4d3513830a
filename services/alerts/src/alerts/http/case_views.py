"""A case as people see it: how it stands, who acts for whom, its playbook and its family."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from alerts.domain.cases import news_among
from alerts.domain.episodes import State
from alerts.domain.people import Team
from alerts.domain.phases import phase_of, phase_of_case
from alerts.domain.present import present_of
from alerts.domain.rules import Rule
from alerts.domain.silences import Silence, quiet_until
from alerts.domain.workdays import MuteTime, muting
from alerts.ports.casebook import Record
from alerts.ports.ledger import Ledger
from alerts.ports.lives import SetStep
from alerts.ports.records import Account, Definitions
from alerts.use_cases.outcome import mute_times
from alerts.use_cases.weigh import is_hard


def team_now(ledger: Ledger, definitions: Definitions | None, now: datetime) -> Team:
    """With the leaves that were entered by hand."""
    if definitions is None:
        return Team()
    made = ledger.leaves(definitions.tenant_id, now)
    return definitions.team.joined_by([one.leave for one in made])


def seen(ledger: Ledger, tenant_id: int, cases: Sequence[Record], now: datetime) -> list[Record]:
    """The records of the casebook with everything that a list shows."""
    definitions = ledger.definitions(tenant_id)
    team = team_now(ledger, definitions, now)
    today = definitions.terms.calendar.day_of(now) if definitions else now.date()
    steps = ledger.steps(tenant_id, [case["id"] for case in cases])
    families = sorted({case["family"] for case in cases if case["family"] is not None})
    relatives = ledger.children(tenant_id, families) if families else []
    shown = _held(ledger, definitions, _with_present(ledger, definitions, cases), now)
    return [
        _seen(case, team, [s for s in steps if s.case_id == case["id"]], relatives, today, now)
        for case in shown
    ]


def _with_present(ledger: Ledger, definitions: Definitions | None, cases: Sequence[Record]) -> list[Record]:
    """With what the evidence of open cases says now, beside what it said when it fired."""
    ongoing = {case["account_id"] for case in cases if case["status"] != "resolved"}
    accounts = {one.account_id: one for one in ledger.accounts(sorted(ongoing))} if ongoing else {}
    rules = definitions.rules if definitions else {}
    found = []
    for case in cases:
        account = accounts.get(case["account_id"])
        alerts = [{**alert, **_present(alert, account, rules.get(alert["rule"]))} for alert in case["alerts"]]
        found.append({**case, "alerts": alerts})
    return found


def _present(alert: Record, account: Account | None, rule: Rule | None) -> Record:
    lacks_data = alert["no_data_since"] is not None
    known = (
        present_of(rule, State(alert["state"]), account.figures, account.traits, lacks_data=lacks_data)
        if account is not None
        else None
    )
    return {
        "evidence_now": known.evidence if known else None,
        "figures_now": known.figures if known else None,
    }


def detailed(ledger: Ledger, tenant_id: int, case: Record, now: datetime) -> Record:
    """One case with its playbook and its pages too."""
    definitions = ledger.definitions(tenant_id)
    today = definitions.terms.calendar.day_of(now) if definitions else now.date()
    steps = [_step(step, today) for step in ledger.steps(tenant_id, [case["id"]])]
    pages = [
        {
            "rotation": page.rotation,
            "step": page.step,
            "person": page.person,
            "paged_at": page.paged_at,
            "due_at": page.due_at,
            "ended": ended,
        }
        for page, ended in ledger.pages_of_case(tenant_id, case["id"])
    ]
    suppressions = [
        {"rule": one.rule, "judged_at": one.judged_at, "until": one.judged.until}
        for one in ledger.suppressions_of_case(tenant_id, case["id"])
    ]
    shown = seen(ledger, tenant_id, [case], now)[0]
    return {**shown, "steps": steps, "pages": pages, "suppressions": suppressions}


def _seen(
    case: Record,
    team: Team,
    steps: Sequence[SetStep],
    relatives: Sequence[Mapping[str, Any]],
    today: date,
    now: datetime,
) -> Record:
    alerts = [{**alert, "phase": _phase(alert)} for alert in case["alerts"]]
    family = [one for one in relatives if one["family"] == case["family"] and one["queue"] == case["queue"]]
    money = [one["money_at_risk"] for one in family if one["money_at_risk"] is not None]
    responsible = case["responsible"]
    stand_in = team.stand_in(responsible, now) if responsible else None
    leave = team.leave_of(responsible, now) if responsible else None
    return {
        **case,
        "alerts": alerts,
        "phase": phase_of_case(case["status"], case["resolution"], [alert["phase"] for alert in alerts]),
        "stand_in": stand_in if stand_in != responsible else None,
        "away_until": leave.last if leave else None,
        "relatives": [one for one in family if one["case_id"] != case["id"]],
        "family_money_at_risk": sum(money, Decimal(0)) if money else None,
        "steps_todo": sum(step.status == "todo" for step in steps),
        "steps_overdue": sum(_is_overdue(step, today) for step in steps),
    }


def _held(
    ledger: Ledger, definitions: Definitions | None, cases: Sequence[Record], now: datetime
) -> list[Record]:
    """With what holds their news back, and until when."""
    ways = {case["held"] for case in cases}
    silences = ledger.silences(definitions.tenant_id, now) if definitions and "silenced" in ways else []
    windows = mute_times(ledger, definitions) if definitions and "muted" in ways else ()
    return [{**case, **_hold(case, definitions, silences, windows, now)} for case in cases]


def _hold(
    case: Record,
    definitions: Definitions | None,
    silences: Sequence[Silence],
    windows: Sequence[MuteTime],
    now: datetime,
) -> Record:
    firing = [alert["rule"] for alert in case["alerts"] if alert["state"] == State.FIRING.value]
    news = news_among(firing, case["told_rules"])
    until, by = case["snoozed_until"] if case["held"] == "snoozed" else None, None
    if case["held"] == "silenced" and (silence := quiet_until(silences, case["account"], news, now)):
        until, by = silence.ends_at, silence.comment
    if case["held"] == "muted" and definitions is not None:
        hard = any(is_hard(rule, definitions) for rule in news)
        if window := muting(windows, definitions.terms.calendar, now, hard=hard):
            until, by = window.until(definitions.terms.calendar, now), window.name
    return {"held_until": until, "held_by": by}


def _phase(alert: Record) -> str:
    return phase_of(
        alert["state"],
        alert["reason"],
        is_recovering=alert["recovering_since"] is not None,
        lacks_data=alert["no_data_since"] is not None,
    )


def _is_overdue(step: SetStep, today: date) -> bool:
    return step.status == "todo" and step.due_on < today


def _step(step: SetStep, today: date) -> Record:
    shown = {name: getattr(step, name) for name in SetStep.__slots__}
    return {**shown, "overdue": _is_overdue(step, today)}
