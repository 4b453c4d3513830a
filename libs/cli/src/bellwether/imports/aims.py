"""Targets and ranges of an industry from a file, as they are stated: who set them, when, and why."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal, LiteralString
from zoneinfo import ZoneInfo

from bellwether.imports.cells import CellError, Order, day, number, plain
from bellwether.imports.journal import Connection, Journal
from bellwether.imports.report import Line
from bellwether.imports.table import Row, Table, Unreadable
from bellwether.load.records import UnreadableFileError, check_once
from common.catalogue.models import Catalogue, Metric
from common.catalogue.scorecard_checks import unfit

Kind = Literal["targets", "ranges"]
COLUMNS: Final = ("metric", "value", "low", "high", "by", "set_by", "why", "segment", "source")
WITHDRAWN: Final = "withdrawn"
_UTC: Final = ZoneInfo("UTC")
_PERCENT: Final = re.compile(r"(.*?)\s*%")
_MOST_CHARACTERS: Final = 2_000
_STRANGE: Final = "no segment is named {segment!r} and no account has it as its segment; is it misspelt?"
_SEGMENTS: Final[LiteralString] = """
select distinct value #>> '{}' from (
  select distinct on (account_id) value from published.trait
  where tenant_id = %s and person_id = 0 and name = 'segment'
  order by account_id, at desc, source collate "C" desc, event_id collate "C" desc) as now
where jsonb_typeof(value) = 'string'
"""
_NEWEST: Final[Mapping[Kind, LiteralString]] = {
    "targets": """
select distinct on (metric, slice, due) metric, slice, due, value, low, high, set_by, why, source, unit, currency from control.target
where tenant_id = %s order by metric, slice, due, id desc""",
    "ranges": """
select distinct on (metric, slice, day) metric, slice, day, value, low, high, set_by, why, source, unit, currency from control.industry_range
where tenant_id = %s order by metric, slice, day, id desc""",
}
_ADD: Final[Mapping[Kind, LiteralString]] = {
    "targets": """
insert into control.target (tenant_id, metric, slice, due, value, low, high, set_by, why, source, unit, currency, set_at, import_id)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
    "ranges": """
insert into control.industry_range (tenant_id, metric, slice, day, value, low, high, set_by, why, source, unit, currency, set_at, import_id)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
}
# What a row must have beside a metric and a number.
_REQUIRED: Final[Mapping[Kind, tuple[str, ...]]] = {"targets": ("why",), "ranges": ("source",)}
Key = tuple[str, str, date | None]


@dataclass(frozen=True, slots=True)
class Aim:
    """`slice`: the name of a segment, empty for all accounts. `at`: due by, or the day of the study."""

    line: int
    metric: str
    slice: str
    at: date | None
    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    set_by: str
    why: str | None
    source: str | None
    unit: str
    currency: str | None

    @property
    def key(self) -> Key:
        return self.metric, self.slice, self.at

    @property
    def said(self) -> tuple[Any, ...]:
        return self.value, self.low, self.high, self.set_by, self.why, self.source, self.unit, self.currency


def aims(
    table: Table, kind: Kind, catalogue: Catalogue, by: str, order: Order | None
) -> Iterator[Aim | Line]:
    """Every row, or why it is refused. `by` set what names nobody."""
    check_once(name.lower() for name in map(str.strip, table.header) if name)
    places = {name.strip().lower().replace(" ", "_"): index for index, name in enumerate(table.header)}
    unknown = [name for name in places if name not in COLUMNS and name]
    if "metric" not in places or unknown:
        raise UnreadableFileError(
            f"The header has {', '.join(table.header)}; it may have {', '.join(COLUMNS)}, and needs metric and value, or low and high."
        )
    missing = [name for name in _REQUIRED[kind] if name not in places]
    if missing:
        raise UnreadableFileError(f"The header has no column {missing[0]}, which {kind} need.")
    if order is None and "by" in places:
        order = table.order(places["by"])
    for row in table.rows():
        if isinstance(row, Unreadable):
            yield Line("refused", row.line, reason=row.reason)
            continue
        cells: dict[str, str | None] = {}
        try:
            cells = {name: plain(row.cells[index]) for name, index in places.items() if name}
            yield _aim(row, cells, kind, catalogue, by, order)
        except CellError as error:
            yield Line("refused", row.line, (cells.get("metric") or "")[:80] or None, reason=str(error))


def _aim(
    row: Row, cells: Mapping[str, str | None], kind: Kind, catalogue: Catalogue, by: str, order: Order | None
) -> Aim:
    metric = catalogue.metrics.get(cells.get("metric") or "")
    if metric is None:
        raise CellError("there is no metric of that name; GET /v1/metrics lists them")
    for name in _REQUIRED[kind]:
        if cells.get(name) is None:
            raise CellError(f"{name} is empty")
    if (cells.get("value") or "").lower() == WITHDRAWN:
        value = low = high = None
    else:
        value, low, high = (_figure(cells.get(name), metric) for name in ("value", "low", "high"))
        if (value is None) == (low is None and high is None):
            raise CellError(f"give a value, or low and high, one of the two; or the value {WITHDRAWN}")
    if low is not None and high is not None and low > high:
        raise CellError("low lies above high")
    said = cells.get("by")
    texts = [cells.get(name) for name in ("set_by", "why", "source", "segment")]
    if any(len(text or "") > _MOST_CHARACTERS for text in texts):
        raise CellError(f"a text has at most {_MOST_CHARACTERS} characters")
    at = None if said is None else day(said, order, _UTC)
    set_by, why, source, segment = texts
    currency = catalogue.settings.currency if metric.is_money else None
    return Aim(
        row.line,
        metric.name,
        segment or "",
        at,
        value,
        low,
        high,
        set_by or by,
        why,
        source,
        metric.unit,
        currency,
    )


def _figure(text: str | None, metric: Metric) -> Decimal | None:
    """In the metric's own unit: of a ratio 95 % is 0.95. Held to what benchmarks of the definitions are held to."""
    if text is None:
        return None
    percent = _PERCENT.fullmatch(text)
    if percent is not None and metric.unit != "ratio":
        raise CellError(f"{text[:40]!a} is a percentage, and {metric.name} counts {metric.unit}")
    found = Decimal(str(number(text if percent is None else percent[1])))
    found = found if percent is None else found / 100
    if wrong := unfit(float(found), metric):
        raise CellError(f"{wrong[0]}. {wrong[1]}")
    return found


