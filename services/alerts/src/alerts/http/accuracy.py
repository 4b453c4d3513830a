"""`/v1/rules/{name}/record` and `/v1/accuracy`: how often rules, bands of health and scores were right, counted and named."""

import datetime as dt
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from alerts.domain.record import plain
from alerts.http.doors import Doors
from alerts.http.record_views import PartedRecordView, accounts_of, named
from alerts.ports.accuracy import Kind
from alerts.use_cases.measure import By, Measure, Told
from common.auth.keys import Principal

KindName = Literal["rule", "health", "risk"]


class PartView(PartedRecordView):
    key: str | None = Field(description="the segment or the month; null for accounts without a segment")


class FullRecordView(PartedRecordView):
    kind: KindName
    name: str
    since: dt.date = Field(description="the first day that counts")
    watched_since: dt.datetime = Field(description="before it, what would have been warned of was replayed")
    to: dt.date
    horizon_days: int
    reads_silence: bool = Field(
        description="it watches use itself, so accounts that were closed because nobody used them prove nothing"
    )
    note: str | None = Field(description="what is to be known of the replayed past, or why there is none")
    parts: list[PartView] | None = None


class MonthView(BaseModel):
    month: str
    frozen_at: dt.datetime
    as_reported: PartedRecordView = Field(
        description="as it was published at the end of that month; never changed"
    )
    as_known_now: PartedRecordView | None = Field(
        description="the same warnings as they are known today; null when the definition is another one now"
    )


class MonthList(BaseModel):
    data: list[MonthView]


class SummaryView(BaseModel):
    kind: KindName
    name: str
    words: str
    verdicts: int


class SummaryList(BaseModel):
    data: list[SummaryView]


Parted = Annotated[By | None, Query(description="the same for each of these, as `parts`")]


def accuracy_router(doors: Doors, measure: Measure) -> APIRouter:
    router = APIRouter(tags=["accuracy"])

    @router.get("/v1/accuracy", response_model=SummaryList)
    def list_records(caller: Annotated[Principal, Depends(doors.read)]) -> Any:
        """What is known of everything that is judged, in words; made anew every hour."""
        return {"data": measure.store.summaries(caller.tenant_id)}

    @router.get("/v1/rules/{name}/record", response_model=FullRecordView)
    def rule_record(caller: Annotated[Principal, Depends(doors.read)], name: str, by: Parted = None) -> Any:
        """How often the rule was right as it is defined now, from what was known then, as far as is known today."""
        return _record(measure, caller.tenant_id, "rule", name, by, doors.clock.now())

    @router.get("/v1/rules/{name}/record/months", response_model=MonthList)
    def rule_months(caller: Annotated[Principal, Depends(doors.read)], name: str) -> Any:
        """What was published at the end of each month beside what is known now."""
        return _months(measure, caller.tenant_id, "rule", name, doors.clock.now())

    @router.get("/v1/accuracy/{kind}/{name}", response_model=FullRecordView)
    def one_record(
        caller: Annotated[Principal, Depends(doors.read)], kind: KindName, name: str, by: Parted = None
    ) -> Any:
        """The record of a rule, of entering a band of health, or of a score of risk."""
        return _record(measure, caller.tenant_id, kind, name, by, doors.clock.now())

    @router.get("/v1/accuracy/{kind}/{name}/months", response_model=MonthList)
    def months(caller: Annotated[Principal, Depends(doors.read)], kind: KindName, name: str) -> Any:
        return _months(measure, caller.tenant_id, kind, name, doors.clock.now())

    return router


def _record(
    measure: Measure, tenant_id: int, kind: Kind, name: str, by: By | None, now: dt.datetime
) -> dict[str, Any]:
    told = measure.of(tenant_id, kind, name, now)
    whole = plain(told.records)
    names = measure.store.account_names(tenant_id, accounts_of([whole]))
    found = {**_about(told), **named(whole, names)}
    if by is not None:
        found["parts"] = [{"key": key, **named(plain(its), names)} for key, its in told.parts(by).items()]
    return found


def _about(told: Told) -> dict[str, Any]:
    return {
        "kind": told.subject.kind,
        "name": told.subject.name,
        "since": told.span.start,
        "watched_since": told.subject.since,
        "to": told.span.end,
        "horizon_days": told.horizon.days,
        "reads_silence": told.subject.reads_silence,
        "note": told.note,
    }


def _months(measure: Measure, tenant_id: int, kind: Kind, name: str, now: dt.datetime) -> dict[str, Any]:
    found = measure.months(tenant_id, kind, name, now)
    told = [one.frozen.record for one in found] + [one.now for one in found if one.now is not None]
    names = measure.store.account_names(tenant_id, accounts_of(told))
    return {
        "data": [
            {
                "month": one.frozen.month.strftime("%Y-%m"),
                "frozen_at": one.frozen.frozen_at,
                "as_reported": named(one.frozen.record, names),
                "as_known_now": None if one.now is None else named(one.now, names),
            }
            for one in found
        ]
    }
