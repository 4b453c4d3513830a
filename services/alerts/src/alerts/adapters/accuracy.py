"""What warnings were given and what came of the accounts, from our tables and the published views."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb

from alerts.adapters.meanings import meanings
from alerts.adapters.sql import statements
from alerts.domain.accuracy import Work
from alerts.domain.judging import Episode, Outcomes
from alerts.ports.accuracy import Fall, Frozen, Kind, Meaning, Replay, Summary
from common.catalogue import store
from common.catalogue.models import Catalogue
from common.clock import Clock
from common.db.pool import Pool, borrow
from common.figures.mrr import Change
from common.figures.rates import Rates

# What people give as the reason when they close an account that nobody uses.
UNUSED = frozenset({"inactivity", "inactive", "unused", "no_usage"})
# What makes a rule another rule: its words, its steps and whom it tells may change without its record ending.
_MEANING = ("condition", "resolve", "applies_to", "pending_seconds", "recover_seconds", "driven_by")
_SIGNAL = re.compile(r"\bs\.([a-z][a-z0-9_]*)")


class PostgresAccuracy:
    """`AccuracyStore` on PostgreSQL."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool, self._clock = pool, clock
        self._sql = statements()

    def catalogue(self, tenant_id: int) -> Catalogue | None:
        with borrow(self._pool) as connection:
            return store.current(connection, tenant_id)

    def watched_since(self, tenant_id: int) -> Mapping[str, tuple[str, datetime]]:
        return watched_since(self._rows("rule_versions", tenant=tenant_id))

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
        work: defaultdict[str, defaultdict[int, list[Work]]] = defaultdict(lambda: defaultdict(list))
        for account_id, queue, opened_at, resolved_at in self._rows("open_times", tenant=tenant_id):
            work[queue][account_id].append((opened_at, resolved_at))
        traits: defaultdict[int, list[tuple[datetime, str, Any]]] = defaultdict(list)
        for account_id, *said in self._rows("owners_and_segments", tenant=tenant_id):
            traits[account_id].append((said[0], said[1], said[2]))
        settings = catalogue.settings
        rates = Rates.of(settings.currency, self._rows("rates", tenant=tenant_id, home=settings.currency))
        verdicts = self._rows("verdicts", tenant=tenant_id)
        said_of = {case_id: real for case_id, real in verdicts if real is not None}
        return Outcomes(
            ZoneInfo(settings.timezone),
            changes,
            {a: frozenset(at) for a, at in unused.items()},
            work["risk"],
            work["growth"],
            said_of,
            traits,
            rates,
        )

    def tenants(self) -> list[int]:
        return [tenant for (tenant,) in self._rows("measured_tenants", now=self._clock.now())]

    def mark(self, tenant_id: int) -> str:
        return str(self._rows("mark", tenant=tenant_id)[0][0])

    def past_of(self, tenant_id: int) -> str:
        return str(self._rows("past_of", tenant=tenant_id)[0][0])

    def health_and_risk(self, tenant_id: int) -> tuple[Meaning, Meaning]:
        return meanings(self._rows("score_versions", tenant=tenant_id))

    def bands(self, tenant_id: int, since: int) -> tuple[datetime, list[Fall]] | None:
        rows = self._rows("bands", tenant=tenant_id, version=since)
        return (rows[0][4], [Fall(*row[:4]) for row in rows if row[5]]) if rows else None

    def risks(self, tenant_id: int, since: int) -> Mapping[str, tuple[datetime, list[Episode]]]:
        found: dict[str, tuple[datetime, list[Episode]]] = {}
        for account_id, at, made_by, rose, begun, of in self._rows("risks", tenant=tenant_id, version=since):
            rises = found.setdefault(made_by, (begun, []))[1]
            if rose:
                rises.append(Episode(account_id, at, "live", f"risk {made_by}", subscription=of))
        return found

    def replays(self, tenant_id: int) -> Mapping[str, Replay]:
        found = {}
        for rule, its, through, past, warnings, since, note in self._rows("replays", tenant=tenant_id):
            said = [(account_id, datetime.fromisoformat(at)) for account_id, at in warnings]
            found[rule] = Replay(rule, its, through, past, said, since, note)
        return found

    def save_replay(self, tenant_id: int, replay: Replay, now: datetime) -> None:
        self._do(
            "save_replay",
            tenant=tenant_id,
            rule=replay.rule,
            fingerprint=replay.fingerprint,
            through=replay.through,
            past=replay.past,
            warnings=Jsonb([[account_id, at.isoformat()] for account_id, at in replay.warnings]),
            since=replay.since,
            note=replay.note,
            now=now,
        )

    def summaries(self, tenant_id: int) -> list[Summary]:
        return [Summary(*row) for row in self._rows("summaries", tenant=tenant_id)]

    def save_summaries(self, tenant_id: int, summaries: Sequence[Summary], now: datetime) -> None:
        columns = {
            "kinds": [one.kind for one in summaries],
            "names": [one.name for one in summaries],
            "words": [one.words for one in summaries],
            "verdicts": [one.verdicts for one in summaries],
        }
        self._do("drop_summaries", tenant=tenant_id, kinds=columns["kinds"], names=columns["names"])
        self._do("save_summaries", tenant=tenant_id, now=now, **columns)

    def freeze(self, tenant_id: int, frozen: Frozen) -> None:
        self._do(
            "freeze",
            tenant=tenant_id,
            kind=frozen.kind,
            name=frozen.name,
            month=frozen.month,
            fingerprint=frozen.fingerprint,
            record=Jsonb(frozen.record),
            at=frozen.frozen_at,
        )

    def frozen(self, tenant_id: int, kind: Kind, name: str) -> list[Frozen]:
        return [Frozen(*row) for row in self._rows("frozen", tenant=tenant_id, kind=kind, name=name)]

    def months_frozen(self, tenant_id: int, month: date) -> set[tuple[str, str]]:
        return {(kind, name) for kind, name in self._rows("months_frozen", tenant=tenant_id, month=month)}

    def account_names(self, tenant_id: int, account_ids: Sequence[int]) -> dict[int, str]:
        return dict(self._rows("names_of", tenant=tenant_id, ids=list(account_ids)))

    def _do(self, name: str, /, **values: Any) -> None:
        with borrow(self._pool) as connection:
            connection.execute(self._sql[name], values)

    def _rows(self, name: str, /, **values: Any) -> list[tuple[Any, ...]]:
        with borrow(self._pool) as connection:
            return list(connection.execute(self._sql[name], values).fetchall())


def watched_since(versions: Iterable[tuple[Any, ...]]) -> dict[str, tuple[str, datetime]]:
    """Of the rows of `rule_versions`, as the port says."""
    found: dict[str, tuple[str, datetime]] = {}
    for _, applied_at, rules, signals in versions:
        now = {name: fingerprint(rule, signals or {}) for name, rule in (rules or {}).items()}
        found = {
            name: found[name] if name in found and found[name][0] == its else (its, applied_at)
            for name, its in now.items()
        }
    return found


def fingerprint(rule: Mapping[str, Any], signals: Mapping[str, Any]) -> str:
    """Of what a rule means: its condition and times, and the definitions of the signals that it names."""
    meaning = {name: rule.get(name) for name in _MEANING}
    text = json.dumps(meaning, sort_keys=True)
    named = {name: signals.get(name) for name in sorted(set(_SIGNAL.findall(text)))}
    return hashlib.sha256((text + json.dumps(named, sort_keys=True)).encode()).hexdigest()[:16]
