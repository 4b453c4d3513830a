"""`POST /v1/rules/budget`: whether a catalogue's rules would cost more than the people who look after accounts have time for."""

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from alerts.domain.budgets import Budget, Closes, budgets
from alerts.domain.rules import Rule
from alerts.domain.terms import Terms
from alerts.http.backtest import Compiled
from alerts.http.doors import Doors
from alerts.use_cases.backtest import Backtest
from alerts.use_cases.rule_load import RuleLoad
from common.auth.keys import Principal
from common.catalogue import models
from common.catalogue.changes import new_warnings
from common.catalogue.engagement import EngagementModel
from common.catalogue.signals import Signal
from common.errors import NotFound, Rejected


class BudgetRequest(BaseModel):
    """Rules as they are to be, with what they rest on; what is left out stays as it is in force."""

    model_config = ConfigDict(extra="forbid")

    rules: dict[str, models.Rule] = Field(
        description="all of them, by name; shadows tell nobody and are left out"
    )
    signals: dict[str, Signal] | None = None
    engagement_models: dict[str, EngagementModel] | None = None
    weeks: int = Field(
        8, ge=1, le=26, description="over so many weeks up to today; fewer where that is too much to read"
    )


class RuleShare(BaseModel):
    rule: str
    per_week: float = Field(description="cases that it opened")


class BudgetView(BaseModel):
    engagement_model: str
    owner: str | None = Field(description="null: accounts that nobody looks after, which are never over")
    budget: int | None
    per_week: float = Field(description="new cases, on average")
    before: float = Field(description="the same without the rules that change")
    busiest_week: int
    over: bool
    rules: list[RuleShare]


class NotReplayed(BaseModel):
    rule: str
    reason: str


class RecordedRule(BaseModel):
    rule: str
    since: dt.date


class BudgetReport(BaseModel):
    start: dt.date = Field(serialization_alias="from")
    end: dt.date = Field(serialization_alias="to")
    changed: list[str] = Field(description="rules that are new, or warn otherwise than in force")
    recorded: list[RecordedRule] = Field(
        description="rules that no replay can say: they count with what they warned of themselves, since that day"
    )
    not_replayed: list[NotReplayed] = Field(description="they count nothing")
    loads: list[BudgetView]
    over: bool


def budgets_router(
    doors: Doors, backtest: Backtest, compiled: Compiled, terms_of: Callable[[models.Catalogue], Terms]
) -> APIRouter:
    """`compiled` raises ValueError for a rule that can't be used."""
    router = APIRouter(prefix="/v1/rules", tags=["rules"])

    @router.post("/budget", response_model=BudgetReport)
    def rule_budget(caller: Annotated[Principal, Depends(doors.read)], asked: BudgetRequest) -> Any:
        """Replays the live rules over the last weeks. Nothing is opened and nobody is told."""
        in_force = backtest.history.catalogue(caller.tenant_id)
        if in_force is None:
            raise NotFound("catalogue-missing", "no definitions are in force; run `bellwether apply`")
        changes: dict[str, Any] = {"rules": asked.rules}
        if asked.signals is not None:
            changes["signals"] = asked.signals
        if asked.engagement_models is not None:
            changes["engagement_models"] = asked.engagement_models
        wanted = in_force.model_copy(update=changes)
        changed = frozenset(new_warnings(in_force, wanted))
        rules = {
            name: _compiled(compiled, rule, wanted)
            for name, rule in wanted.rules.items()
            if rule.mode == "live"
        }
        found = backtest.load(caller.tenant_id, wanted, rules, asked.weeks, doors.clock.now())
        limits = {name: one.alert_budget for name, one in wanted.engagement_models.items()}
        days = (found.end - found.start).days + 1
        closes = _closes(terms_of(wanted), found)
        loads = budgets(found.episodes, changed, limits, found.first, days, closes)
        return {
            "start": found.start,
            "end": found.end,
            "changed": sorted(changed),
            "recorded": [{"rule": name, "since": since} for name, since in found.recorded.items()],
            "not_replayed": [{"rule": name, "reason": why} for name, why in found.not_replayed.items()],
            "loads": [_view(one) for one in loads],
            "over": any(one.is_over for one in loads),
        }

    return router


def _compiled(compiled: Compiled, rule: models.Rule, catalogue: models.Catalogue) -> Rule:
    try:
        return compiled(rule, catalogue.signals)
    except (ValueError, KeyError) as error:
        raise Rejected("rule-invalid", f"the rule {rule.name} can't be used: {error}") from error


def _closes(terms: Terms, found: RuleLoad) -> Closes:
    """By the working days that `alerting.yaml` says."""
    first_day = found.start - dt.timedelta(days=found.first)

    def closes(day: int) -> int:
        ended = first_day + dt.timedelta(days=day)
        return (terms.calendar.nth_working_day(ended, terms.closes_after_healthy_days) - first_day).days

    return closes


def _view(one: Budget) -> dict[str, Any]:
    return {
        "engagement_model": one.model,
        "owner": one.owner,
        "budget": one.limit,
        "per_week": one.per_week,
        "before": one.before,
        "busiest_week": one.busiest_week,
        "over": one.is_over,
        "rules": [{"rule": rule, "per_week": per_week} for rule, per_week in one.rules],
    }
