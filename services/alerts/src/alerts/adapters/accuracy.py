"""What warnings were given and what came of the accounts, from our tables and the published views."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from alerts.adapters.sql import statements
from alerts.domain.accuracy import Work
from alerts.domain.judging import Episode, Outcomes
from common.catalogue import store
from common.catalogue.models import Catalogue
from common.db.pool import Pool, borrow
from common.figures.mrr import Change

# What people give as the reason when they close an account that nobody uses.
UNUSED = frozenset({"inactivity", "inactive", "unused", "no_usage"})
# What makes a rule another rule: its words, its steps and whom it tells may change without its record ending.
_MEANING = ("condition", "resolve", "applies_to", "pending_seconds", "recover_seconds", "driven_by")
_SIGNAL = re.compile(r"\bs\.([a-z][a-z0-9_]*)")


class PostgresAccuracy:
    """`AccuracyStore` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._sql = statements()

    def catalogue(self, tenant_id: int) -> Catalogue | None:
        with borrow(self._pool) as connection:
            return store.current(connection, tenant_id)

    def watched_since(self, tenant_id: int) -> Mapping[str, tuple[str, datetime]]:
        found: dict[str, tuple[str, datetime]] = {}
        for _, applied_at, rules, signals in self._rows("rule_versions", tenant=tenant_id):
            now = {name: fingerprint(rule, signals or {}) for name, rule in (rules or {}).items()}
            found = {
                name: found[name] if name in found and found[name][0] == its else (its, applied_at)
                for name, its in now.items()
            }
        return found

    def episodes(self, tenant_id: int) -> list[Episode]:
        return [
            Episode(account_id, at, mode, rule, case_id, withdrawn)
            for account_id, at, mode, rule, case_id, withdrawn in self._rows(
                "fired_episodes", tenant=tenant_id
            )
        ]

    def outcomes(self, tenant_id: int, catalogue: Catalogue) -> Outcomes:
        changes: defaultdict[int, list[Change]] = defaultdict(list)
        unused: defaultdict[int, set[datetime]] = defaultdict(set)
        for account_id, *values, reason in self._rows("contracts", tenant=tenant_id):
            change = Change(*values)
            changes[account_id].append(change)
            if change.kind == "cancelled" and str(reason).lower() in UNUSED:
                unused[account_id].add(change.event_at)
        work: defaultdict[int, list[Work]] = defaultdict(list)
        for account_id, opened_at, resolved_at in self._rows("open_times", tenant=tenant_id):
            work[account_id].append((opened_at, resolved_at))
        traits: defaultdict[int, list[tuple[datetime, str, Any]]] = defaultdict(list)
        for account_id, *said in self._rows("owners_and_segments", tenant=tenant_id):
            traits[account_id].append((said[0], said[1], said[2]))
        rates: defaultdict[str, list[Any]] = defaultdict(list)
        for currency, day, rate in self._rows("rates", tenant=tenant_id):
            rates[currency].append((day, rate))
        verdicts = self._rows("verdicts", tenant=tenant_id)
        said_of = {case_id: real for case_id, real in verdicts if real is not None}
        settings = catalogue.settings
        return Outcomes(
            settings.currency,
            ZoneInfo(settings.timezone),
            changes,
            {a: frozenset(at) for a, at in unused.items()},
            work,
            said_of,
            traits,
            rates,
        )

    def account_names(self, tenant_id: int, account_ids: Sequence[int]) -> dict[int, str]:
        return dict(self._rows("names_of", tenant=tenant_id, ids=list(account_ids)))

    def _rows(self, name: str, **values: Any) -> list[tuple[Any, ...]]:
        with borrow(self._pool) as connection:
            return list(connection.execute(self._sql[name], values).fetchall())


def fingerprint(rule: Mapping[str, Any], signals: Mapping[str, Any]) -> str:
    """Of what a rule means: its condition and times, and the definitions of the signals that it names."""
    meaning = {name: rule.get(name) for name in _MEANING}
    text = json.dumps(meaning, sort_keys=True)
    named = {name: signals.get(name) for name in sorted(set(_SIGNAL.findall(text)))}
    return hashlib.sha256((text + json.dumps(named, sort_keys=True)).encode()).hexdigest()[:16]
