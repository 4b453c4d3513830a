"""Which group each account is in, and from when to when: traits with history, as half-open intervals. Pure.

Three units of time are in use. Local days: a trait counts from the first day that starts after it was set. Positions of
sample days: at a sample counts what counts on that day. Positions of instants: a trait counts at instants strictly after
it was set. Before a trait was first set, and once it is cleared, its value is None. What belongs to no account (account 0) has
no value in any dimension, segments among them, so that groups add up to the whole.
"""

from __future__ import annotations

import datetime as dt
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from operator import itemgetter
from types import MappingProxyType
from typing import Generic, TypeVar

from common.figures.calendar import DAY, Calendar
from common.figures.model import GroupValue

ACCOUNT = "account"  # the dimension that is no trait: each account is its own group
Text = str | None
"""A trait's value as JSON text, so that true, 1 and "1" stay apart; None is unset."""
GroupKey = tuple[Text, ...]
"""The values of a group's dimensions; `said` has them as they are told. As values, true and 1 would be one group."""
Setting = tuple[dt.datetime, Text]
SegmentTest = Callable[[Sequence[Text]], Text]
"""From the values of all dimensions and traits to whether the account is in a segment, true or false as JSON text."""
K = TypeVar("K", dt.date, int)
NOTHING: Mapping[int, Text] = MappingProxyType({})
_BEGINNING = dt.datetime.min.replace(tzinfo=dt.UTC)
_NEVER: tuple[dt.datetime, GroupKey | None] = (dt.datetime.max.replace(tzinfo=dt.UTC), None)


@dataclass(frozen=True, slots=True)
class Span(Generic[K]):
    """In [lo, hi) the account is in group number `group`."""

    account_id: int
    lo: K
    hi: K
    group: int


@dataclass(frozen=True, slots=True)
class Member:
    """An account: per dimension what its trait is at first, and what it was set to when, in order."""

    account_id: int
    initial: tuple[Text, ...]
    histories: tuple[tuple[Setting, ...], ...]
    known_since: dt.datetime | None = None

    def as_at(self, at: dt.datetime) -> Member:
        """The same account as if its traits had always been what they are just before an instant."""
        values = (
            _value_at(initial, history, at, or_first=False)
            for initial, history in zip(self.initial, self.histories, strict=True)
        )
        return Member(self.account_id, tuple(values), tuple(() for _ in self.histories), self.known_since)


