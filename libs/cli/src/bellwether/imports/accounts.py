"""What an accounts file says, what is known, and the differences as events. Pure."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from bellwether.imports.cells import CellError, Kind, Order, Value, day, plain, read
from bellwether.imports.columns import ACCOUNT, CONTACT, CONTACT_TRAIT, CONTACTS, Columns
from bellwether.imports.report import Line

SOURCE: Final = "/import/accounts"
PARENT: Final = "parent"
IS_CONTACT: Final = "contact"
"""The trait that marks a person as named by the file."""
_TICK: Final = timedelta(microseconds=1)
_MOST_NAME_CHARACTERS: Final = 256
_BETWEEN_CONTACTS: Final = re.compile(r"[;,\n]+")
Traits = dict[str, Value | None]
Change = tuple[str, Any, Value | None]
"""A trait's name, what is known of it, and what is said."""


@dataclass(frozen=True, slots=True)
class Said:
    """One row, or all rows of an account as one. A trait that is None is cleared; one that is absent is left alone.

    `unread`: the line of a row that may be about the account and was refused. What it would have said is not known, so
    nothing of the account is cleared and nobody unmarked. `named_in`: the lines of people whom another row than that of `line` names.
    """

    line: int
    account: str
    traits: Traits
    people: dict[str, Traits]
    unread: int | None = None
    named_in: Mapping[str, int] = field(default_factory=dict)

    def line_of(self, person: str) -> int:
        return self.named_in.get(person, self.line)


@dataclass(frozen=True, slots=True)
class Reading:
    """How cells are to be read. `orders` of the date columns by index; columns of `silent` are empty in every row."""

    columns: Columns
    orders: Mapping[int, Order | None]
    silent: frozenset[int]
    zone: ZoneInfo

    def row(self, line: int, cells: Sequence[str]) -> Said:
        """Raises CellError, with the column in its message."""
        traits: Traits = {}
        contact: Traits = {}
        people: dict[str, Traits] = {}
        account = person = None
        for column in self.columns.taken:
            try:
                text = plain(cells[column.index])
                if column.field == ACCOUNT:
                    account = _name(text)
                elif column.field == CONTACT:
                    person = None if text is None else _name(text)
                elif column.field == CONTACTS:
                    people = {_name(name): {} for name in _names(text)}
                elif column.index not in self.silent:
                    value = (
                        None
                        if text is None
                        else read(text, column.kind, self.orders.get(column.index), self.zone)
                    )
                    named = column.contact_trait
                    (traits if named is None else contact)[named or column.field] = value
            except CellError as error:
                raise CellError(f"{column.header}: {error}") from error
        if account is None:
            raise CellError("it names no account")
        if person is not None:
            people[person] = contact
        elif any(value is not None for value in contact.values()):
            raise CellError("it describes a contact and doesn't say who")
        return Said(line, account, traits, people)


def _name(text: str | None) -> str:
    if text is None:
        raise CellError("it is empty")
    if len(text) > _MOST_NAME_CHARACTERS or not text.isprintable():
        raise CellError(f"a name has at most {_MOST_NAME_CHARACTERS} characters, all of them printable")
    return text


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in _BETWEEN_CONTACTS.split(text or "") if name.strip()]


def merged(rows: Sequence[Said]) -> tuple[Said, list[Line]]:
    """The rows of one account as one, and a line for each that says nothing new or something else.

    The first row decides. Later ones may name further contacts, repeat what it says, or leave cells empty. One that says
    otherwise is refused, and makes the account one of which not everything was read; a mere repeat doesn't.
    """
    first = rows[0]
    unread = first.unread
    people, named_in = dict(first.people), dict[str, int]()
    refused: list[Line] = []
    for row in rows[1:]:
        other = [
            name for name, value in row.traits.items() if value is not None and value != first.traits[name]
        ]
        fresh = {person: traits for person, traits in row.people.items() if person not in people}
        if other or not fresh:
            what = f"and says otherwise about {', '.join(other)}" if other else "and names no other contact"
            reason = f"the account is in line {first.line} already, {what}"
            refused.append(Line("refused", row.line, row.account, reason=reason))
            unread = row.line if other and unread is None else unread
        else:
            people |= fresh
            named_in |= dict.fromkeys(fresh, row.line)
    return replace(first, people=people, unread=unread, named_in=named_in), refused


def without_erased(said: Said, is_erased: Callable[[str], bool]) -> tuple[Said, list[Line]]:
    """What the row says, less of people who were erased, and a line for each that names nobody."""
    kept = {person: traits for person, traits in said.people.items() if not is_erased(person)}
    reason = "it names a person who was erased; they are left out"
    erased = said.people.keys() - kept.keys()
    lines = [Line("refused", line, said.account, reason=reason) for line in sorted(map(said.line_of, erased))]
    return replace(said, people=kept), lines


