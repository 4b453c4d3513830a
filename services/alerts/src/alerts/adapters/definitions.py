"""Tenants' rules and routes in force, compiled once per version; receivers that files name are kept as rows beside those made by API."""

import re
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any

import psycopg

from alerts.adapters.terms import rotations_of, steps_of, team_of, terms_of
from alerts.domain.routing import Route
from alerts.domain.rules import Condition, Rule
from alerts.domain.targets import DEFAULT_URLS
from alerts.ports.records import Contacts, Definitions
from common import evidence
from common.catalogue import cel, models, store
from common.catalogue.signals import Signal
from common.catalogue.staff import left_out
from common.logs import get_logger
from common.tracking.reads import of_condition

log = get_logger("definitions")
Connection = psycopg.Connection[tuple[Any, ...]]
# How long a new version of a tenant's definitions may go unseen.
TRUST_SECONDS = 1.0
_PART = re.compile(r"\bs\.[a-z][a-z0-9_]*\.([a-z]+)")
_FIGURE = re.compile(r"\ba\.([a-z][a-z0-9_]*)")
_ASKED_FOR = re.compile(r"\bhas\((?:a\.([a-z][a-z0-9_]*)|(s\.[a-z][a-z0-9_]*)\.on)\)")
# Variables that a receivers file may take its secrets from; anything else of the environment is none of its business.
SECRET_PREFIX = "ALERTS_SECRET_"  # noqa: S105 - a name


class DefinitionStore:
    """Safe to use from many threads. `current` looks at a tenant's version every `trust_seconds` at most, `newest` each time."""

    def __init__(self, trust_seconds: float = TRUST_SECONDS) -> None:
        self._trust_seconds = trust_seconds
        self._lock = threading.Lock()
        self._unreadable: dict[int, int] = {}
        self._known: dict[int, tuple[float, Definitions | None]] = {}

    def current(self, connection: Connection, tenant_id: int) -> Definitions | None:
        """None before the tenant's first `apply`."""
        with self._lock:
            known = self._known.get(tenant_id)
        if known is not None and time.monotonic() - known[0] < self._trust_seconds:
            return known[1]
        return self._take(connection, tenant_id, store.current_version(connection, tenant_id))

    def newest(self, connection: Connection, tenant_ids: Collection[int]) -> dict[int, Definitions | None]:
        """What is in force at this moment. Who decides needs it: a rule that was there before an event must be asked about it, for nobody asks again."""
        versions = store.current_versions(connection, tenant_ids)
        return {
            tenant_id: self._take(connection, tenant_id, versions.get(tenant_id)) for tenant_id in tenant_ids
        }

    def _take(self, connection: Connection, tenant_id: int, version: int | None) -> Definitions | None:
        with self._lock:
            known = self._known.get(tenant_id)
        found = known[1] if known is not None else None
        is_new = version is not None and (found is None or found.version != version)
        if version is not None and is_new and self._unreadable.get(tenant_id) != version:
            found = self._read(connection, tenant_id, version, found)
        with self._lock:
            self._known[tenant_id] = (time.monotonic(), found)
        return found

    def _read(
        self, connection: Connection, tenant_id: int, version: int, before: Definitions | None
    ) -> Definitions | None:
        """One tenant's definitions that this release can't read keep the former ones in force, and stop nobody else."""
        try:
            catalogue = store.current(connection, tenant_id)
            assert catalogue is not None
            found = definitions_of(tenant_id, version, catalogue)
        except ValueError as error:
            self._unreadable[tenant_id] = version
            log.warning(
                "definitions_unreadable", tenant_id=tenant_id, version=version, error=str(error)[:500]
            )
            return before
        with connection.transaction():
            _keep_receivers(connection, tenant_id, catalogue.routing.receivers)
        log.info("definitions_read", tenant_id=tenant_id, version=version, rules=len(catalogue.rules))
        return found


def definitions_of(tenant_id: int, version: int, catalogue: models.Catalogue) -> Definitions:
    roots = cel.Roots()
    rules = {name: compile_rule(rule, catalogue.signals, roots) for name, rule in catalogue.rules.items()}
    routes = tuple(_route(route) for route in catalogue.routing.routes)
    return Definitions(
        tenant_id,
        version,
        rules,
        routes,
        catalogue.settings.currency,
        terms_of(catalogue),
        team_of(catalogue),
        rotations_of(catalogue),
        {
            name: of_condition(catalogue, rule.condition, rule.resolve)
            for name, rule in catalogue.rules.items()
        },
        catalogue.row_origins().get("active_users"),
        _contacts(catalogue),
    )


def _contacts(catalogue: models.Catalogue) -> Contacts | None:
    measure = catalogue.measures.get("contacts")
    if measure is None:
        return None
    return Contacts(catalogue.origin_of(measure.name), "two_way" not in left_out(measure, catalogue))


