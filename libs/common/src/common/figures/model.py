"""What is asked of figures, and what comes back. Numbers are exact until the last step; unknown is None."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Literal, get_args

Grain = Literal["hour", "day", "week", "month", "quarter", "year", "total"]
Compare = Literal["previous_period", "previous_year"]
SliceAt = Literal["start", "end"]
GRAINS: tuple[Grain, ...] = get_args(Grain)
COMPARES: tuple[Compare, ...] = get_args(Compare)
SLICE_ATS: tuple[SliceAt, ...] = get_args(SliceAt)

Moment = dt.datetime | dt.date
"""An aware instant, or a date: the tenant's local midnight."""
Number = int | Decimal | float
GroupValue = str | int | float | bool | None

PAGE_ROWS = 1_000
MAX_PAGE_ROWS = 10_000
MAX_METRICS = 50
MAX_BUCKETS = 10_000  # 27 years of days, 13 months of hours: more is no question but a dump
MAX_CELLS = 200_000  # metrics x groups x buckets of one question; about 100 MB of answer
MAX_VALUES = 1_000  # values of one filter, names of accounts
MAX_DIMENSIONS = 4


@dataclass(frozen=True, slots=True)
class Query:
    """`filter`: an account counts while its trait has one of the values (None: has no value)."""

    metrics: tuple[str, ...]
    start: Moment
    end: Moment
    grain: Grain = "day"
    group_by: tuple[str, ...] = ()
    filter: Mapping[str, tuple[GroupValue, ...]] = field(default_factory=lambda: MappingProxyType({}))
    accounts: tuple[str, ...] | None = None
    compare: Compare | None = None
    definitions: int | None = None
    """An earlier version of the definitions to answer by; the one in force by default."""
    contributing: bool = False
    """Only rows that have anything behind them."""
    slice_at: SliceAt = "start"
    """`end`: every account counts all along in the slice that it is in at the range's end, or now."""
    cursor: str | None = None
    limit: int = PAGE_ROWS

    @property
    def reads_accounts(self) -> bool:
        return bool(self.group_by or self.filter or self.accounts is not None)


@dataclass(frozen=True, slots=True)
class Value:
    """A metric in one bucket of one group, before it is dressed as a figure.

    `exact`: the value before it was rounded, where other figures are made of it and numerator over denominator isn't it.
    `reason`: why the value is unknown, where that isn't just that there is nothing.
    `behind`: something is behind one of the metrics that it is derived from, whatever they come to together.
    """

    value: Number | None
    numerator: Number | None = None
    denominator: Number | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    accounts: int | None = None
    low_n: bool = False
    censored: int = 0
    exact: Fraction | None = None
    reason: str | None = None
    behind: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """`bucket`: its local start with offset; `start`, `end`: the part of it that the question covers.

    `accounts`: how many accounts the value is made of, None where only sums over accounts are kept.
    `low_n`: made of fewer cases than the metric asks for. `censored`: cases whose outcome is still open.
    `reason`: why the value is unknown, where that isn't just that there is nothing.
    `per_account`: where a comparison must not lead, the value by paying account of the group at the range's end, and the value
    compared with by those of then.
    """

    metric: str
    group: Mapping[str, GroupValue]
    bucket: str
    start: str
    end: str
    value: Number | None
    numerator: Number | None
    denominator: Number | None
    low: float | None
    high: float | None
    n: int | None
    low_n: bool
    censored: int
    compare_value: Number | None
    unit: str
    currency: str | None
    as_of: dt.datetime | None
    complete: bool
    version: int
    proxy_of: str | None
    accounts: int | None
    behind: str
    reason: str | None = None
    per_account: Number | None = None
    compare_per_account: Number | None = None

    def as_json(self) -> dict[str, Any]:
        """Counts as integers, money as decimal text of at least two places, ratios as numbers, unknown as null."""
        shown = {name: getattr(self, name) for name in self.__slots__}
        for name in (
            "value",
            "numerator",
            "denominator",
            "compare_value",
            "per_account",
            "compare_per_account",
        ):
            if isinstance(shown[name], Decimal):
                shown[name] = money_text(shown[name])
        shown["group"] = dict(self.group)
        shown["as_of"] = None if self.as_of is None else self.as_of.isoformat()
        return shown


@dataclass(frozen=True, slots=True)
class Leading:
    """Whether a comparison may lead; where not, why, and by metric what leads instead: `target`, `per_account` or nothing."""

    leads: bool
    reason: str | None
    paying: int
    paying_compared: int
    instead: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """One page. `next_cursor` continues the same question."""

    figures: tuple[Figure, ...]
    next_cursor: str | None
    definitions: int = 0
    """The version of the definitions that made the figures."""
    leading: Leading | None = None
    """Of questions with `compare`."""
    frozen_at: dt.datetime | None = None
    """Since when some of it is counted no more, because later definitions count otherwise."""


def money_text(amount: Decimal) -> str:
    """Exact, without exponent, at least two decimal places."""
    whole, _, places = f"{amount:f}".partition(".")
    text = f"{whole}.{places.rstrip('0').ljust(2, '0')}"
    return text.removeprefix("-") if amount == 0 else text
