"""Steps that single events tell of: which lifecycle, which entity, which step, when, and what it is worth.

Looked at only for event types that the catalogue declares as steps.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import msgspec

from common.catalogue.cel import Condition, compile_event
from common.catalogue.lifecycles import Step
from common.catalogue.models import Measure
from kpi_engine.domain import facts
from kpi_engine.domain.buckets import LocalTime
from kpi_engine.domain.facts import Fields, Refused

CURRENCY = "currency"  # the label that is kept beside every amount of money
Path = tuple[str, ...]
Kind = tuple[str, str]
"""(measure, step)"""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """A measure of steps. `entity` empty: the account itself goes through them."""

    name: str
    entity: tuple[Path, ...]
    amount: Path | None
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepRule:
    """What makes an event a step. `instant`: where it says when; `earliest`: only the first by each person is kept."""

    lifecycle: Lifecycle
    name: str | None
    name_from: Path | None
    where: Condition | None
    instant: Path | None
    earliest: bool


class StepTaken(msgspec.Struct, frozen=True, gc=False):
    """`acts_at` is when the event says, None where it takes that back; meaningless unless the step says when."""

    index: int
    measure: str
    entity: str
    step: str
    acts_at: datetime | None
    amount: Decimal | None
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)


Rules = Mapping[str, tuple[StepRule, ...]]
"""By event type; a type that is no step has no entry."""


def rules_of(measures: Iterable[Measure]) -> Rules:
    rules: dict[str, list[StepRule]] = defaultdict(list)
    for measure in measures:
        lifecycle = _lifecycle(measure)
        for step in measure.steps:
            for event_type in step.event_types:
                rules[event_type].append(_rule(lifecycle, step))
    return {event_type: tuple(found) for event_type, found in rules.items()}


def says_when(measures: Iterable[Measure]) -> frozenset[Kind]:
    """Steps that say when they happen."""
    return frozenset(
        (measure.name, step.name)
        for measure in measures
        for step in measure.steps
        if step.instant and step.name
    )


def _lifecycle(measure: Measure) -> Lifecycle:
    return Lifecycle(
        measure.name,
        tuple(_path(path) for path in measure.entity),
        _path(measure.amount) if measure.amount else None,
        measure.labels,
    )


def _rule(lifecycle: Lifecycle, step: Step) -> StepRule:
    return StepRule(
        lifecycle,
        step.name,
        _path(step.name_from) if step.name_from else None,
        compile_event(step.where) if step.where else None,
        _path(step.instant) if step.instant else None,
        step.keep == "earliest",
    )


def _path(text: str) -> Path:
    return tuple(text.removeprefix("data.").split("."))


def read_steps(
    index: int, event_type: str, body: bytes, rules: tuple[StepRule, ...], local: LocalTime
) -> list[StepTaken]:
    """The steps that an event is, of the lifecycles that keep all of them. Raises Refused like the readers of facts."""
    kept = [rule for rule in rules if not rule.earliest and holds(rule, event_type, body)]
    fields = facts.fields_of(body) if kept else {}
    found = (_taken(index, fields, rule, local) for rule in kept)
    return [step for step in found if step is not None]


def holds(rule: StepRule, event_type: str, body: bytes) -> bool:
    return rule.where is None or rule.where.for_event(event_type, facts.data_of(body)) is True


def _taken(index: int, fields: Fields, rule: StepRule, local: LocalTime) -> StepTaken | None:
    lifecycle = rule.lifecycle
    step = rule.name or _text_at(fields, rule.name_from or ())
    entity = _entity(fields, lifecycle.entity)
    if not step or entity is None:
        return None
    acts_at: datetime | None = None
    if rule.instant is not None:
        said, acts_at = _said(fields, rule.instant, local)
        if not said:
            return None
    amount = facts.number_at(fields, lifecycle.amount) if lifecycle.amount else None
    labels = {name: text for name in lifecycle.labels if (text := _text_at(fields, (name,))) is not None}
    currency = None if amount is None else _text_at(fields, (CURRENCY,))
    if currency is not None:
        labels[CURRENCY] = facts.checked_currency(currency)
    step = facts.checked_name("the step's name", step)
    return StepTaken(index, lifecycle.name, entity, step, acts_at, amount, labels)


def _entity(fields: Fields, paths: tuple[Path, ...]) -> str | None:
    """Empty for the account itself; None where the event names none. Of several texts the first must be there."""
    if not paths:
        return ""
    texts = [_text_at(fields, path) for path in paths]
    if not texts[0]:
        return None
    text = texts[0] if len(texts) == 1 else msgspec.json.encode(texts).decode()
    return facts.checked_name(f"data.{'.'.join(paths[0])}", text)


def _text_at(fields: Fields, path: Path) -> str | None:
    """A text, or a number or boolean as it is written. Raises Refused for objects and lists."""
    token = facts.token_at(fields, path)
    if token is None:
        return None
    if token[:1] in (b"{", b"["):
        raise Refused("field-invalid", f"data.{'.'.join(path)} must be text")
    text = msgspec.json.decode(token, type=str) if token[:1] == b'"' else token.decode()
    return facts.storable(f"data.{'.'.join(path)}", text)


def _said(fields: Fields, path: Path, local: LocalTime) -> tuple[bool, datetime | None]:
    """Whether the event says when, and when; null says never. What is no date and no time with its zone says nothing."""
    token = facts.token_at(fields, path, nulls=True)
    if token is None:
        return False, None
    if token == b"null":
        return True, None
    if token[:1] != b'"':
        return False, None
    try:
        return True, facts.instant_at(".".join(path), msgspec.json.decode(token, type=str), local)
    except Refused:
        return False, None