def compile_rule(
    rule: models.Rule, signals: Mapping[str, Signal] | None = None, roots: cel.Roots | None = None
) -> Rule:
    """Raises ValueError for a condition or a template that can't be used, so that it never fails where an account depends on it.

    `roots` are shared by rules that are asked of one account after the other.
    """
    shared = roots or cel.Roots()
    for template in (rule.evidence, rule.next_step):
        evidence.in_words(template, {})
    return Rule(
        name=rule.name,
        label=rule.label,
        description=rule.description,
        severity=rule.severity,
        inputs=_inputs(rule.condition),
        driven_by=rule.driven_by,
        pending_for=timedelta(seconds=rule.pending_seconds),
        recover_for=timedelta(seconds=rule.recover_seconds),
        template=rule.evidence,
        next_step=rule.next_step,
        holds=_condition(rule.condition, shared),
        recovers=_condition(rule.resolve, shared) if rule.resolve else None,
        applies=_condition(rule.applies_to, shared) if rule.applies_to else None,
        optional=frozenset(figure or signal for figure, signal in _ASKED_FOR.findall(rule.condition)),
        queue=rule.queue,
        hard=rule.hard,
        playbook=steps_of(rule.playbook),
        is_shadow=rule.mode == "shadow",
        signals={name: signals[name] for name in cel.signals_read(rule.condition)} if signals else {},
        reads_values=any(part != "on" for text in _texts(rule) for part in _PART.findall(text)),
        definition=rule.model_dump(mode="json", exclude_defaults=True),
    )


def _texts(rule: models.Rule) -> list[str]:
    return [text for text in (rule.condition, rule.resolve, rule.applies_to) if text]


def _inputs(condition: str) -> tuple[str, ...]:
    figures = set(_FIGURE.findall(condition)) - {"traits"}
    return (*sorted(figures), *(f"{cel.SIGNALS}.{name}" for name in cel.signals_read(condition)))


def _condition(source: str, roots: cel.Roots) -> Condition:
    compiled = cel.compile_account(source)
    return lambda figures, traits: compiled.for_account(figures, traits, roots)


def _route(route: models.Route) -> Route:
    match = route.match
    return Route(
        frozenset(route.receivers),
        frozenset(match.severity),
        frozenset(match.owner),
        frozenset(match.segment),
        frozenset(match.rule),
        route.and_on,
        route.owner,
        route.on_call,
    )


_KEEP = """
insert into alerts.receiver as r (tenant_id, name, origin, kind, target, secrets, events, allow_private, channel, person)
values (%(tenant)s, %(name)s, 'file', %(kind)s, %(target)s, %(secrets)s, %(events)s, %(allow_private)s, %(channel)s, %(person)s)
on conflict (tenant_id, name) do update set origin = 'file', kind = excluded.kind, target = excluded.target, secrets = excluded.secrets,
  events = excluded.events, allow_private = excluded.allow_private, channel = excluded.channel, person = excluded.person,
  disabled_at = case when (r.target, r.channel, r.secrets) is not distinct from (excluded.target, excluded.channel, excluded.secrets) then r.disabled_at end,
  disabled_reason = case when (r.target, r.channel, r.secrets) is not distinct from (excluded.target, excluded.channel, excluded.secrets)
    then r.disabled_reason end
where (r.origin, r.kind, r.target, r.secrets, r.events, r.allow_private, r.channel, r.person)
  is distinct from ('file', excluded.kind, excluded.target, excluded.secrets, excluded.events, excluded.allow_private, excluded.channel, excluded.person)
"""


def _keep_receivers(connection: Connection, tenant_id: int, receivers: Iterable[models.Receiver]) -> None:
    """A receiver that moved is tried again, one that only stayed is not; one that is no longer named gets nothing more."""
    names = []
    for receiver in receivers:
        names.append(receiver.name)
        values = {
            "tenant": tenant_id,
            "name": receiver.name,
            "kind": receiver.kind,
            "target": receiver.to
            if receiver.kind == "email"
            else receiver.url or DEFAULT_URLS[receiver.kind],
            "channel": receiver.channel,
            "person": receiver.person,
            "secrets": _secrets(receiver),
            "events": list(receiver.events),
            "allow_private": receiver.allow_private,
        }
        connection.execute(_KEEP, values)
    connection.execute(
        "update alerts.notification set status = 'failed', reason = 'receiver-deleted' where tenant_id = %s and status = 'pending' "
        "and receiver_id in (select id from alerts.receiver where tenant_id = %s and origin = 'file' and name <> all(%s))",
        (tenant_id, tenant_id, names),
    )
    connection.execute(
        "delete from alerts.receiver where tenant_id = %s and origin = 'file' and name <> all(%s)",
        (tenant_id, names),
    )


def _secrets(receiver: models.Receiver) -> list[str]:
    if receiver.secret_env is not None:
        return [f"env:{receiver.secret_env}"]
    return [receiver.secret] if receiver.secret is not None else []
