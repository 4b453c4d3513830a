"""What signals read of an account beside its counts, and the figures that follow."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import median
from typing import Any

from common.catalogue.lifecycles import SEATS
from common.context.quiet import quiet_between
from common.figures.forgotten import STANDS
from common.figures.mrr import Step as MrrStep
from common.signals.said import (
    INVOICES,
    LEAST_TICKETS,
    PLANS,
    RECENT,
    REMEMBERED,
    STEPS_COUNT,
    SURVEYS,
    TICKET_WAITS,
    TICKETS,
    Answer,
    Step,
    is_away,
    is_habit,
    nps_change,
    number_of,
    seats_of,
    usual_gap,
)
from kpi_engine.domain.buckets import LocalTime, day_of_number
from kpi_engine.domain.state import Figure, day_of

_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Champion:
    """`seen`: numbers of the days of the last 180, ascending."""

    left_at: datetime | None
    seen: Sequence[int]


@dataclass(slots=True)
class SignalFacts:
    """None where a company has no such data. `steps` by measure and `traits` by name, those in order, these the newest first.

    `whole_from`: of measures whose steps were no longer all kept when they were counted, from which day on they are.
    """

    people_before: int | None = None
    key_people: int | None = None
    steps: dict[str, list[Step]] = field(default_factory=lambda: defaultdict(list))
    traits: dict[str, list[tuple[datetime, str | None]]] = field(default_factory=lambda: defaultdict(list))
    champions: list[Champion] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    whole_from: Mapping[str, date] = field(default_factory=dict)

    def goes_back(self, measure: str, day: date) -> bool:
        """Whether all steps from a day on are known."""
        return self.whole_from.get(measure, day) <= day

    def all_steps(self, measure: str, today: date) -> Sequence[Step] | None:
        """As far back as they count; None where some of the last year may have been forgotten: what is older is taken to be over."""
        known = self.goes_back(measure, today - min(STEPS_COUNT[measure], STANDS))
        return self.steps.get(measure, ()) if known else None


def signal_figures(
    facts: SignalFacts,
    traits: Mapping[str, Any],
    sold: Sequence[MrrStep],
    figures: Mapping[str, Figure],
    quiet: Collection[date],
    now: datetime,
    local: LocalTime,
) -> dict[str, Figure]:
    """Only what is known: other figures of signals are unknown. `traits`: as they are now. `sold`: how the seats of running subscriptions changed, in order.

    `quiet`: days on which nobody expects its people.
    """
    found: dict[str, Any] = {
        "active_users_28d_before": facts.people_before,
        "key_users_28d": facts.key_people,
        **_seats(facts, traits, sold, figures, now),
        **_champions(facts.champions, quiet, now, local),
        **_tickets(facts, now, local),
        **_answers(facts.answers, now, local),
        **_surveys(facts, figures, now, local),
        **_plan(facts.all_steps(PLANS, local.day_at(now)), now, local),
        **_invoices(facts.all_steps(INVOICES, local.day_at(now))),
        **_owner(facts.traits.get("owner", ()), now, local),
        "days_to_decide": _first_known(figures, "days_to_notice", "days_to_renewal"),
    }
    return {name: value for name, value in found.items() if value is not None}


def revenue_figures(
    quarter_ago: Decimal | None, under_notice: Decimal | None, notice_at: datetime | None
) -> dict[str, Figure]:
    """Of an account that has, or had, a subscription."""
    found: dict[str, Figure] = {"mrr_90d_ago": quarter_ago, "mrr_under_notice": under_notice}
    if notice_at is not None and under_notice:
        found["notice_given_at"] = _text(notice_at)
    return found


def _seats(
    facts: SignalFacts,
    traits: Mapping[str, Any],
    sold: Sequence[MrrStep],
    figures: Mapping[str, Figure],
    now: datetime,
) -> dict[str, Any]:
    told = [(at, number_of(text)) for at, text in reversed(facts.traits.get(SEATS, ()))]
    # Where no signal asks for its history, what the trait says now is all that is known of it.
    known = seats_of(
        told or [(_EVER, number_of(str(traits.get(SEATS))))],
        [(at, change) for at, change in sold if at < now],
        now,
    )
    if known is None:
        return {}
    seats, before = known
    active = figures.get("active_users_28d")
    return {
        "seats": seats,
        "seats_before": before,
        "seats_used": active / seats if isinstance(active, int) else None,
    }


def _champions(
    champions: Iterable[Champion], quiet: Collection[date], now: datetime, local: LocalTime
) -> dict[str, Any]:
    known = [one for one in champions if one.left_at is None or one.left_at > now - REMEMBERED]
    gone = [day for one in known if (day := _gone_on(one, quiet, local.day_at(now), local)) is not None]
    counted = sum(1 for one in known if one.left_at is not None or is_habit(one.seen))
    if not counted:
        return {"champions": 0 if known else None}
    last = max(gone, default=None)
    return {
        "champions": counted,
        "champions_lost": len(gone),
        "champion_lost_at": last.isoformat() if last else None,
    }


def _gone_on(champion: Champion, quiet: Collection[date], today: date, local: LocalTime) -> date | None:
    if champion.left_at is not None:
        return local.day_at(champion.left_at)
    if not champion.seen:
        return None
    last = day_of_number(champion.seen[-1])
    away = (today - last).days - quiet_between(quiet, last, today)
    return last if is_away(champion.seen, usual_gap(champion.seen), away) else None


def _tickets(facts: SignalFacts, now: datetime, local: LocalTime) -> dict[str, Any]:
    """Of tickets that wait still, the time they have waited: it can only grow. Who was helped without an answer waits for none."""
    steps = facts.steps.get(TICKETS, ())
    if not facts.goes_back(TICKETS, local.day_at(now - RECENT)):
        return {}
    goes_back = facts.all_steps(TICKETS, local.day_at(now)) is not None
    told: dict[str, dict[str, datetime]] = defaultdict(dict)
    for one in steps:
        told[one.entity].setdefault(one.step, one.at)
    opened = [(its["opened"], its) for its in told.values() if "opened" in its]
    recent = [(at, its) for at, its in opened if at > now - RECENT]
    earlier = [(at, its) for at, its in opened if at <= now - RECENT]
    found: dict[str, Any] = {"tickets_28d": len(recent)}
    for name, ends in TICKET_WAITS.items():
        if not any(ends[0] in its for its in told.values()):
            continue
        found[f"{name}_hours"] = _median_hours(recent, ends, now, least=1)
        if goes_back:
            found[f"{name}_usual"] = _median_hours(earlier, ends, now, least=LEAST_TICKETS)
    return found


def _median_hours(
    tickets: Sequence[tuple[datetime, Mapping[str, datetime]]], ends: Sequence[str], now: datetime, least: int
) -> float | None:
    # As everywhere, an end before the start took no time.
    waited = [
        max((min(its.get(step, now) for step in ends) - at) / timedelta(hours=1), 0.0) for at, its in tickets
    ]
    return median(waited) if len(waited) >= least else None


def _answers(answers: Sequence[Answer], now: datetime, local: LocalTime) -> dict[str, Any]:
    if not answers:
        return {}
    return {
        "nps_change": nps_change(answers, now),
        "nps_answered_at": _text(answers[-1].at),
        "days_since_answer": _days_since(answers[-1].at, now, local),
    }


def _surveys(
    facts: SignalFacts, figures: Mapping[str, Figure], now: datetime, local: LocalTime
) -> dict[str, Any]:
    """Who was never asked, where others were, has not been asked for as long as it is there."""
    steps = facts.steps.get(SURVEYS)
    # What came late may be of days whose other events are forgotten.
    if steps and not facts.goes_back(SURVEYS, local.day_at(steps[-1].at)):
        return {}
    if not steps:
        return {} if steps is None else {"days_not_asked": figures.get("age_days")}
    days = _days_since(steps[-1].at, now, local)
    return {"days_since_survey": days, "days_not_asked": days}


def _plan(steps: Sequence[Step] | None, now: datetime, local: LocalTime) -> dict[str, Any]:
    """Of the plan that was set last: how far it is, and how far on a straight way it would be."""
    if steps is None:
        return {}
    first = next((one for one in reversed(steps) if one.step == "set"), None)
    if first is None:
        return {}
    target, baseline = (number_of(first.labels.get(name)) for name in ("target", "baseline"))
    due = day_of(first.labels.get("due"), local)
    start = next((one for one in steps if one.entity == first.entity and one.step == "set"), first).at
    values = [
        (one.at, value)
        for one in steps
        if one.entity == first.entity and (value := number_of(one.labels.get("value"))) is not None
    ]
    begin = baseline if baseline is not None else 0.0
    if target is None or target == begin:
        return {}
    reached = [at for at, value in values if (value - begin) / (target - begin) >= 1]
    progress = (values[-1][1] - begin) / (target - begin) if values else 0.0
    return {
        "plan_progress": progress,
        "plan_expected": None if due is None else _share_gone(local.day_at(start), due, local.day_at(now)),
        "days_since_plan_reached": _days_since(reached[0], now, local) if reached else None,
    }


def _share_gone(start: date, due: date, today: date) -> float:
    length = (due - start).days
    return 1.0 if length <= 0 else min(max((today - start).days / length, 0.0), 1.0)


def _invoices(steps: Sequence[Step] | None) -> dict[str, Any]:
    if steps is None:
        return {}
    last: dict[str, Step] = {one.entity: one for one in steps}
    failed = [one.at for one in last.values() if one.step == "failed"]
    if not last:
        return {"invoices_failed": 0}
    return {"invoices_failed": len(failed), "invoice_failed_at": _text(min(failed)) if failed else None}


def _owner(told: Sequence[tuple[datetime, str | None]], now: datetime, local: LocalTime) -> dict[str, Any]:
    """The first owner is nobody's successor, nor who comes after nobody; nothing is known of an account without one."""
    if not told or told[0][1] is None:
        return {}
    changed = []
    for (at, name), (_, before) in pairwise(told):
        if before is None:
            break
        if name != before:
            changed.append(at)
    if not changed:
        return {"owner_changes": 0}
    return {
        "owner_changes": len(changed),
        "owner_changed_at": _text(changed[0]),
        "days_since_owner_change": _days_since(changed[0], now, local),
    }


def _first_known(figures: Mapping[str, Figure], *names: str) -> Figure:
    return next((figures[name] for name in names if figures.get(name) is not None), None)


def _days_since(at: datetime, now: datetime, local: LocalTime) -> int:
    return max((local.day_at(now) - local.day_at(at)).days, 0)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
