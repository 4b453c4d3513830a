"""The accounts a question is about, with the history of the traits it slices by."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from common.figures.calendar import Calendar
from common.figures.families import TOP_PARENT, parent_of, top_parents
from common.figures.model import GroupValue
from common.figures.named_segments import Membership
from common.figures.slices import (
    ACCOUNT,
    Member,
    SegmentTest,
    Setting,
    Slices,
    Text,
    named_text,
    stored_text,
    text_of,
)
from common.figures.without import Without, narrowed

_ACCOUNTS = """
select account_id, account, first_event_at from published.account
where tenant_id = %(tenant)s and (%(accounts)s::text[] is null or account = any(%(accounts)s))
"""
_TRAITS = """
select account_id, name, at, value::text from published.trait
where tenant_id = %(tenant)s and person_id = 0 and name = any(%(names)s)
order by at, source collate "C", event_id collate "C"
"""
_PARENTS = """
select t.at, a.account, t.value::text from published.trait t
join published.account a on a.tenant_id = t.tenant_id and a.account_id = t.account_id
where t.tenant_id = %(tenant)s and t.person_id = 0 and t.name = 'parent'
order by t.at, t.source collate "C", t.event_id collate "C"
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose figures, and which accounts of theirs count where."""

    tenant_id: int
    group_by: tuple[str, ...] = ()
    filter: Mapping[str, tuple[GroupValue, ...]] = field(default_factory=dict)
    accounts: tuple[str, ...] | None = None
    segments: Mapping[str, Membership] = field(default_factory=dict)
    """Of the dimensions that are segments."""
    as_at: dt.datetime | None = None
    """When set, an account counts all along in the slice that it is in at this instant."""

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Those grouped by, then those only filtered by."""
        return (*self.group_by, *(name for name in self.filter if name not in self.group_by))

    @property
    def traits(self) -> tuple[str, ...]:
        """What is read of an account: of every dimension its trait, then those that segments are made of."""
        return (*self.dimensions, *(trait for made in self.segments.values() for trait in made.traits))

    @property
    def reads_accounts(self) -> bool:
        return bool(self.dimensions) or self.accounts is not None


def slices(
    conn: psycopg.Connection[Any], scope: Scope, calendar: Calendar, without: Without | None = None
) -> Slices:
    """Reads every account of the scope once, and every value its traits have had; `without` what some events said."""
    params = {
        "tenant": scope.tenant_id,
        "accounts": None if scope.accounts is None else list(scope.accounts),
        "names": list(scope.traits),
    }
    histories: dict[tuple[int, str], list[Setting]] = defaultdict(list)
    if any(name != ACCOUNT for name in scope.dimensions):
        for account_id, name, at, value in conn.execute(*narrowed(without, _TRAITS, params)).fetchall():
            histories[account_id, name].append((at, stored_text(value)))
    accounts = conn.execute(_ACCOUNTS, params).fetchall()
    families = _top_parents(conn, scope, without) if TOP_PARENT in scope.traits else {}
    for account_id, name, _ in accounts if families else ():
        histories[account_id, TOP_PARENT] = families.get(name, [])
    traits = scope.traits
    members = [
        _member(scope.as_at, traits, len(scope.dimensions), account_id, name, since, histories)
        for account_id, name, since in accounts
    ]
    wanted = {
        index: frozenset(map(text_of, scope.filter[name]))
        for index, name in enumerate(scope.dimensions)
        if name in scope.filter
    }
    return Slices(
        calendar,
        members,
        len(scope.group_by),
        wanted,
        len(scope.dimensions),
        scope.accounts is not None,
        segments=segment_tests(scope),
    )


def segment_tests(scope: Scope) -> dict[int, SegmentTest]:
    """By the position of the dimension; each looks at its own traits among all that is read."""
    tests: dict[int, SegmentTest] = {}
    first = len(scope.dimensions)
    for dimension, made in scope.segments.items():
        tests[scope.dimensions.index(dimension)] = _segment_test(made, slice(first, first + len(made.traits)))
        first += len(made.traits)
    return tests


def _segment_test(made: Membership, places: slice) -> SegmentTest:
    """Few different values are shared by many accounts, and a condition costs more than looking them up."""
    known: dict[tuple[Text, ...], Text] = {}

    def test(values: Sequence[Text]) -> Text:
        own = tuple(values[places])
        if own not in known:
            known[own] = text_of(made.holds(own))
        return known[own]

    return test


def _member(
    as_at: dt.datetime | None,
    traits: Sequence[str],
    naming: int,
    account_id: int,
    name: str,
    since: dt.datetime | None,
    histories: Mapping[tuple[int, str], list[Setting]],
) -> Member:
    """The first `naming` traits name groups; conditions look into the rest."""
    member = Member(
        account_id,
        initial=tuple(text_of(name) if trait in (ACCOUNT, TOP_PARENT) else None for trait in traits),
        histories=tuple(
            () if trait == ACCOUNT else _named(histories.get((account_id, trait), ()), naming=index < naming)
            for index, trait in enumerate(traits)
        ),
        known_since=since,
    )
    return member if as_at is None else member.as_at(as_at)


def _named(history: Sequence[Setting], *, naming: bool) -> tuple[Setting, ...]:
    return tuple((at, named_text(value)) for at, value in history) if naming else tuple(history)


def _top_parents(
    conn: psycopg.Connection[Any], scope: Scope, without: Without | None
) -> Mapping[str, list[Setting]]:
    """Of every account that ever had a parent; a chain leads over accounts that nobody asked for."""
    rows = conn.execute(*narrowed(without, _PARENTS, {"tenant": scope.tenant_id}))
    return top_parents((at, account, parent_of(value)) for at, account, value in rows)
