"""RFC 3339 texts as epoch microseconds, many at once."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from common.contracts.instants import instant_of, microseconds

Int64s = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

# Stands for a text that says no instant: no event may have this one.
UNREADABLE_US = np.iinfo(np.int64).min

# "2026-01-31T23:59:59Z" or "+00:00", with no, three or six digits of a fraction: what SDKs send. All else is read one by one.
_USUAL_LENGTHS = {20: 1, 24: 1, 27: 1, 25: 6, 29: 6, 32: 6}  # how many characters of it are the zone
_SHAPE = np.frombuffer(b"0000-00-00T00:00:00.000000", np.uint8)
_ZONES = {1: np.frombuffer(b"Z", np.uint8), 6: np.frombuffer(b"+00:00", np.uint8)}
_ZERO, _PLUS, _MINUS = (np.uint8(ord(character)) for character in "0+-")
_DAYS_BEFORE_MONTH = np.array([0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334], np.int64)
_DAYS_OF_MONTH = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)


def instant_us(text: str) -> int:
    """Return RFC 3339 text as epoch microseconds; raises ValueError without a zone or out of range."""
    return microseconds(instant_of(text))


def instants_us(texts: Sequence[str]) -> Int64s:
    """Return what `instant_us` says of each text, UNREADABLE_US where it raises."""
    out = np.full(len(texts), UNREADABLE_US, np.int64)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    usual = np.zeros(len(texts), np.bool_)
    for length in _USUAL_LENGTHS:
        positions = np.flatnonzero(lengths == length)
        if not len(positions):
            continue
        chosen = texts if len(positions) == len(texts) else [texts[i] for i in positions.tolist()]
        joined = "".join(chosen)
        if joined.isascii():
            values, good = _usual(np.frombuffer(joined.encode(), np.uint8).reshape(-1, length))
            out[positions[good]] = values[good]
            usual[positions[good]] = True
    for i in np.flatnonzero(~usual).tolist():
        try:
            out[i] = instant_us(texts[i])
        except (ValueError, OverflowError):
            continue
    return out


def _usual(rows: Bytes) -> tuple[Int64s, npt.NDArray[np.bool_]]:
    """Read rows of one usual length: their instants, and which of the rows are of the usual form."""
    length = rows.shape[1]
    zone = _USUAL_LENGTHS[length]
    shape = np.concatenate([_SHAPE[: length - zone], _ZONES[zone]])
    is_digit = shape == _ZERO
    west = np.zeros(len(rows), np.bool_)
    if zone > 1:
        west = rows[:, -zone] == _MINUS
        rows = rows.copy()
        rows[west, -zone] = _PLUS
    digits = rows[:, is_digit] - _ZERO  # wraps around below "0", so one comparison finds all that is no digit
    good = (digits <= 9).all(axis=1) & (rows[:, ~is_digit] == shape[~is_digit]).all(axis=1)
    d = np.ascontiguousarray(digits.T).astype(np.int64)
    year = d[0] * 1000 + d[1] * 100 + d[2] * 10 + d[3]
    month, day, hour, minute, second = (d[i] * 10 + d[i + 1] for i in (4, 6, 8, 10, 12))
    fraction, ahead = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    fraction_end = len(d) if zone == 1 else len(d) - 4
    for i in range(14, 20):
        fraction = fraction * 10 + (d[i] if i < fraction_end else 0)
    if zone > 1:
        hours, minutes = d[-4] * 10 + d[-3], d[-2] * 10 + d[-1]
        good &= (hours <= 23) & (minutes <= 59)
        ahead = np.where(west, -1, 1) * (hours * 3600 + minutes * 60)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    month_at = np.where((month >= 1) & (month <= 12), month, 0)
    last_day = _DAYS_OF_MONTH[month_at] + (leap & (month == 2))
    good &= (year >= 1) & (month_at > 0) & (day >= 1) & (day <= last_day)
    good &= (hour <= 23) & (minute <= 59) & (second <= 59)
    years = year - 1
    days = years * 365 + years // 4 - years // 100 + years // 400 - 719_162
    days += _DAYS_BEFORE_MONTH[month_at] + (leap & (month > 2)) + day - 1
    return (days * 86_400 + hour * 3600 + minute * 60 + second - ahead) * 1_000_000 + fraction, good
