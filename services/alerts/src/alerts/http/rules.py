"""`/v1/rules`: what is watched, as in the definitions in force."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from alerts.domain.rules import Rule
from alerts.http import models
from alerts.http.doors import Doors
from alerts.ports.accuracy import AccuracyStore
from alerts.ports.records import Definitions
from common.auth.keys import Principal
from common.errors import NotFound


def rules_router(doors: Doors, accuracy: AccuracyStore) -> APIRouter:
    router = APIRouter(prefix="/v1/rules", tags=["rules"])

    def in_force(caller: Principal) -> Definitions | None:
        with doors.ledger() as ledger:
            return ledger.definitions(caller.tenant_id)

    def words(caller: Principal) -> dict[str, str]:
        return {one.name: one.words for one in accuracy.summaries(caller.tenant_id) if one.kind == "rule"}

    @router.get("", response_model=models.RuleList)
    def list_rules(caller: Annotated[Principal, Depends(doors.read)]) -> Any:
        known = in_force(caller)
        rules = known.rules.values() if known else ()
        said = words(caller)
        data = [_view(rule, said.get(rule.name)) for rule in rules]
        return {"data": data, "version": known.version if known else None}

    @router.get("/{name}", response_model=models.RuleView)
    def one_rule(caller: Annotated[Principal, Depends(doors.read)], name: str) -> Any:
        known = in_force(caller)
        rule = known.rules.get(name) if known else None
        if rule is None:
            raise NotFound("rule-unknown", f"there is no rule {name[:80]!r}; GET /v1/rules lists them")
        return _view(rule, words(caller).get(name))

    return router


def _view(rule: Rule, record: str | None) -> models.RuleView:
    return models.RuleView(
        name=rule.name,
        label=rule.label,
        description=rule.description,
        severity=rule.severity,
        inputs=rule.inputs,
        driven_by=rule.driven_by,
        pending_seconds=rule.pending_for.total_seconds(),
        recover_seconds=rule.recover_for.total_seconds(),
        next_step=rule.next_step,
        mode="shadow" if rule.is_shadow else "live",
        queue=rule.queue,
        hard=rule.hard,
        definition=dict(rule.definition),
        record=record,
    )
