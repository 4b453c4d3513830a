"""Rows of schema alerts to and from the domain's records."""

from datetime import datetime
from typing import Any

from alerts.domain.cases import Case, Origin, Resolution, Status
from alerts.domain.episodes import Episode, Reason, State
from alerts.domain.priority import Paging
from alerts.domain.routing import Target
from alerts.domain.rules import with_signals
from alerts.ports.records import Account, Alert, Notification

ALERT_COLUMNS = (
    "id, tenant_id, account_id, rule, label, severity, evidence, figures, case_id, mode, state, reason, since_at, fired_at, "
    "recovering_since, no_data_since, ended_at, due_at"
)
CASE_COLUMNS = (
    "id, tenant_id, account_id, status, origin, severity, opened_at, updated_at, acknowledged_at, acknowledged_by, assignee, "
    "snoozed_until, recovered_at, resolved_at, resolution, told_severity, told_rules, untold, queue, probability, probability_from, "
    "money_at_risk, notice_deadline, priority, paging, paged_at, held, touched_at, lapsed_at, due_at, parent, family"
)

_TRAITS = {"account_name": "name", "owner": "owner", "segment": "segment"}
_SHOWN = (
    "id account_id status queue origin severity account mrr account_name owner segment opened_at updated_at acknowledged_at acknowledged_by assignee "
    "responsible snoozed_until recovered_at resolved_at resolution real probability probability_from money_at_risk notice_deadline priority "
    "paging paged_at held told_rules lapsed_at due_at parent family"
)
CASE_VIEW = {
    name: f"c.traits ->> '{_TRAITS[name]}'" if name in _TRAITS else f'c."{name}"' for name in _SHOWN.split()
}
"""A case as the routes show it: field -> expression over `alerts.v_any_case c`."""

Row = tuple[Any, ...]


def account_of(row: Row) -> Account:
    account_id, tenant_id, name, traits, figures, mrr, newest_ingest_at, computed_at, signals = row
    return Account(
        account_id,
        tenant_id,
        name,
        traits or {},
        with_signals(figures or {}, signals or {}),
        mrr,
        newest_ingest_at,
        computed_at,
    )


def alert_of(row: Row) -> Alert:
    (alert_id, tenant_id, account_id, rule, label, severity, evidence, figures, case_id, mode), rest = (
        row[:10],
        row[10:],
    )
    episode = Episode(State(rest[0]), Reason(rest[1]), *rest[2:])
    is_shadow = mode == "shadow"
    return Alert(
        alert_id, tenant_id, account_id, rule, label, severity, episode, evidence, figures, case_id, is_shadow
    )


def alert_values(alert: Alert, now: datetime) -> dict[str, Any]:
    episode = alert.episode
    return {
        "id": alert.id,
        "tenant_id": alert.tenant_id,
        "account_id": alert.account_id,
        "rule": alert.rule,
        "label": alert.label,
        "severity": alert.severity,
        "evidence": alert.evidence,
        "figures": dict(alert.figures),
        "case_id": alert.case_id,
        "mode": "shadow" if alert.is_shadow else "live",
        "state": episode.state.value,
        "reason": episode.reason.value,
        "since_at": episode.since_at,
        "fired_at": episode.fired_at,
        "recovering_since": episode.recovering_since,
        "no_data_since": episode.no_data_since,
        "ended_at": episode.ended_at,
        "due_at": episode.due_at,
        "updated_at": now,
    }


def case_of(row: Row) -> Case:
    values = dict(zip(CASE_COLUMNS.split(", "), row, strict=True))
    values["status"] = Status(values["status"])
    values["origin"] = Origin(values["origin"])
    values["resolution"] = Resolution(values["resolution"]) if values["resolution"] else None
    values["told_rules"] = tuple(values["told_rules"])
    values["paging"] = Paging(values["paging"])
    return Case(**values)


def case_values(case: Case) -> dict[str, Any]:
    values = {name: getattr(case, name) for name in CASE_COLUMNS.split(", ")}
    values["status"] = case.status.value
    values["origin"] = case.origin.value
    values["resolution"] = case.resolution.value if case.resolution else None
    values["told_rules"] = list(case.told_rules)
    values["paging"] = case.paging.value
    return values


def target_of(row: Row) -> Target:
    receiver_id, name, events, min_severity, disabled, kind = row
    return Target(receiver_id, name, frozenset(events), min_severity, disabled, kind)


def notification_values(notification: Notification) -> dict[str, Any]:
    return {
        "id": notification.id,
        "tenant_id": notification.tenant_id,
        "receiver_id": notification.receiver_id,
        "case_id": notification.case_id,
        "type": notification.type.value,
        "body": notification.body,
        "created_at": notification.created_at,
        "occasion": notification.occasion,
    }