@dataclass(frozen=True)
class Slices:
    """The first `grouped` dimensions name the group; `wanted` says which values of a dimension count at all."""

    calendar: Calendar
    members: Sequence[Member]
    grouped: int
    wanted: Mapping[int, frozenset[Text]] = field(default_factory=dict)
    dimensions: int = 0
    chosen: bool = False
    """Only some accounts are asked for, by name."""
    keys: list[GroupKey] = field(default_factory=list)
    segments: Mapping[int, SegmentTest] = field(default_factory=dict)
    """Dimensions that are no trait but follow from the values of others."""
    _numbers: dict[tuple[Text, ...], int] = field(default_factory=dict)

    @property
    def chosen_ids(self) -> list[int] | None:
        """Of the accounts asked for by name; None where none were."""
        return [member.account_id for member in self.members] if self.chosen else None

    @cached_property
    def by_day(self) -> list[Span[dt.date]]:
        return list(self._spans(dt.date.min, dt.date.max, lambda at: self.calendar.day_of(at) + DAY))

    def by_sample(self, samples: Sequence[dt.date]) -> Iterator[Span[int]]:
        return self._spans(0, len(samples), lambda at: bisect_right(samples, self.calendar.day_of(at)))

    def by_instant(self, instants: Sequence[dt.datetime]) -> Iterator[Span[int]]:
        return self._spans(0, len(instants), lambda at: bisect_right(instants, at))

    def groups(self, first: dt.date, last: dt.date) -> set[GroupKey]:
        """The groups that some account, once heard of, is in on a local day of [first, last]."""
        if not self.grouped:
            return {()}
        heard = {m.account_id: m.known_since and self.calendar.day_of(m.known_since) for m in self.members}
        found = set()
        for span in self.by_day:
            since = heard[span.account_id] or first
            if span.hi > max(first, since) and span.lo <= last and since <= last:
                found.add(span.group)
        return {self.keys[number] for number in found}

    def group_at(
        self, account_id: int, at: dt.datetime, *, or_first: bool = False, own: Mapping[int, Text] = NOTHING
    ) -> GroupKey | None:
        """The group by what was set strictly before an instant, None when the account isn't asked for.

        `or_first`: a trait that had never been set counts as what it was first set to. `own`: values that take the place of
        the traits, by dimension.
        """
        if not account_id:
            return self._nobodys(own)
        since, last = self._settled.get(account_id, _NEVER)
        if since < at and not own:
            return last
        member = self._by_id.get(account_id)
        if member is None:
            return None
        values = [
            own[index] if index in own else _value_at(initial, history, at, or_first=or_first)
            for index, (initial, history) in enumerate(zip(member.initial, member.histories, strict=True))
        ]
        number = self._group(values)
        return None if number is None else self.keys[number]

    @cached_property
    def nobodys(self) -> int | None:
        """The number of the group of what belongs to no account; None where it isn't asked for."""
        return None if self.chosen else self._numbered([None] * self.dimensions)

    def _nobodys(self, own: Mapping[int, Text]) -> GroupKey | None:
        if not own:
            number = self.nobodys
        else:
            number = None if self.chosen else self._numbered(list(map(own.get, range(self.dimensions))))
        return None if number is None else self.keys[number]

    def is_settled(self, account_id: int, at: dt.datetime) -> bool:
        """Whether no trait of the account was set from an instant on."""
        return self._settled.get(account_id, _NEVER)[0] < at

    @cached_property
    def _settled(self) -> dict[int, tuple[dt.datetime, GroupKey | None]]:
        """When the last trait of an account was set, and the group it has been in since."""
        found = {}
        for member, (initial, moves) in zip(self.members, self._moves, strict=True):
            at = max((history[-1][0] for history in member.histories if history), default=_BEGINNING)
            number = moves[-1][1] if moves else initial
            found[member.account_id] = at, None if number is None else self.keys[number]
        return found

    @cached_property
    def _moves(self) -> list[tuple[int | None, list[tuple[dt.datetime, int | None]]]]:
        """Of each member the group it is in at first, and from when on which other one."""
        found = []
        for member in self.members:
            initial = before = self._group(member.initial)
            moves = []
            for at, values in _changes(member):
                after = self._group(values)
                if after != before:
                    moves.append((at, after))
                    before = after
            found.append((initial, moves))
        return found

    @cached_property
    def _by_id(self) -> dict[int, Member]:
        return {member.account_id: member for member in self.members}

    def _spans(self, low: K, high: K, position: Callable[[dt.datetime], K]) -> Iterator[Span[K]]:
        """Neighbouring spans of one account differ in their group or leave a gap between them."""
        for member, (initial, moves) in zip(self.members, self._moves, strict=True):
            lo, group = low, initial
            keys = [position(at) for at, _ in moves]
            for number, (key, (_, after)) in enumerate(zip(keys, moves, strict=True)):
                if after == group or keys[number + 1 : number + 2] == [key]:
                    continue  # of several moves to one position the last one stands
                if group is not None and lo < min(key, high):
                    yield Span(member.account_id, lo, min(key, high), group)
                lo, group = key, after
            if group is not None and lo < high:
                yield Span(member.account_id, lo, high, group)

    def _group(self, values: Sequence[Text]) -> int | None:
        """The number of an account's group, or None when a value isn't wanted."""
        if self.segments:
            values = [*values]
            for index, is_in in self.segments.items():
                values[index] = is_in(values)
        return self._numbered(values)

    def _numbered(self, values: Sequence[Text]) -> int | None:
        if any(values[index] not in wanted for index, wanted in self.wanted.items()):
            return None
        key = tuple(values[: self.grouped])
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.keys)
            self.keys.append(key)
        return number


def _value_at(initial: Text, history: Sequence[Setting], at: dt.datetime, *, or_first: bool) -> Text:
    position = bisect_left(history, at, key=lambda setting: setting[0])
    if position:
        return history[position - 1][1]
    return history[0][1] if or_first and history else initial


def _changes(member: Member) -> Iterator[tuple[dt.datetime, list[Text]]]:
    """(instant, the values from then on), once per instant. The list is reused."""
    settings = [(at, index, value) for index, history in enumerate(member.histories) for at, value in history]
    settings.sort(key=itemgetter(0))  # stable: within a dimension the order of setting is kept
    values = list(member.initial)
    for number, (at, index, value) in enumerate(settings):
        values[index] = value
        if number + 1 == len(settings) or settings[number + 1][0] != at:
            yield at, values


def text_of(value: object) -> Text:
    """A value as the database writes it as JSON text, numbers without trailing zeros. Null is unset."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number_text(Decimal(repr(value)))
    return json.dumps(value, ensure_ascii=False)


def said(text: Text) -> GroupValue:
    """A group's value in a dimension as readers are told it."""
    value: GroupValue = None if text is None else json.loads(text)
    return value


def stored_text(text: str) -> Text:
    """A stored value's JSON text in the same form; lists and objects as they are, for conditions look into them."""
    if text == "null":
        return None
    return text if text[0] in '"tf[{' else _number_text(Decimal(text))


def named_text(text: Text) -> Text:
    """A value as it names a group: lists and objects become text."""
    return json.dumps(text, ensure_ascii=False) if text is not None and text[0] in "[{" else text


def _number_text(number: Decimal) -> str:
    text = f"{number:f}"
    short = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if number == 0 else short