@dataclass(frozen=True, slots=True)
class Known:
    """Each trait's last value and when it was set; per person the same. `exists`: the account was heard of."""

    exists: bool = False
    traits: Mapping[str, tuple[Any, datetime]] = field(default_factory=dict)
    people: Mapping[str, Mapping[str, tuple[Any, datetime]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Day:
    """From when on the differences hold."""

    start: datetime
    name: date
    zone: ZoneInfo

    @staticmethod
    def of(name: date, zone: ZoneInfo) -> "Day":
        return Day(datetime.combine(name, time(), zone), name, zone)


@dataclass(frozen=True, slots=True)
class Differences:
    lines: tuple[Line, ...]
    events: tuple[bytes, ...]


def compare(
    said: Said, known: Known, kinds: Mapping[str, Kind], day_: Day, *, lists_contacts: bool
) -> Differences:
    """What the file says otherwise. `lists_contacts`: a person known as a contact and not named is one no more."""
    changed, kept = _parted(said, _changed(said.traits, known.traits, kinds, day_.zone))
    lines = [*kept, *(Line("changed", said.line, said.account, name, old, new) for name, old, new in changed)]
    events = []
    if not known.exists:
        given: Traits = {name: value for name, value in said.traits.items() if value is not None}
        lines = [Line("added", said.line, said.account, new=given)]
        events.append(_event("account.created", said.account, None, given, known.traits, day_))
    elif changed:
        traits = {name: new for name, _, new in changed}
        events.append(_event("account.updated", said.account, None, traits, known.traits, day_))
    for person, said_of in _people(said, known, lists_contacts=lists_contacts):
        before = known.people.get(person)
        differs, kept = _parted(
            said, _changed(said_of, before or {}, kinds, day_.zone, CONTACT_TRAIT), person
        )
        lines += kept
        if before is None:
            given = {name: value for name, value in said_of.items() if value is not None}
            lines.append(Line("added", said.line_of(person), said.account, new=given, person=person))
            events.append(_event("user.created", said.account, person, given, {}, day_))
        elif differs:
            lines += [
                Line("changed", said.line_of(person), said.account, name, old, new, person=person)
                for name, old, new in differs
            ]
            fresh = {name: new for name, _, new in differs}
            events.append(_event("user.updated", said.account, person, fresh, before, day_))
    return Differences(tuple(lines), tuple(events))


def doubted(said: Said, lines: Sequence[Line], doubt: str | None) -> list[Line]:
    """The lines of an account with what is strange about its parent: beside the change that says it, else on a line of its own."""
    if doubt is None:
        return list(lines)
    for number, line in enumerate(lines):
        if line.person is None and (line.finding == "added" or line.field == PARENT):
            return [*lines[:number], replace(line, reason=doubt), *lines[number + 1 :]]
    return [*lines, Line("kept", said.line, said.account, PARENT, new=said.traits[PARENT], reason=doubt)]


def _people(said: Said, known: Known, *, lists_contacts: bool) -> Iterator[tuple[str, Traits]]:
    for person, traits in said.people.items():
        yield person, {IS_CONTACT: True, **traits}
    for person, told in known.people.items() if lists_contacts else ():
        if person not in said.people and IS_CONTACT in told and told[IS_CONTACT][0] is True:
            yield person, {IS_CONTACT: None}


def _parted(
    said: Said, changed: Sequence[Change], person: str | None = None
) -> tuple[Sequence[Change], list[Line]]:
    """What is to be sent, and a line for each value that would be cleared while not every row of the account was read."""
    if said.unread is None:
        return changed, []
    reason = f"line {said.unread} was refused and may say it, so what is known stays"
    line = said.line if person is None else said.line_of(person)
    kept = [
        Line("kept", line, said.account, name, old, person=person, reason=reason)
        for name, old, new in changed
        if new is None
    ]
    return [change for change in changed if change[2] is not None], kept


def _changed(
    said: Traits,
    known: Mapping[str, tuple[Any, datetime]],
    kinds: Mapping[str, Kind],
    zone: ZoneInfo,
    of: str = "",
) -> list[Change]:
    found = []
    for name, new in said.items():
        old = known[name][0] if name in known else None
        if not _same(old, new, kinds.get(f"{of}{name}"), zone):
            found.append((name, old, new))
    return found


def _same(old: Any, new: Value | None, kind: Kind | None, zone: ZoneInfo) -> bool:
    """A known instant is the day it is in; true, 1 and "1" are three values."""
    if kind is Kind.DATE and isinstance(old, str) and new is not None:
        try:
            return day(old, None, zone).isoformat() == new
        except CellError:
            return False
    return old == new and isinstance(old, bool) == isinstance(new, bool)


def _event(
    type_: str,
    account: str,
    person: str | None,
    traits: Traits,
    known: Mapping[str, tuple[Any, datetime]],
    day_: Day,
) -> bytes:
    """The same difference from the same state gives the same bytes, however often it is found.

    It holds from the day's start, or from just after what it changes where that was said later.
    """
    after = max((known[name][1] + _TICK for name in traits if name in known), default=day_.start)
    at = max(day_.start, after).astimezone(ZoneInfo("UTC")).isoformat().replace("+00:00", "Z")
    data: dict[str, object] = {"traits": traits} if person is None else {"user": person, "traits": traits}
    said = [type_, account, at, data]
    digest = hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()[:32]
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": f"{day_.name.isoformat()}-{digest}",
            "source": SOURCE,
            "type": type_,
            "subject": account,
            "time": at,
            "data": data,
        },
        order="sorted",
    )


def field_kinds(columns: Columns) -> dict[str, Kind]:
    return {column.field: column.kind for column in columns.taken}
