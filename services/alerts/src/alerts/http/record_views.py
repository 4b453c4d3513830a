"""Records of accuracy as the routes answer them. Accounts by name, shares as numbers from 0 to 1, money as decimal strings a year."""

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from alerts.domain.accuracy import Lead, Share, in_words
from alerts.domain.record import Record, Records

Names = Mapping[int, str]


class ProportionView(BaseModel):
    n: int = Field(description="how many were right")
    of: int
    value: float
    low: float = Field(description="of the interval that holds the true share in 95 of 100 cases (Wilson)")
    high: float


class DaysView(BaseModel):
    median: float | None
    low: float | None = Field(description="the least")
    high: float | None = Field(description="the most")
    n: int


class RecordView(BaseModel):
    """Accounts stand there once for each warning that counted."""

    words: str = Field(description="`right in 14 of 20`, or `not known yet (3 of 20 verdicts)`")
    warnings: int
    verdicts: int = Field(description="warnings of which is known whether the risk was real")
    known: bool = Field(description="false below 20 verdicts: no share is told then")
    caught: list[str] = Field(description="left after a warning that came in time")
    confirmed: list[str] = Field(description="people say that the risk was real; the account did not leave")
    false: list[str]
    missed: list[str] = Field(description="left without a warning in time")
    pending: list[str] = Field(description="nobody can know yet")
    unsaid: list[str] = Field(
        description="worked on and stayed, and nobody said whether the risk was real: no verdict"
    )
    renewed_after_warning: list[str] = Field(description="worked on and renewed; not said to be saved by us")
    repeated: int = Field(description="further warnings of the same")
    too_late: int = Field(description="after the decision or the notice deadline")
    unjudged: int = Field(
        description="without a contract, or left by the silence that the rule itself watches"
    )
    precision: ProportionView | None = Field(description="null below 20 verdicts")
    recall: ProportionView | None = Field(description="of the accounts that left; null below 20")
    days_before: DaysView = Field(description="from the warning to the decision to leave")
    days_before_notice: DaysView = Field(
        description="from the warning to the notice deadline, where one is known"
    )
    load_per_csm_week: float | None = Field(description="warnings a week for each who looks after accounts")
    busiest_csm_week: int = Field(description="the most that anyone had in a week")
    money_caught: Decimal = Field(
        description="a year's revenue of accounts that left and were warned of here first, of all rules"
    )
    money_renewed_after_warning: Decimal
    money_unknown: int = Field(description="warnings in currencies without a rate, which are left out")


class PartedRecordView(RecordView):
    clean: RecordView = Field(
        description="what nobody worked on: the past before the rule was there, and what it only watched"
    )
    worked: RecordView = Field(description="what our work touched, and may have changed")


def record_view(found: Records, names: Names) -> dict[str, Any]:
    return {
        **_record(found.whole, names),
        "clean": _record(found.clean, names),
        "worked": _record(found.worked, names),
    }


def accounts_of(found: Records) -> set[int]:
    """Whoever is named."""
    return {account for of in _LISTS for account in of(found.whole)}


def _record(found: Record, names: Names) -> dict[str, Any]:
    def named(ids: tuple[int, ...]) -> list[str]:
        return [names.get(one, str(one)) for one in ids]

    return {
        "words": in_words(found),
        "warnings": found.warnings,
        "verdicts": found.verdicts,
        "known": found.precision.value is not None,
        "caught": named(found.caught),
        "confirmed": named(found.confirmed),
        "false": named(found.false),
        "missed": named(found.missed),
        "pending": named(found.pending),
        "unsaid": named(found.unsaid),
        "renewed_after_warning": named(found.renewed_after_warning),
        "repeated": found.repeated,
        "too_late": found.too_late,
        "unjudged": found.unjudged,
        "precision": _share(found.precision),
        "recall": _share(found.recall),
        "days_before": _days(found.days_before),
        "days_before_notice": _days(found.days_before_notice),
        "load_per_csm_week": found.load_per_csm_week,
        "busiest_csm_week": found.busiest_csm_week,
        "money_caught": found.money_caught,
        "money_renewed_after_warning": found.money_renewed_after_warning,
        "money_unknown": found.money_unknown,
    }


_LISTS: tuple[Callable[[Record], tuple[int, ...]], ...] = (
    lambda found: found.caught,
    lambda found: found.confirmed,
    lambda found: found.false,
    lambda found: found.missed,
    lambda found: found.pending,
    lambda found: found.unsaid,
    lambda found: found.renewed_after_warning,
)


def _share(found: Share) -> dict[str, Any] | None:
    if found.value is None:
        return None
    return {"n": found.right, "of": found.n, "value": found.value, "low": found.low, "high": found.high}


def _days(found: Lead) -> dict[str, Any]:
    return {"median": found.median, "low": found.least, "high": found.most, "n": found.n}
