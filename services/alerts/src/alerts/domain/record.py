"""A record of accuracy: what became of the warnings of one rule, health band or risk score, counted and named.

Accounts are ids here, so that a record that was kept names an account as it is called today.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from alerts.domain.accuracy import RIGHT, Judged, Lead, Share, Verdict, in_words, lead, share
from alerts.domain.tally import week_of

Source = Literal["live", "shadow", "past"]
MONTHS_A_YEAR = 12
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Entry:
    """A warning and what became of it. `day` is the local one. `mrr` is what was known at that moment; None: in a currency without a rate.

    `is_first`: no other rule of its queue foretold the same ending before, so its money is counted here.
    """

    account_id: int
    day: date
    source: Source
    judged: Judged
    owner: str | None = None
    segment: str | None = None
    mrr: Decimal | None = ZERO
    is_first: bool = False


@dataclass(frozen=True, slots=True)
class MissedEntry:
    account_id: int
    day: date
    worked: bool
    owner: str | None = None
    segment: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """The days over which was watched, both included, and how many people look after accounts."""

    start: date
    end: date
    owners: int

    @property
    def weeks(self) -> float:
        return max((self.end - self.start).days + 1, 0) / 7


@dataclass(frozen=True, slots=True)
class Record:
    """Accounts in the order of their warnings, one entry each; `renewed_after_warning` is what people worked on and renewed.

    Money is a year's, each ending counted for the first warning of any rule that foretold it; `money_unknown` counts warnings in currencies without a rate.
    """

    warnings: int
    caught: tuple[int, ...]
    confirmed: tuple[int, ...]
    false: tuple[int, ...]
    missed: tuple[int, ...]
    pending: tuple[int, ...]
    unsaid: tuple[int, ...]
    renewed_after_warning: tuple[int, ...]
    repeated: int
    too_late: int
    unjudged: int
    precision: Share
    recall: Share
    days_before: Lead
    days_before_notice: Lead
    load_per_csm_week: float | None
    busiest_csm_week: int
    money_caught: Decimal
    money_renewed_after_warning: Decimal
    money_unknown: int

    @property
    def verdicts(self) -> int:
        return self.precision.n


@dataclass(frozen=True, slots=True)
class Records:
    """The record of everything, of what nobody worked on (`clean`), and of what our work touched."""

    whole: Record
    clean: Record
    worked: Record

    @property
    def precision(self) -> Share:
        return self.whole.precision


def records(entries: Sequence[Entry], missed: Sequence[MissedEntry], span: Span) -> Records:
    return Records(
        record(entries, missed, span),
        record([e for e in entries if not e.judged.worked], [m for m in missed if not m.worked], span),
        record([e for e in entries if e.judged.worked], [m for m in missed if m.worked], span),
    )


def record(entries: Sequence[Entry], missed: Sequence[MissedEntry], span: Span) -> Record:
    def of(*verdicts: Verdict) -> list[Entry]:
        return [entry for entry in entries if entry.judged.verdict in verdicts]

    caught, false = of(Verdict.CAUGHT), of(Verdict.FALSE)
    renewed = [e for e in entries if e.judged.renewed_at is not None and e.judged.worked]
    right = sum(1 for e in of(*RIGHT) if e.judged.counts)
    load, busiest = _load(entries, span)
    return Record(
        warnings=len(entries),
        caught=_accounts(caught),
        confirmed=_accounts(of(Verdict.CONFIRMED)),
        false=_accounts(false),
        missed=tuple(one.account_id for one in missed),
        pending=_accounts(of(Verdict.OPEN)),
        unsaid=_accounts(of(Verdict.UNSAID)),
        renewed_after_warning=_accounts(renewed),
        repeated=len(of(Verdict.REPEAT)),
        too_late=len(of(Verdict.LATE, Verdict.AFTER)),
        unjudged=len(of(Verdict.UNJUDGED)),
        precision=share(right, right + len(false)),
        recall=share(len(caught), len(caught) + len(missed)),
        days_before=lead(_known(e.judged.days_before for e in caught)),
        days_before_notice=lead(_known(e.judged.days_before_notice for e in caught)),
        load_per_csm_week=load,
        busiest_csm_week=busiest,
        money_caught=_a_year(e for e in caught if e.is_first),
        money_renewed_after_warning=_a_year(e for e in renewed if e.is_first),
        money_unknown=sum(1 for e in [*caught, *renewed] if e.is_first and e.mrr is None),
    )


Plain = dict[str, Any]
"""A record in what JSON has, accounts as ids: what is kept of it, and what routes answer once the accounts are named."""
ACCOUNT_LISTS = (
    "caught",
    "confirmed",
    "false",
    "missed",
    "pending",
    "unsaid",
    "renewed_after_warning",
)


def plain(found: Records) -> Plain:
    return {**_plain(found.whole), "clean": _plain(found.clean), "worked": _plain(found.worked)}


def _plain(found: Record) -> Plain:
    return {
        "words": in_words(found),
        "warnings": found.warnings,
        "verdicts": found.verdicts,
        "known": found.precision.value is not None,
        **{name: list(getattr(found, name)) for name in ACCOUNT_LISTS},
        "repeated": found.repeated,
        "too_late": found.too_late,
        "unjudged": found.unjudged,
        "precision": _plain_share(found.precision),
        "recall": _plain_share(found.recall),
        "days_before": _plain_days(found.days_before),
        "days_before_notice": _plain_days(found.days_before_notice),
        "load_per_csm_week": found.load_per_csm_week,
        "busiest_csm_week": found.busiest_csm_week,
        "money_caught": str(found.money_caught),
        "money_renewed_after_warning": str(found.money_renewed_after_warning),
        "money_unknown": found.money_unknown,
    }


def _plain_share(found: Share) -> Plain | None:
    if found.value is None:
        return None
    return {"n": found.right, "of": found.n, "value": found.value, "low": found.low, "high": found.high}


def _plain_days(found: Lead) -> Plain:
    return {"median": found.median, "low": found.least, "high": found.most, "n": found.n}


def parts(
    entries: Sequence[Entry],
    missed: Sequence[MissedEntry],
    span: Span,
    key: Callable[[Entry | MissedEntry], str | None],
) -> dict[str | None, Records]:
    """The same for each value of `key`, such as a segment, in order; those without one last."""
    keys = {key(entry) for entry in entries} | {key(one) for one in missed}
    return {
        value: records([e for e in entries if key(e) == value], [m for m in missed if key(m) == value], span)
        for value in sorted(keys, key=lambda value: (value is None, value or ""))
    }


def _accounts(entries: Iterable[Entry]) -> tuple[int, ...]:
    return tuple(entry.account_id for entry in entries)


def _known(days: Iterable[float | None]) -> list[float]:
    return [day for day in days if day is not None]


def _a_year(entries: Iterable[Entry]) -> Decimal:
    return sum((entry.mrr * MONTHS_A_YEAR for entry in entries if entry.mrr is not None), ZERO)


def _load(entries: Sequence[Entry], span: Span) -> tuple[float | None, int]:
    """Warnings for each of the people who look after accounts, in the mean week and in the worst week of anyone."""
    weeks = Counter((entry.owner, week_of(entry.day)) for entry in entries)
    busiest = max(weeks.values(), default=0)
    if not span.owners or not span.weeks:
        return None, busiest
    return len(entries) / span.owners / span.weeks, busiest
