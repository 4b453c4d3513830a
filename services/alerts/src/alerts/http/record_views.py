"""Records of accuracy as the routes answer them. Accounts by name, shares as numbers from 0 to 1, money as decimal strings a year."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from alerts.domain.record import ACCOUNT_LISTS, Plain

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


def named(found: Plain, names: Names) -> dict[str, Any]:
    """The same with accounts by name; one that is gone keeps its id."""
    return {key: _named(key, value, names) for key, value in found.items()}


def _named(key: str, value: Any, names: Names) -> Any:
    if key in ACCOUNT_LISTS:
        return [names.get(one, str(one)) for one in value]
    return named(value, names) if key in ("clean", "worked") else value


def accounts_of(found: Iterable[Plain]) -> list[int]:
    """Whoever is named."""
    return sorted({one for record in found for key in ACCOUNT_LISTS for one in record[key]})
