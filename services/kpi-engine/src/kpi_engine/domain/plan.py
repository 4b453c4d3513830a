"""A tenant's catalogue, compiled to what the arithmetic of a batch needs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from common.catalogue.cel import Condition, compile_event, signals_read
from common.catalogue.models import Catalogue, Measure
from common.risk.score import Score
from common.risk.score import compiled as compiled_score
from kpi_engine.domain.batch import Pending
from kpi_engine.domain.buckets import LocalTime
from kpi_engine.domain.health import Profiles, compiled
from kpi_engine.domain.settling import Settling, settling_of
from kpi_engine.domain.signal_plan import SignalPlan, signal_plan
from kpi_engine.domain.steps import Kind, Rules, rules_of, says_when

# People are named here; a distinct measure of anything else counts values, not persons.
PERSON_FIELD = "data.user"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events a measure sees."""

    types: frozenset[str] | None
    only_activity: bool
    where: Condition | None
    source: str | None
    exclude_internal: bool
    path: tuple[str, ...] = ()
    words: frozenset[bytes] = frozenset()
    """Of a `where` that asks for one of some texts at a path: these texts as JSON."""

    def may_hold(self, token: bytes | None) -> bool:
        """False where `where` can't hold by what is at the path: most events needn't be read to know. An escape may hide a word."""
        return token is not None and (token in self.words or b"\\" in token)

    def sees_type(self, event_type: str, *, is_activity: bool) -> bool:
        if self.only_activity and not is_activity:
            return False
        return self.types is None or event_type in self.types

    def same_events(self, other: "Selection") -> bool:
        """True when both see the same events of the same people."""
        return (self.types, self.only_activity, self.source) == (
            other.types,
            other.only_activity,
            other.source,
        )


@dataclass(frozen=True, slots=True)
class Counted:
    """A count (no `path`) or a sum of the number at `path`, in units of 10**-scale."""

    name: str
    selection: Selection
    hourly: bool
    path: tuple[str, ...] | None
    scale: int


@dataclass(frozen=True, slots=True)
class Distinct:
    """Distinct people (no `path`) or distinct values at `path`, per day and over rolling windows of days."""

    name: str
    selection: Selection
    windows: tuple[int, ...]
    path: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ActiveAccounts:
    """Days on which an account was seen by somebody who counts or by nobody named.

    `people` names the measure that keeps who was seen: a distinct one of the same events, or this one itself.
    """

    name: str
    selection: Selection
    windows: tuple[int, ...]
    people: str


@dataclass(frozen=True, slots=True)
class Last:
    name: str
    selection: Selection
    path: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """`facts`: traits, subscriptions and answers are read too. `rows`: what the engine keeps for these measures, each with the
    version that brought its definition."""

    catalogue: Catalogue
    facts: bool
    rows: Mapping[str, int]
    local: LocalTime
    counted: tuple[Counted, ...]
    distinct: tuple[Distinct, ...]
    active_accounts: tuple[ActiveAccounts, ...]
    last: tuple[Last, ...]
    nps: tuple[str, ...]
    steps: Rules
    saying: frozenset[Kind]
    """Steps that say when they happen."""
    firsts: tuple[str, ...]
    """Measures with steps of which only the first by each person is kept."""
    health: Profiles
    risk: Score
    signals: SignalPlan
    asks_signals: bool
    """Whether expressions of health profiles or reasons of risk read signals."""

    @cached_property
    def settling(self) -> Settling:
        """How long its rows take to settle."""
        return settling_of(self)

    def is_activity(self, event_type: str) -> bool:
        return self.catalogue.is_activity(event_type)

    def sees(self, selection: Selection, event_type: str) -> bool:
        return selection.sees_type(event_type, is_activity=self.is_activity(event_type))

    def sees_any(self, event_type: str) -> bool:
        """Whether a measure, answers and MRR aside, may see events of this type."""
        selections = [
            measure.selection
            for kind in (self.counted, self.distinct, self.active_accounts, self.last)
            for measure in kind
        ]
        return event_type in self.steps or any(self.sees(seen, event_type) for seen in selections)


