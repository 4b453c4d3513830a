"""`POST /v1/rules/{name}/backtest`: what a rule would have said of the past, and how often it would have been right."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from alerts.domain.accuracy import Share, Verdict, lead, share
from alerts.domain.rules import Rule
from alerts.domain.tally import by_week, loads
from alerts.http.doors import Doors
from alerts.use_cases.backtest import Backtest, Question, Replayed, Warned
from common.auth.keys import Principal
from common.catalogue import models
from common.catalogue.signals import Signal
from common.errors import NotFound, Rejected

MOST_WARNINGS = 1_000
Compiled = Callable[[models.Rule, Mapping[str, Signal]], Rule]


class BacktestRequest(BaseModel):
    """All may be left out: the rule in force over the whole past."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    start: dt.date | None = Field(None, alias="from", description="first local day; the first there is")
    end: dt.date | None = Field(None, alias="to", description="last local day, included; today")
    horizon_days: int = Field(
        90, ge=1, le=730, description="how long after a warning a churn counts as foretold by it"
    )
    definition: models.Rule | None = Field(
        None, description="a rule that is not in force yet, as in its file; its name is that of the address"
    )


class KnownView(BaseModel):
    by_arrival: int
    by_recorded_time: int
    assumed: int = Field(
        description="came in a load of history without `recordedtime`: taken as known when they happened"
    )


class WarningView(BaseModel):
    account: str
    owner: str | None
    start: dt.date = Field(serialization_alias="from")
    end: dt.date | None = Field(serialization_alias="to")
    evidence: str
    verdict: str = Field(description="caught, repeat, false, late, after, unjudged, open")
    days_before: float | None


class MissedView(BaseModel):
    account: str
    owner: str | None
    decided_on: dt.date


class WeekView(BaseModel):
    week: dt.date = Field(description="its Monday")
    warnings: int


class LoadView(BaseModel):
    owner: str | None
    warnings: int
    per_week: float
    busiest_week: int


class ShareView(BaseModel):
    value: float | None
    low: float | None = Field(description="of the interval that holds the true share in 95 of 100 cases")
    high: float | None
    n: int
    note: str | None = Field(description="`not known yet` below 20 verdicts")


class DaysView(BaseModel):
    least: float | None
    median: float | None
    most: float | None
    n: int


class AccuracyView(BaseModel):
    """`repeat`: further warnings of the same; `late`: after the notice deadline; `after`: of accounts that had decided to leave;

    `unjudged`: of accounts without a contract, or that left by the silence which the rule watches; `open`: nobody knows yet.
    """

    caught: list[str]
    missed: list[MissedView]
    false: list[str]
    repeat: int
    late: int
    after: int
    unjudged: int
    open: list[str]
    precision: ShareView
    recall: ShareView
    days_before: DaysView


class BacktestView(BaseModel):
    rule: str
    start: dt.date = Field(serialization_alias="from")
    end: dt.date = Field(serialization_alias="to")
    horizon_days: int
    accounts: int
    events_known: KnownView
    warnings: list[WarningView]
    warnings_left_out: int
    weeks: list[WeekView]
    load: list[LoadView]
    accuracy: AccuracyView


def backtest_router(doors: Doors, backtest: Backtest, compiled: Compiled) -> APIRouter:
    """`compiled` raises ValueError for a rule that can't be used."""
    router = APIRouter(prefix="/v1/rules", tags=["rules"])

    def rule_of(name: str, draft: models.Rule | None, catalogue: models.Catalogue) -> Rule:
        found = draft or catalogue.rules.get(name)
        if found is None:
            raise NotFound("rule-unknown", f"there is no rule {name[:80]!r}; GET /v1/rules lists them")
        if found.name != name:
            raise Rejected(
                "rule-invalid", f"the definition is of {found.name!r}, and the address says {name[:80]!r}"
            )
        try:
            return compiled(found, catalogue.signals)
        except (ValueError, KeyError) as error:
            raise Rejected("rule-invalid", f"the rule can't be used: {error}") from error

    @router.post("/{name}/backtest", response_model=BacktestView)
    def replay_rule(
        caller: Annotated[Principal, Depends(doors.read)], name: str, asked: BacktestRequest
    ) -> Any:
        """Replays the rule day by day over what was known then. Nothing is opened and nobody is told."""
        catalogue = backtest.history.catalogue(caller.tenant_id)
        if catalogue is None:
            raise NotFound("catalogue-missing", "no definitions are in force; run `bellwether apply`")
        rule = rule_of(name, asked.definition, catalogue)
        question = Question(rule, asked.start, asked.end, dt.timedelta(days=asked.horizon_days))
        return _view(rule, asked, backtest.run(caller.tenant_id, catalogue, question, doors.clock.now()))

    return router


def _view(rule: Rule, asked: BacktestRequest, done: Replayed) -> BacktestView:
    days = [one.from_day for one in done.warned]
    owners = [(one.owner, one.from_day) for one in done.warned]
    found = loads(owners, done.start, done.end)
    return BacktestView(
        rule=rule.name,
        start=done.start,
        end=done.end,
        horizon_days=asked.horizon_days,
        accounts=done.accounts,
        events_known=KnownView.model_validate(done.known, from_attributes=True),
        warnings=[_warning(one) for one in done.warned[:MOST_WARNINGS]],
        warnings_left_out=max(len(done.warned) - MOST_WARNINGS, 0),
        weeks=[WeekView(week=week, warnings=count) for week, count in by_week(days, done.start, done.end)],
        load=[LoadView.model_validate(one, from_attributes=True) for one in found],
        accuracy=_accuracy(done),
    )


def _warning(one: Warned) -> WarningView:
    return WarningView(
        account=one.account,
        owner=one.owner,
        start=one.from_day,
        end=one.to_day,
        evidence=one.evidence,
        verdict=one.verdict.value,
        days_before=one.days_before,
    )


def _accuracy(done: Replayed) -> AccuracyView:
    caught, false = _accounts(done.warned, Verdict.CAUGHT), _accounts(done.warned, Verdict.FALSE)
    days = lead(one.days_before for one in done.warned if one.days_before is not None)
    return AccuracyView(
        caught=caught,
        missed=[MissedView.model_validate(one, from_attributes=True) for one in done.missed],
        false=false,
        repeat=len(_accounts(done.warned, Verdict.REPEAT)),
        late=len(_accounts(done.warned, Verdict.LATE)),
        after=len(_accounts(done.warned, Verdict.AFTER)),
        unjudged=len(_accounts(done.warned, Verdict.UNJUDGED)),
        open=_accounts(done.warned, Verdict.OPEN),
        precision=_share(share(len(caught), len(caught) + len(false))),
        recall=_share(share(len(caught), len(caught) + len(done.missed))),
        days_before=DaysView.model_validate(days, from_attributes=True),
    )


def _accounts(warned: Sequence[Warned], verdict: Verdict) -> list[str]:
    """One entry a warning, so an account may stand there more than once."""
    return [one.account for one in warned if one.verdict is verdict]


def _share(found: Share) -> ShareView:
    return ShareView.model_validate(found, from_attributes=True)
