"""`/v1/rules/{name}/record`: how often a rule was right, counted and named."""

import datetime as dt
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from alerts.http.doors import Doors
from alerts.http.record_views import PartedRecordView, accounts_of, record_view
from alerts.use_cases.measure import Measure, Told
from common.auth.keys import Principal


class PartView(PartedRecordView):
    key: str | None = Field(description="the segment or the month; null for accounts without a segment")


class RuleRecordView(PartedRecordView):
    rule: str
    since: dt.date = Field(description="the first day that counts")
    to: dt.date
    horizon_days: int
    parts: list[PartView] | None = None


def accuracy_router(doors: Doors, measure: Measure) -> APIRouter:
    router = APIRouter(tags=["accuracy"])

    @router.get("/v1/rules/{name}/record", response_model=RuleRecordView)
    def rule_record(
        caller: Annotated[Principal, Depends(doors.read)],
        name: str,
        by: Annotated[
            Literal["segment", "month"] | None, Query(description="the same for each of these, as `parts`")
        ] = None,
    ) -> Any:
        """How often the rule was right since it is in force as it is, from what was known then, as far as is known today."""
        told = measure.of_rule(caller.tenant_id, name, doors.clock.now())
        return {"rule": name, **_view(measure, caller.tenant_id, told, by)}

    return router


def _view(
    measure: Measure, tenant_id: int, told: Told, by: Literal["segment", "month"] | None
) -> dict[str, Any]:
    whole = told.records
    names = measure.store.account_names(tenant_id, sorted(accounts_of(whole)))
    found: dict[str, Any] = {
        "since": told.span.start,
        "to": told.span.end,
        "horizon_days": told.horizon.days,
        **record_view(whole, names),
    }
    if by is not None:
        found["parts"] = [{"key": key, **record_view(its, names)} for key, its in told.parts(by).items()]
    return found
