"""What signals are asked of, read for many accounts at once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from common.catalogue.staff import left_out
from common.signals.said import ANSWERS_COUNT_DAYS, CHAMPION_SEEN_DAYS, STEPS_COUNT, Answer, Step
from common.signals.states import Sources
from common.signals.weeks import YEAR_DAYS, Floats
from kpi_engine.adapters import signal_queries as sql
from kpi_engine.adapters.arrays import Int64s, int8s
from kpi_engine.adapters.kept import Kept
from kpi_engine.domain.buckets import day_number
from kpi_engine.domain.plan import Plan
from kpi_engine.domain.signal_facts import Champion, SignalFacts
from kpi_engine.domain.signal_plan import TODAY, kinds_of_counts
from kpi_engine.domain.signals import SignalInputs
from kpi_engine.ports.connection import Connection

_ACTIVE, _BEFORE_DAYS = "active_users_28d", 56
_KEY = "key_users_28d"
_PEOPLE = (_ACTIVE, _KEY)
_WINDOW = timedelta(days=27)  # before the day that the figure is of
_FRESH_SECONDS = 60.0
_decode: Any = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode


@dataclass(frozen=True, slots=True)
class _Newest:
    day: date
    until: datetime
    sources: Sources


class SignalReader:
    """Remembers for a minute which kinds of data a company has; those that it lacks are asked for anew, as any event may bring them."""

    def __init__(self) -> None:
        self._newest: dict[int, _Newest] = {}
        self._kept_silent: dict[int, frozenset[str]] = {}

    def read(
        self,
        conn: Connection,
        tenant_id: int,
        plan: Plan,
        kept: Kept,
        together: Mapping[tuple[str, str], Mapping[str, Floats]],
        accounts: Sequence[int],
        now: datetime,
    ) -> SignalInputs:
        its = _Reading(conn, tenant_id, plan, kept, accounts, now)
        sources = self._sources(its) if plan.signals.signals else Sources({})
        # Before anything was told it may have been by a process before this one.
        self._kept_silent[tenant_id] = self._kept_silent.get(tenant_id, its.names) | its.silent(sources)
        facts = its.facts(sources)
        return SignalInputs(
            facts=facts,
            days=its.days(sources, facts),
            first_day=its.first,
            whole_from=kept.all_whole_from(plan.signals.counted),
            a_year_ago=its.a_year_ago,
            together=together,
            sources=sources,
            before=its.before(),
        )

    def _sources(self, its: "_Reading") -> Sources:
        known = self._newest.get(its.tenant_id)
        if known is None or known.day != its.today or its.now >= known.until:
            until = its.now + timedelta(seconds=_FRESH_SECONDS)
            known = self._newest[its.tenant_id] = _Newest(its.today, until, Sources(its.newest()))
        elif wanting := its.wanting(known.sources):
            found = {**known.sources.newest, **its.newest(wanting)}
            known = self._newest[its.tenant_id] = _Newest(known.day, known.until, Sources(found))
        return known.sources

    def awoken(self, conn: Connection, tenant_id: int, plan: Plan, kept: Kept, now: datetime) -> list[str]:
        """The signals that nothing was said of for want of data, and that speak now; each is told once."""
        its = _Reading(conn, tenant_id, plan, kept, (), now)
        silent = its.silent(self._sources(its))
        before = self._kept_silent.get(tenant_id, its.names)
        self._kept_silent[tenant_id] = before & silent
        return sorted(before - silent)


def measures_read(plan: Plan) -> list[str]:
    """The names that counts are kept under of which signals read."""
    signals = plan.signals
    rows = [row for _, row in kinds_of_counts(signals, plan.catalogue.measures)]
    steps = [f"{name}_steps" for name in signals.steps]
    rolling = ["active_users", *_PEOPLE]
    return sorted({*rows, *steps, *signals.counted, *rolling})


class _Reading:
    """One read of some accounts of one tenant."""

    def __init__(
        self,
        conn: Connection,
        tenant_id: int,
        plan: Plan,
        kept: Kept,
        accounts: Sequence[int],
        now: datetime,
    ) -> None:
        self._conn, self.tenant_id, self._plan, self._ids, self._kept = conn, tenant_id, plan, kept.ids, kept
        self.now, self._local = now, plan.local
        self.today = plan.local.day_at(now)
        self.first = self.today - timedelta(days=plan.signals.span - TODAY)
        self._accounts = list(accounts)
        self._row = {account: row for row, account in enumerate(self._accounts)}

    @property
    def names(self) -> frozenset[str]:
        return frozenset(one.name for one in self._plan.signals.signals)

    def silent(self, sources: Sources) -> frozenset[str]:
        """The signals that have no data to speak of anybody."""
        signals = self._plan.signals.signals
        return frozenset(one.name for one in signals if sources.fault(one, self.today) is not None)

    def wanting(self, sources: Sources) -> frozenset[str]:
        return sources.wanting(self._plan.signals.signals, self.today)

    def newest(self, only: Collection[str] | None = None) -> dict[str, date]:
        """When data of each kind last happened, of `only` these where given."""
        signals, ids = self._plan.signals, self._ids
        kinds = signals.kinds if only is None else only
        counts = [
            one
            for one in kinds_of_counts(signals, self._plan.catalogue.measures)
            if one[0] in kinds and one[1] in ids
        ]
        steps = [
            (f"measure.{name}", ids[f"{name}_steps"], step)
            for name, its in signals.steps.items()
            if f"measure.{name}" in kinds and f"{name}_steps" in ids
            for step in its
        ]
        parameters = {
            "tenant_id": self.tenant_id,
            "today": self.today,
            "now": self.now,
            "zone": self._plan.catalogue.settings.timezone,
            "kinds": [kind for kind, _ in counts],
            "ids": [ids[row] for _, row in counts],
            "step_kinds": [kind for kind, _, _ in steps],
            "step_ids": [measure for _, measure, _ in steps],
            "steps": [step for _, _, step in steps],
            "traits": [name for name in signals.names("trait") if f"trait.{name}" in kinds],
            "seats": "trait.seats" in kinds,
            "subscriptions": only is None or "subscriptions" in only,
            "champions": only is None or "person.champion" in only,
        }
        # Of a kind that is told in two ways the newer day, which is the last.
        return dict(sorted(self._conn.execute(sql.NEWEST, parameters)))

    def days(self, sources: Sources, facts: Sequence[SignalFacts]) -> dict[str, Floats]:
        """By measure a row an account and a column a day, today's last; 0 where nothing was counted. People are put into `facts`."""
        span = (self.today - self.first).days + 1
        found = {name: np.zeros((len(self._accounts), span)) for name in self._plan.signals.counted}
        self._people_unless_unknown(sources, facts)
        wanted = {
            name: (self.first, self.today)
            for name in self._plan.signals.counted
            if f"measure.{name}" in sources.newest
        }
        if sources.newest:
            ahead = {name: (self._rolls_until(name) + timedelta(days=1), date.max) for name in _PEOPLE}
            wanted |= {name: days for name, days in ahead.items() if self._rolls(name)}
        wanted = {name: days for name, days in wanted.items() if name in self._ids}
        counts = self._counts(wanted, self._accounts)
        for name in wanted:
            its = counts.of(self._ids[name])
            if name in found:
                found[name] = its.table(self.first, len(self._accounts), span)
            else:
                self._rolling(facts, name, its)
        return found

    def _counts(self, wanted: Mapping[str, tuple[date, date]], accounts: Sequence[int]) -> "_Counts":
        """Of each measure the days from the first to the last, by the place of the account in `accounts`."""
        parameters = {
            "measures": [self._ids[name] for name in wanted],
            "firsts": [first for first, _ in wanted.values()],
            "lasts": [last for _, last in wanted.values()],
            "accounts": accounts,
        }
        if not wanted or not accounts:
            return _Counts(*(np.zeros(0, np.int64) for _ in range(4)))
        found = [int8s(column) for column in self._conn.execute(sql.DAYS, parameters).fetchone() or ()]
        order = np.argsort(accounts)
        places = order[np.searchsorted(np.asarray(accounts, np.int64), found[0], sorter=order)]
        return _Counts(places, *found[1:])

    def a_year_ago(self, measure: str, rows: Int64s) -> Floats:
        """Of these accounts, the days of `days` 52 weeks before."""
        first, last = (day - timedelta(days=YEAR_DAYS) for day in (self.first, self.today))
        accounts = [self._accounts[row] for row in rows.tolist()]
        counts = self._counts({measure: (first, last)} if measure in self._ids else {}, accounts)
        return counts.table(first, len(accounts), (last - first).days + 1)

    def _people_unless_unknown(self, sources: Sources, facts: Sequence[SignalFacts]) -> None:
        """A company may count people without the window of 28 days."""
        active = 0 if "measure.active_users" in sources.newest and self._rolls(_ACTIVE) else None
        key = 0 if "measure.key_users" in sources.newest and self._rolls(_KEY) else None
        for its in facts:
            its.people_before, its.key_people = active, key

    def _rolls(self, name: str) -> bool:
        """Whether the window is counted, and was when all of it was kept."""
        return name in self._ids and self._kept.is_whole_from(name, self._rolls_until(name) - _WINDOW)

    def _rolls_until(self, name: str) -> date:
        """The day on which a rolling figure is asked for."""
        return self.today - timedelta(days=_BEFORE_DAYS if name == _ACTIVE else 0)

    def _rolling(self, facts: Sequence[SignalFacts], name: str, deltas: "_Counts") -> None:
        """A rolling figure on a day is minus the sum of the deltas after it, which these are."""
        sums = np.bincount(deltas.places, deltas.values, len(facts)).astype(np.int64)
        for row in np.unique(deltas.places).tolist():
            if name == _ACTIVE:
                facts[row].people_before = -int(sums[row])
            else:
                facts[row].key_people = -int(sums[row])

    def facts(self, sources: Sources) -> list[SignalFacts]:
        kept = self._kept.whole_from
        whole_from = {name: kept[f"{name}_steps"] for name in STEPS_COUNT if f"{name}_steps" in kept}
        found = [SignalFacts(whole_from=whole_from) for _ in self._accounts]
        known = sources.newest
        self._steps(found, sources)
        # Who was away for long may have been there on days that nobody knows of any more.
        if "person.champion" in known and self._kept.is_whole_from(
            "active_users", self._back(CHAMPION_SEEN_DAYS - TODAY)
        ):
            self._champions(found)
        if "answers" in known:
            parameters = {
                "accounts": self._accounts,
                "now": self.now,
                "start_365": self._start(ANSWERS_COUNT_DAYS),
            }
            for account, *answer in self._conn.execute(sql.ANSWERS, parameters):
                found[self._row[account]].answers.append(Answer(*answer))
        names = [name for name in self._plan.signals.names("trait") if f"trait.{name}" in known]
        if names:
            parameters = {"accounts": self._accounts, "names": names, "now": self.now}
            for account, name, at, text in self._conn.execute(sql.TRAITS, parameters):
                found[self._row[account]].traits[name].append((at, text))
        return found

    def _steps(self, found: Sequence[SignalFacts], sources: Sources) -> None:
        names = [
            name
            for name in STEPS_COUNT
            if name in self._plan.signals.steps and f"measure.{name}" in sources.newest
        ]
        if not names:
            return
        parameters = {
            "accounts": self._accounts,
            "measures": [self._ids[f"{name}_steps"] for name in names],
            "names": names,
            "since": [self.now - STEPS_COUNT[name] for name in names],
            "now": self.now,
        }
        for its in found:
            # Of measures that don't go back so far, who has no step now may have had one.
            its.steps |= {name: [] for name in names if its.all_steps(name, self.today) is not None}
        catalogue = self._plan.catalogue
        customers = {name: left_out(catalogue.measures[name], catalogue) for name in names}
        for account, name, entity, step, at, labels, is_internal in self._conn.execute(sql.STEPS, parameters):
            if not (is_internal and step in customers[name]):
                found[self._row[account]].steps[name].append(Step(entity, step, at, labels or {}))

    def _champions(self, found: Sequence[SignalFacts]) -> None:
        parameters = {
            "tenant_id": self.tenant_id,
            "accounts": self._accounts,
            "people": self._ids.get("active_users", -1),
            "today": self.today,
            "seen_from": self._back(CHAMPION_SEEN_DAYS - TODAY),
        }
        for account, left_at, seen in self._conn.execute(sql.CHAMPIONS, parameters):
            found[self._row[account]].champions.append(Champion(left_at, int8s(seen).tolist()))

    def before(self) -> dict[int, Mapping[str, Mapping[str, Any]]]:
        rows = self._conn.execute(sql.BEFORE, {"accounts": self._accounts})
        return {account: _decode(signals) for account, signals in rows}

    def _back(self, days: int) -> date:
        return self.today - timedelta(days=days)

    def _start(self, days: int) -> datetime:
        return self._local.start_of(self._back(days))


