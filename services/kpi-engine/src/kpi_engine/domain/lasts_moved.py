"""What a transaction changed of last values, an account's of a local day each. Told as revisions.

An account's value is a step function of days: from a day with a value on it is that one, until before the next such day.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

Key = tuple[int, int]
"""(account, local day)"""


@dataclass(frozen=True, slots=True)
class Around:
    """How things stand now at a day that was touched: its own value, the nearest day before it that has one, with it, and the
    nearest after. None: there is none."""

    value: Decimal | None
    earlier_day: int | None
    earlier: Decimal | None
    later_day: int | None


@dataclass(frozen=True, slots=True)
class Level:
    """From `day` on, until before `until`, the sum over accounts is greater by `change`."""

    day: int
    until: int
    change: Decimal


@dataclass(slots=True)
class LastsMoved:
    """`before`: by measure, which value each day had that was touched; None where it had none."""

    before: dict[str, dict[Key, Decimal | None]] = field(default_factory=lambda: defaultdict(dict))

    def touched(self, measure: str, before: Mapping[Key, Decimal | None]) -> None:
        """These days of accounts are about to be written. What was there when they were touched first is kept."""
        for key, value in before.items():
            self.before[measure].setdefault(key, value)

    def merge(self, later: "LastsMoved") -> None:
        for measure, before in later.before.items():
            self.touched(measure, before)

    @property
    def first_day(self) -> int | None:
        return min((day for before in self.before.values() for _, day in before), default=None)


def levels(
    before: Mapping[Key, Decimal | None], now: Mapping[Key, Around], first_known: int, last_day: int
) -> list[Level]:
    """Stretches with one change of the sum over accounts, up to and with `last_day`; cut where anything was known first."""
    edges: dict[int, Decimal] = defaultdict(Decimal)
    by_account: dict[int, list[int]] = defaultdict(list)
    for account, day in sorted(before):
        by_account[account].append(day)
    for account, days in by_account.items():
        for day, until, change in _changes(account, days, before, now):
            edges[day] += change
            if until is not None:
                edges[until] -= change
    days = sorted({*edges, first_known})
    total, found = Decimal(0), []
    for day, until in zip(days, [*days[1:], last_day + 1], strict=True):
        total += edges.get(day, 0)
        if total and day <= last_day:
            found.append(Level(day, min(until, last_day + 1), total))
    return found


def _changes(
    account: int, days: Sequence[int], before: Mapping[Key, Decimal | None], now: Mapping[Key, Around]
) -> Iterator[tuple[int, int | None, Decimal]]:
    """(from, until before, how much more) of one account; `days`: the touched ones, in order."""
    was: Decimal | None = None  # before: what stood from the touched day before on
    for number, day in enumerate(days):
        around = now[account, day]
        stood_between = around.earlier_day is not None and (
            not number or around.earlier_day > days[number - 1]
        )
        carried = around.earlier if stood_between else was
        own = before[account, day]
        was = carried if own is None else own
        stands = around.earlier if around.value is None else around.value
        following = [
            *days[number + 1 : number + 2],
            *([] if around.later_day is None else [around.later_day]),
        ]
        yield day, min(following, default=None), (stands or Decimal(0)) - (was or Decimal(0))