def segments_of(conn: Connection, tenant_id: int, catalogue: Catalogue) -> frozenset[str]:
    """What a target may be about: the segments of the definitions, and the values that accounts have of the trait."""
    values = {str(row[0]) for row in conn.execute(_SEGMENTS, (tenant_id,))}
    return frozenset(values | set(catalogue.segments))


def store(
    conn: Connection,
    tenant_id: int,
    kind: Kind,
    told: Iterator[Aim | Line],
    journal: Journal,
    segments: frozenset[str],
    *,
    keep: bool,
) -> dict[str, int]:
    """Adds what is new or says otherwise; nothing is ever overwritten. `keep` False: only reports.

    What is about a segment that is none of `segments` is stored, for accounts may come to have it, and told.
    """
    held: dict[Key, tuple[Any, ...]] = {
        tuple(row[:3]): tuple(row[3:]) for row in conn.execute(_NEWEST[kind], (tenant_id,))
    }
    first: dict[Key, int] = {}
    unchanged = strange = 0
    for aim in told:
        if isinstance(aim, Line):
            journal.write([aim])
            continue
        if aim.key in first:
            reason = f"line {first[aim.key]} is about the same metric, segment and day"
            journal.write([Line("refused", aim.line, aim.metric, reason=reason)])
            continue
        first[aim.key] = aim.line
        is_strange = bool(aim.slice) and aim.slice not in segments and aim.said[:3] != (None, None, None)
        strange += is_strange
        old = held.pop(aim.key, None)
        if old is not None and _same(old, aim.said):
            unchanged += 1
            continue
        finding = "added" if old is None else "changed"
        shown = None if old is None else _shown(aim.key, old)
        doubt = _STRANGE.format(segment=aim.slice) if is_strange else None
        stated = _shown(aim.key, aim.said)
        journal.write([Line(finding, aim.line, aim.metric, aim.slice or None, shown, stated, reason=doubt)])
        if keep:
            conn.execute(_ADD[kind], (tenant_id, *aim.key, *aim.said, journal.started_at, journal.id))
    standing = {key: said for key, said in held.items() if said[:3] != (None, None, None)}
    journal.write(
        [
            Line("missing", subject=key[0], field=key[1] or None, new=_shown(key, said))
            for key, said in standing.items()
        ]
    )
    return {"unchanged": unchanged} | ({"about_no_accounts": strange} if strange else {})


def _same(old: tuple[Any, ...], new: tuple[Any, ...]) -> bool:
    """What was stated before units were kept may be of any."""
    *before, unit, currency = old
    return (*before, unit or new[-2], currency or new[-1]) == new


def _shown(key: Key, said: tuple[Any, ...]) -> dict[str, Any]:
    value, low, high, set_by, why, source, unit, currency = said
    given: dict[str, Any] = {"value": value, "low": low, "high": high}
    shown: dict[str, Any] = {
        name: format(figure, "f") for name, figure in given.items() if figure is not None
    }
    shown = shown or {"value": WITHDRAWN}
    shown |= {"by": key[2].isoformat()} if key[2] else {}
    return shown | {
        name: text
        for name, text in (("set_by", set_by), ("why", why), ("source", source), ("unit", currency or unit))
        if text
    }
