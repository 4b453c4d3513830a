"""One pass over a batch: which events each measure sees, what single events say, and which can't be counted exactly.

What an event says by its type (traits, subscriptions, answers) is kept exactly, or the event counts nowhere. What a measure asks of
it besides is that measure's own affair: a company that sums a field loses no event by it.
"""

import hashlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import structs

from common.numbers import NotExact, scaled
from kpi_engine.domain import facts
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.facts import Refused, SubscriptionChange, SurveyAnswer, Trait
from kpi_engine.domain.plan import Plan, Selection
from kpi_engine.domain.steps import StepRule, StepTaken, holds, read_steps

Booleans = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]
T = TypeVar("T")
Fact = TypeVar("Fact", Trait, SubscriptionChange, SurveyAnswer, StepTaken)
Tokens = dict[int, bytes | Refused | None]
"""By event the JSON text at a path, or why it can't be read."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Event `index` of the batch counts nowhere, for this reason."""

    index: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Event `index` of the batch counts, but not in this measure, for this reason."""

    index: int
    measure: str
    message: str


@dataclass(slots=True)
class Reading:
    """`selected` holds, per measure, the indices of the events that it sees, internal people's among them.

    `numbers`: per sum, event index -> units of its scale. `decimals`: per measure of kind last, event index -> value.
    `values`: per distinct measure of a field, event index -> digest of the value. All leave out rejected events.
    `firsts`: per (measure, step) of which only the first is kept, the indices of the events that are it.
    """

    kept: Booleans
    activity: Booleans
    selected: dict[str, Indices] = field(default_factory=dict)
    traits: list[Trait] = field(default_factory=list)
    changes: list[SubscriptionChange] = field(default_factory=list)
    answers: list[SurveyAnswer] = field(default_factory=list)
    numbers: dict[str, dict[int, int]] = field(default_factory=dict)
    decimals: dict[str, dict[int, Decimal]] = field(default_factory=dict)
    values: dict[str, dict[int, int]] = field(default_factory=dict)
    steps: list[StepTaken] = field(default_factory=list)
    firsts: dict[tuple[str, str], Indices] = field(default_factory=dict)
    rejected: list[Rejection] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def only(self, chosen: Indices) -> "Reading":
        """The same of these events alone, in ascending order and none of them rejected: event `chosen[i]` becomes event i."""
        if len(chosen) == len(self.kept):
            return self
        place = np.full(len(self.kept), -1, np.int64)
        place[chosen] = np.arange(len(chosen))
        at = place.tolist()
        return Reading(
            kept=self.kept[chosen],
            activity=self.activity[chosen],
            selected={name: _placed(place, indices) for name, indices in self.selected.items()},
            traits=_facts_placed(at, self.traits),
            changes=_facts_placed(at, self.changes),
            answers=_facts_placed(at, self.answers),
            numbers=_values_placed(at, self.numbers),
            decimals=_values_placed(at, self.decimals),
            values=_values_placed(at, self.values),
            steps=_facts_placed(at, self.steps),
            firsts={key: _placed(place, indices) for key, indices in self.firsts.items()},
            left_out=[replace(it, index=at[it.index]) for it in self.left_out if at[it.index] >= 0],
        )


def read(batch: TenantBatch, plan: Plan) -> Reading:
    """Deterministic, and the same for an event whatever stands beside it in the batch."""
    return _Reader(batch, plan).read()


class _Reader:
    def __init__(self, batch: TenantBatch, plan: Plan) -> None:
        self._batch = batch
        self._plan = plan
        self._code_of = {name: code for code, name in enumerate(dict.fromkeys(batch.types))}
        self._codes = np.fromiter(map(self._code_of.__getitem__, batch.types), np.int64, len(batch.types))
        self._refused: dict[int, Refused] = {}
        self._tokens: dict[tuple[tuple[str, ...], bytes], Tokens] = {}
        activity = [plan.is_activity(name) for name in self._code_of]
        self._reading = Reading(
            kept=np.ones(len(batch.types), np.bool_),
            activity=np.array(activity, np.bool_)[self._codes],
        )

    def read(self) -> Reading:
        reading = self._reading
        if self._plan.facts:
            self._speaking()
        self._stepping()
        for summed in self._plan.counted:
            self._select(summed.name, summed.selection)
            if summed.path is not None:
                reading.numbers[summed.name] = self._sums(summed.name, summed.path, summed.scale)
        for distinct in self._plan.distinct:
            self._select(distinct.name, distinct.selection)
            if distinct.path is not None:
                reading.values[distinct.name] = self._digests(distinct.name, distinct.path)
        for accounts in self._plan.active_accounts:
            self._select(accounts.name, accounts.selection)
        for last in self._plan.last:
            self._select(last.name, last.selection)
            reading.decimals[last.name] = self._decimals(last.name, last.path)
        if self._refused:
            self._reject()
        return reading

    def _speaking(self) -> None:
        """Traits, subscription changes and answers."""
        types = self._batch.types
        codes = [code for name, code in self._code_of.items() if name in facts.SPEAKING]
        for index in np.flatnonzero(np.isin(self._codes, codes)).tolist() if codes else []:
            try:
                self._speak(index, types[index])
            except Refused as refused:
                self._refused[index] = refused

    def _speak(self, index: int, event_type: str) -> None:
        batch, reading = self._batch, self._reading
        body = batch.bodies[index]
        if event_type in facts.SUBSCRIPTIONS:
            plan = self._plan
            reading.changes.append(facts.read_subscription(index, event_type, body, plan.local))
        elif event_type in facts.ANSWERS:
            reading.answers.append(facts.read_answer(index, event_type, body))
        else:
            reading.traits.extend(facts.read_traits(index, event_type, body))

    def _stepping(self) -> None:
        """Steps of lifecycles. Types that are none cost nothing."""
        for event_type in self._code_of.keys() & self._plan.steps.keys():
            rules = self._plan.steps[event_type]
            indices = np.flatnonzero(self._codes == self._code_of[event_type])
            if any(not rule.earliest for rule in rules):
                self._steps_of(event_type, rules, indices)
            for rule in rules:
                if rule.earliest:
                    self._firsts_of(event_type, rule, indices)

    def _steps_of(self, event_type: str, rules: tuple[StepRule, ...], indices: Indices) -> None:
        batch, local = self._batch, self._plan.local
        for index in indices.tolist():
            if index in self._refused:
                continue
            try:
                facts.check_identity(batch.sources[index], batch.ids[index])
                self._reading.steps += read_steps(index, event_type, batch.bodies[index], rules, local)
            except Refused:
                self._steps_one_by_one(index, event_type, rules)

    def _steps_one_by_one(self, index: int, event_type: str, rules: tuple[StepRule, ...]) -> None:
        batch, local = self._batch, self._plan.local
        for rule in rules:
            try:
                facts.check_identity(batch.sources[index], batch.ids[index])
                self._reading.steps += read_steps(index, event_type, batch.bodies[index], (rule,), local)
            except Refused as refused:
                self._leave_out(rule.lifecycle.name, index, refused)

    def _firsts_of(self, event_type: str, rule: StepRule, indices: Indices) -> None:
        if rule.where is not None:
            found = self._each(rule.lifecycle.name, indices, lambda body: holds(rule, event_type, body))
            indices = np.array([index for index, is_it in found if is_it], np.int64)
        key = (rule.lifecycle.name, rule.name or "")
        before = self._reading.firsts.get(key)
        self._reading.firsts[key] = indices if before is None else np.concatenate([before, indices])

    def _select(self, name: str, selection: Selection) -> None:
        seen = np.array([self._plan.sees(selection, event_type) for event_type in self._code_of], np.bool_)
        indices = np.flatnonzero(seen[self._codes])
        if selection.where is not None:
            where = selection.where
            if selection.words:
                tokens = self._tokens_at(selection.path, indices)
                # Of what can't be read the condition is asked as well, to say so.
                found = {
                    token
                    for token in set(tokens.values())
                    if isinstance(token, Refused) or selection.may_hold(token)
                }
                indices = np.array([i for i, token in tokens.items() if token in found], np.int64)
            holding = [
                index
                for index, data in self._each(name, indices, facts.data_of)
                if where.for_event(self._batch.types[index], data) is True
            ]
            indices = np.array(holding, np.int64)
        self._reading.selected[name] = indices

    def _each(self, name: str, indices: Indices, read: Callable[[bytes], T]) -> Iterator[tuple[int, T]]:
        """What a measure reads of each event; those of which it can't are left out of it."""
        for index in indices.tolist():
            if index in self._refused:
                continue
            try:
                yield index, read(self._batch.bodies[index])
            except Refused as refused:
                self._leave_out(name, index, refused)

    def _leave_out(self, name: str, index: int, refused: Refused) -> None:
        self._reading.left_out.append(LeftOut(index, name, refused.message))

    def _tokens_at(self, path: tuple[str, ...], indices: Indices) -> Tokens:
        """The JSON text at a path of each event, read once for all measures that look there at the same events."""
        key = (path, indices.tobytes())
        known = self._tokens.get(key)
        if known is None:
            known = self._tokens[key] = self._read_tokens(path, indices)
        return known

    def _read_tokens(self, path: tuple[str, ...], indices: Indices) -> Tokens:
        read, bodies, at = facts.token_reader(path), self._batch.bodies, indices.tolist()
        try:
            return dict(zip(at, map(read, [bodies[i] for i in at]), strict=True))
        except Refused:
            return {i: _or_refused(read, bodies[i]) for i in at}

    def _converted(self, name: str, path: tuple[str, ...], convert: Callable[[bytes], T]) -> dict[int, T]:
        """What there is at the path, by event. The same few texts come again and again: each is converted once."""
        tokens = self._tokens_at(path, self._reading.selected[name])
        made: dict[bytes | Refused | None, T] = {}
        unusable: dict[bytes | Refused | None, Refused] = {}
        for token in set(tokens.values()):
            if isinstance(token, Refused):
                unusable[token] = token
            elif token is not None:
                try:
                    made[token] = convert(token)
                except Refused as refused:
                    unusable[token] = refused
        if unusable:
            for index, token in tokens.items():
                if token in unusable and index not in self._refused:
                    self._leave_out(name, index, unusable[token])
        return {index: made[token] for index, token in tokens.items() if token in made}

    def _sums(self, name: str, path: tuple[str, ...], scale: int) -> dict[int, int]:
        field = ".".join(path)

        def units(token: bytes) -> int:
            try:
                return scaled(facts.number_of(field, token), scale)
            except NotExact as error:
                raise Refused(error.code, f"data.{field}: {error}") from error

        return self._converted(name, path, units)

    def _decimals(self, name: str, path: tuple[str, ...]) -> dict[int, Decimal]:
        field = ".".join(path)
        return self._converted(name, path, lambda token: facts.number_of(field, token))

    def _digests(self, name: str, path: tuple[str, ...]) -> dict[int, int]:
        return self._converted(name, path, digest_of)

    def _reject(self) -> None:
        reading, refused = self._reading, self._refused
        reading.rejected = [Rejection(i, r.code, r.message) for i, r in sorted(refused.items())]
        reading.kept[np.array(list(refused), np.int64)] = False
        for name, indices in reading.selected.items():
            reading.selected[name] = indices[reading.kept[indices]]
        reading.traits = [fact for fact in reading.traits if fact.index not in refused]
        reading.changes = [fact for fact in reading.changes if fact.index not in refused]
        reading.answers = [fact for fact in reading.answers if fact.index not in refused]
        reading.steps = [fact for fact in reading.steps if fact.index not in refused]
        reading.left_out = [it for it in reading.left_out if it.index not in refused]
        for key, indices in reading.firsts.items():
            reading.firsts[key] = indices[reading.kept[indices]]
        without(reading.numbers, refused)
        without(reading.decimals, refused)
        without(reading.values, refused)


