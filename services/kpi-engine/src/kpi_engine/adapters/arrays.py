"""Columns as PostgreSQL arrays, in its binary format, without a Python object per element.

Parameters: wrap a column in `Int8s`, `Dates`, `Instants` or `Words`, on a connection that `register` has seen.
Results: select `array_send(array_agg(x))` and read it with `int8s` or `instants`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from kpi_engine.domain.buckets import SECOND_US

Int64s = npt.NDArray[np.int64]

_HEADER = np.dtype(
    [("dimensions", ">i4"), ("nulls", ">i4"), ("oid", ">i4"), ("length", ">i4"), ("first", ">i4")]
)
_EIGHT = np.dtype([("size", ">i4"), ("value", ">i8")])
_FOUR = np.dtype([("size", ">i4"), ("value", ">i4")])
# PostgreSQL counts from 2000-01-01.
_DAYS_TO_2000 = 10_957
_US_TO_2000 = _DAYS_TO_2000 * 86_400 * SECOND_US
_INT8, _INT8_ARRAY = 20, 1016
_DATE, _DATE_ARRAY = 1082, 1182
_TIMESTAMPTZ, _TIMESTAMPTZ_ARRAY = 1184, 1185
_TEXT, _TEXT_ARRAY = 25, 1009
_NULL = b"\xff\xff\xff\xff"


@dataclass(frozen=True, slots=True)
class Int8s:
    values: Int64s


@dataclass(frozen=True, slots=True)
class Dates:
    """`values` are days since 1970-01-01."""

    values: Int64s


@dataclass(frozen=True, slots=True)
class Instants:
    """`values` are microseconds since 1970-01-01 UTC."""

    values: Int64s


@dataclass(frozen=True, slots=True)
class Words:
    """Texts, or None; the fewer of them differ, the quicker."""

    values: Sequence[str | None]


class _Int8sDumper(Dumper):
    format = Format.BINARY
    oid = _INT8_ARRAY

    def dump(self, obj: Any) -> bytes:
        return _packed(obj.values, _INT8, _EIGHT)


class _DatesDumper(Dumper):
    format = Format.BINARY
    oid = _DATE_ARRAY

    def dump(self, obj: Any) -> bytes:
        return _packed(obj.values - _DAYS_TO_2000, _DATE, _FOUR)


class _InstantsDumper(Dumper):
    format = Format.BINARY
    oid = _TIMESTAMPTZ_ARRAY

    def dump(self, obj: Any) -> bytes:
        return _packed(obj.values - _US_TO_2000, _TIMESTAMPTZ, _EIGHT)


class _WordsDumper(Dumper):
    format = Format.BINARY
    oid = _TEXT_ARRAY

    def dump(self, obj: Any) -> bytes:
        words = [(word, None if word is None else word.encode()) for word in set(obj.values)]
        items = {word: _NULL if text is None else len(text).to_bytes(4, "big") + text for word, text in words}
        return _header(_TEXT, len(obj.values), None in items) + b"".join([items[word] for word in obj.values])


def register(conn: psycopg.Connection[Any]) -> None:
    """Teaches this connection the columns. Harmless to repeat."""
    conn.adapters.register_dumper(Int8s, _Int8sDumper)
    conn.adapters.register_dumper(Dates, _DatesDumper)
    conn.adapters.register_dumper(Instants, _InstantsDumper)
    conn.adapters.register_dumper(Words, _WordsDumper)


def _packed(values: Int64s, oid: int, item: np.dtype[Any]) -> bytes:
    items = np.empty(len(values), item)
    items["size"] = item["value"].itemsize
    items["value"] = values
    return _header(oid, len(values)) + items.tobytes()


def _header(oid: int, length: int, nulls: bool = False) -> bytes:
    if not length:
        return np.array([(0, 0, oid)], _HEADER.descr[:3]).tobytes()
    return np.array([(1, nulls, oid, length, 1)], _HEADER).tobytes()


def int8s(sent: bytes | None) -> Int64s:
    """The elements of an int8 array without nulls, as `array_send` gives them; null and empty arrays have none."""
    if sent is None or len(sent) < _HEADER.itemsize:
        return np.zeros(0, np.int64)
    items = np.frombuffer(sent, _EIGHT, offset=_HEADER.itemsize)
    return items["value"].astype(np.int64)


def instants(sent: bytes | None) -> Int64s:
    """The elements of a timestamptz array as microseconds since 1970-01-01 UTC."""
    return int8s(sent) + _US_TO_2000