def plan_of(catalogue: Catalogue, brought_by: int | None = None) -> Plan:
    """Plans all of a catalogue, or only the measures that a version brought, and then without facts, which have no versions.

    Raises CelInvalid for a `where` that does not compile; a checked catalogue has none.
    """
    measures = [
        measure
        for measure in catalogue.measures.values()
        if brought_by is None or catalogue.origin_of(measure.name) == brought_by
    ]
    origins = catalogue.row_origins()
    distinct = tuple(_distinct(m) for m in measures if m.agg == "distinct")
    return Plan(
        catalogue=catalogue,
        facts=brought_by is None,
        rows={row: origins[row] for measure in measures for row in measure.rows},
        local=LocalTime(catalogue.settings.timezone),
        counted=tuple(_counted(m) for m in measures if m.agg in ("count", "sum")),
        distinct=distinct,
        active_accounts=tuple(_active_accounts(m, distinct) for m in measures if m.agg == "active_accounts"),
        last=tuple(Last(m.name, _selection(m), _path(m.field or "")) for m in measures if m.agg == "last"),
        nps=tuple(m.name for m in measures if m.agg == "nps"),
        steps=rules_of(measures),
        saying=says_when(measures),
        firsts=tuple(m.name for m in measures if any(step.keep == "earliest" for step in m.steps)),
        health=compiled(catalogue.health.values() if brought_by is None else (), catalogue.version),
        signals=signal_plan(catalogue),
        asks_signals=_asks_signals(catalogue),
        risk=compiled_score(
            catalogue.risk.values() if brought_by is None else (), catalogue.risk_settings, catalogue.version
        ),
    )


def _asks_signals(catalogue: Catalogue) -> bool:
    """Texts may name them too: these are not filled from what expressions read."""
    profiles = catalogue.health.values()
    made = [*profiles, *catalogue.risk.values()]
    made += [part for one in profiles for part in (*one.inputs, *one.overrides)]
    texts = (
        getattr(one, name, None) for one in made for name in ("applies_to", "value", "when", "stale_when")
    )
    return any(signals_read(text) for text in texts if text)


def _selection(measure: Measure) -> Selection:
    anything = "*" in measure.event_types or not measure.event_types
    path, words = _words(measure.where or "")
    return Selection(
        types=None if anything else frozenset(measure.event_types),
        only_activity=measure.activity,
        where=compile_event(measure.where) if measure.where else None,
        source=measure.where,
        exclude_internal=measure.exclude_internal,
        path=path,
        words=words,
    )


_ONE_OF = re.compile(
    r"event\.data\.(?P<field>\w+)\s*(?:==\s*(?P<one>'[\w ./-]+')|in\s*\[(?P<some>\s*'[\w ./-]+'(?:\s*,\s*'[\w ./-]+')*)\s*\])"
)


def _words(where: str) -> tuple[tuple[str, ...], frozenset[bytes]]:
    """The path and the texts of a condition that asks for nothing but one of some plain texts; else nothing."""
    found = _ONE_OF.fullmatch(where.strip())
    if found is None:
        return (), frozenset()
    texts = re.findall(r"'([^']+)'", found["one"] or found["some"])
    return (found["field"],), frozenset(f'"{text}"'.encode() for text in texts)


def _path(field: str) -> tuple[str, ...]:
    """The steps below `data`."""
    return tuple(field.removeprefix("data.").split("."))


def _counted(measure: Measure) -> Counted:
    path = _path(measure.field or "") if measure.agg == "sum" else None
    return Counted(measure.name, _selection(measure), measure.grain == "hour", path, measure.scale)


def _distinct(measure: Measure) -> Distinct:
    path = None if measure.field in (None, PERSON_FIELD) else _path(measure.field or "")
    return Distinct(measure.name, _selection(measure), measure.windows, path)


def _active_accounts(measure: Measure, distinct: tuple[Distinct, ...]) -> ActiveAccounts:
    # Its reading is built in: any activity.
    selection = replace(_selection(measure), only_activity=True)
    shared = [d.name for d in distinct if d.path is None and d.selection.same_events(selection)]
    return ActiveAccounts(measure.name, selection, measure.windows, shared[0] if shared else measure.name)


class Plans:
    """Compiles each tenant's catalogues once per version. A catalogue is told from another one as an object."""

    def __init__(self) -> None:
        self._plans: dict[tuple[int, bool], Plan] = {}

    def of(self, tenant_id: int, catalogue: Catalogue) -> Plan:
        """Everything that the catalogue in force measures."""
        return self._kept((tenant_id, True), catalogue, None)

    def of_new(self, tenant_id: int, pending: Pending) -> Plan:
        """What a version brings that isn't in force yet."""
        return self._kept((tenant_id, False), pending.catalogue, pending.version)

    def _kept(self, key: tuple[int, bool], catalogue: Catalogue, brought_by: int | None) -> Plan:
        known = self._plans.get(key)
        if known is None or known.catalogue is not catalogue:
            known = self._plans[key] = plan_of(catalogue, brought_by)
        return known