def _or_refused(read: Callable[[bytes], bytes | None], body: bytes) -> bytes | Refused | None:
    try:
        return read(body)
    except Refused as refused:
        return refused


def _placed(place: Indices, indices: Indices) -> Indices:
    found = place[indices]
    return found[found >= 0]


def _facts_placed(at: Sequence[int], found: Iterable[Fact]) -> list[Fact]:
    return [structs.replace(fact, index=at[fact.index]) for fact in found if at[fact.index] >= 0]


def _values_placed(at: Sequence[int], of_measures: Mapping[str, dict[int, T]]) -> dict[str, dict[int, T]]:
    return {
        name: {at[index]: value for index, value in values.items() if at[index] >= 0}
        for name, values in of_measures.items()
    }


def without(of_measures: dict[str, dict[int, T]], indices: Container[int]) -> None:
    """Leaves these events out of values kept by measure and event."""
    for name, values in of_measures.items():
        of_measures[name] = {index: value for index, value in values.items() if index not in indices}


def digest_of(token: bytes) -> int:
    """62 bits of the value a JSON token stands for: two of a million values meet with a probability below 1e-6.

    Never below 2**62, and so never the id of a person.
    """
    value = msgspec.json.encode(msgspec.json.decode(token), order="deterministic")
    return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), "big") >> 2 | 1 << 62
