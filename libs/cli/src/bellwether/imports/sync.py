"""One run over an accounts file: read it, compare it with what is known, report, and send the differences."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from typing import IO, Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from bellwether.imports.accounts import (
    PARENT,
    Day,
    Known,
    Reading,
    Said,
    compare,
    doubted,
    field_kinds,
    merged,
    without_erased,
)
from bellwether.imports.cells import CellError, Kind, Order, agreed, order_of, plain
from bellwether.imports.columns import ACCOUNT, CONTACT, CONTACTS, Columns
from bellwether.imports.directory import Staging
from bellwether.imports.journal import Connection, Journal
from bellwether.imports.report import Line
from bellwether.imports.table import Row, Table, Unreadable
from bellwether.load.batches import batches
from bellwether.load.delivery import Delivery
from bellwether.load.records import Item

T = TypeVar("T")
_AT_ONCE: Final = 500
_MOST_BYTES: Final = 1_000_000
_UNKNOWN: Final = Known()
_SILENT: Final = "the column is empty in every row, so what is known stays"
_UNPLACED: Final = (
    "the line was refused and may be about any account, so nothing is cleared and none is said to be missing"
)


@dataclass(frozen=True)
class Plan:
    tenant_id: int
    columns: Columns
    order: Order | None
    zone: ZoneInfo
    day: date


@dataclass(frozen=True)
class Found:
    """`events` are in the spool, one a line."""

    rows: int
    unchanged: int
    events: int


def find_differences(conn: Connection, table: Table, plan: Plan, journal: Journal, spool: IO[bytes]) -> Found:
    """Everything inside the caller's transaction; nothing is sent."""
    reading = _survey(table, plan)
    journal.write(
        [Line("kept", field=table.header[index], reason=_SILENT) for index in sorted(reading.silent)]
    )
    staging = Staging(conn, plan.tenant_id)
    rows = 0
    unplaced: int | None = None
    for some in _chunks(table.rows(), _AT_ONCE):
        rows += len(some)
        unplaced = unplaced or _stage(some, reading, staging, journal)
    unchanged = events = 0
    listed = [column for field in (CONTACT, CONTACTS) if (column := plan.columns.one(field)) is not None]
    lists_contacts = any(column.index not in reading.silent for column in listed)
    is_erased = staging.is_erased()
    kinds, day = field_kinds(plan.columns), Day.of(plan.day, plan.zone)
    if plan.columns.one(PARENT) is not None:
        staging.weigh_parents()
    for group in _chunks(staging.accounts(), _AT_ONCE):
        said, lines = _merged(group, is_erased, unplaced)
        known, doubts = staging.known(said), staging.doubts(said)
        for one in said:
            found = compare(one, known.get(one.account, _UNKNOWN), kinds, day, lists_contacts=lists_contacts)
            lines += doubted(one, found.lines, doubts.get(one.account))
            spool.writelines(event + b"\n" for event in found.events)
            events += len(found.events)
            unchanged += not found.events
        journal.write(lines)
    if unplaced is not None:
        journal.write([Line("kept", unplaced, reason=_UNPLACED)])
    for missing in staging.missing() if unplaced is None else ():
        journal.write(missing)
    return Found(rows, unchanged, events)


def _merged(
    group: Iterable[tuple[list[Said], Line | None]], is_erased: Callable[[str], bool], unplaced: int | None
) -> tuple[list[Said], list[Line]]:
    """Each account's rows as one, and what is refused of them. `unplaced`: a refused line that may be about any account."""
    said: list[Said] = []
    lines: list[Line] = []
    for rows, excess in group:
        one, refused = merged(rows)
        one, erased = without_erased(one, is_erased)
        said.append(replace(one, unread=one.unread or unplaced))
        lines += [*refused, *erased, *([excess] if excess else [])]
    return said, lines


def send(spool: IO[bytes], delivery: Delivery, journal: Journal) -> int:
    """Sends what was spooled; returns how many events were accepted. What ingest refuses is reported as refused."""
    items = (Item(number, line.rstrip(b"\n")) for number, line in enumerate(spool, start=1))
    accepted = 0
    for batch in batches(items, size=_AT_ONCE, most_bytes=_MOST_BYTES, fraction=lambda: None):
        receipt = delivery.send(batch.items)
        accepted += receipt.accepted
        journal.write([_refused(item.item, item.message) for item in receipt.refused])
    return accepted


def _refused(item: Item, message: str) -> Line:
    event = msgspec.json.decode(item.body, type=_Sent)
    return Line("refused", subject=event.subject, person=event.data.user, reason=f"ingest: {message}")


class _SentData(msgspec.Struct):
    user: str | None = None


class _Sent(msgspec.Struct):
    subject: str
    data: _SentData


def _survey(table: Table, plan: Plan) -> Reading:
    """How the columns are to be read, from all of their cells."""
    dated = [column.index for column in plan.columns.taken if column.kind is Kind.DATE]
    shown: dict[int, set[Order]] = {index: set() for index in dated}
    # A cell that says nothing clears a value; a column that never says anything is no statement at all.
    silent = {column.index for column in plan.columns.taken if column.field != ACCOUNT}
    readable = False
    for row in table.rows():
        if isinstance(row, Row):
            readable = True
            silent = {index for index in silent if not row.cells[index].strip()}
            for index in dated:
                if found := order_of(row.cells[index].strip()):
                    shown[index].add(found)
    orders = {index: plan.order or agreed(found) for index, found in shown.items()}
    return Reading(plan.columns, orders, frozenset(silent if readable else ()), plan.zone)


def _stage(
    rows: Sequence[Row | Unreadable], reading: Reading, staging: Staging, journal: Journal
) -> int | None:
    """Returns the first line that was refused and doesn't say which account it is about."""
    said: list[Said] = []
    lines: list[Line] = []
    refused: dict[int, str] = {}
    for row in rows:
        if isinstance(row, Unreadable):
            lines.append(Line("refused", row.line, reason=row.reason))
            continue
        try:
            said.append(reading.row(row.line, row.cells))
        except CellError as error:
            account = _account_of(row, reading.columns)
            lines.append(Line("refused", row.line, account, reason=str(error)))
            refused |= {row.line: account} if account else {}
    staging.add(said, refused)
    journal.write(lines)
    return next((line.line for line in lines if line.subject is None), None)


def _account_of(row: Row, columns: Columns) -> str | None:
    """Whom a refused row is about, so that they don't count as missing."""
    column = columns.one(ACCOUNT)
    try:
        return plain(row.cells[column.index]) if column else None
    except CellError:
        return None


def _chunks(found: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(found)
    while some := list(islice(rest, size)):
        yield some