@dataclass(frozen=True, slots=True)
class _Counts:
    """Counts of days, each of one account and measure; `days` are numbers."""

    places: Int64s
    measures: Int64s
    days: Int64s
    values: Int64s

    def of(self, measure: int) -> "_Counts":
        its = self.measures == measure
        return _Counts(self.places[its], self.measures[its], self.days[its], self.values[its])

    def table(self, first: date, rows: int, span: int) -> Floats:
        """A row an account, a column a day from `first` on."""
        columns = self.days - day_number(first)
        inside = (columns >= 0) & (columns < span)
        cells = self.places[inside] * span + columns[inside]
        sums = np.bincount(cells, self.values[inside], rows * span)
        return sums.astype(np.float64, copy=False).reshape(rows, span)


def _add(row: Floats, columns: Any, values: Any) -> None:
    inside = (columns >= 0) & (columns < len(row))
    np.add.at(row, columns[inside], values[inside])


def days_together(
    conn: Connection, tenant_id: int, ids: Mapping[str, int], measures: Sequence[str], first: date, last: date
) -> dict[tuple[str, str], dict[str, Floats]]:
    """What each segment and country did on each day from `first` to `last`, by trait, value and measure; the whole company as the
    segment of an empty name.
    """
    names = {ids[name]: name for name in measures if name in ids}
    parameters = {"tenant_id": tenant_id, "measures": list(names), "first": first, "last": last}
    found: dict[tuple[str, str], dict[str, Floats]] = {}
    span = (last - first).days + 1
    for trait, value, measure, days, values in conn.execute(sql.DAYS_TOGETHER, parameters) if names else ():
        row = found.setdefault((trait, value), {}).setdefault(names[measure], np.zeros(span))
        _add(row, int8s(days) - day_number(first), int8s(values))
    return found
