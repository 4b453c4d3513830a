"""Instants as whole microseconds, so that very many of them are read and compared at little cost. Pure."""

from __future__ import annotations

import datetime as dt

EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)  # the database's own
_MICROSECOND = dt.timedelta(microseconds=1)


def micros(at: dt.datetime) -> int:
    """Since the epoch."""
    return (at - EPOCH) // _MICROSECOND


def instant(at_us: int) -> dt.datetime:
    return EPOCH + dt.timedelta(microseconds=at_us)
