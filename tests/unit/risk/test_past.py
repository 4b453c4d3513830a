"""What was known at an instant is made of nothing that became known later."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.catalogue import load
from common.catalogue.loading import base_pack
from common.contracts.instants import microseconds
from common.figures.mrr import Change
from common.figures.rates import Rates
from common.risk.months import histories, month_starts
from common.risk.past import Events, Facts, Past, Told, day_of, known_at, months_until
from common.risk.score import compiled

ZONE = ZoneInfo("Europe/Berlin")
DAY = dt.timedelta(days=1)
AT = dt.datetime(2026, 2, 28, 23, tzinfo=dt.UTC)  # the local first of March
PACK = load(base_pack())
SCORE = compiled(PACK.risk.values(), PACK.risk_settings, 1)

Row = tuple[int, int, dt.datetime, dt.datetime]
"""Account, person, when it happened and when it was known."""


def events(rows: Sequence[Row]) -> Events:
    columns = zip(*rows, strict=True) if rows else ([],) * 4
    account, person, at, known = (list(column) for column in columns)
    return Events(
        np.array(account, np.int64),
        np.array(person, np.int64),
        np.array([day_of(one, ZONE) for one in at], np.int64),
        np.array([microseconds(one) for one in at], np.int64),
        np.array([microseconds(one) for one in known], np.int64),
    )


def change(
    account: int, at: dt.datetime, kind: Any = "started", mrr: str | None = "100", **more: Any
) -> Change:
    return Change(f"s{account}", more.pop("effective_at", at), at, "t", f"{account}-{at}", kind, Decimal(mrr) if mrr else None, **more)  # fmt: skip


def facts(account: int, known: dt.timedelta = dt.timedelta()) -> Facts:
    start, end = AT - 200 * DAY, AT + 60 * DAY
    return Facts(
        changes=[(start + known, change(account, start, term_end=end, notice_deadline=end - 30 * DAY))],
        answers=[Told(AT - 9 * DAY, AT - 9 * DAY + known, "nps", 4.0)],
        traits=[Told(start, start + known, "segment", "smb"), Told(start, start + known, "seats", 10)],
    )


RATES = Rates("EUR", {"USD": [AT.date() - dt.timedelta(days=30)]}, {"USD": [Decimal("0.5")]})


def past(use: Sequence[Row], complaints: Sequence[Row] = (), **accounts: Facts) -> Past:
    of = {int(name[1:]): its for name, its in accounts.items()}
    return Past(ZONE, events(use), events(complaints), of, RATES)


@pytest.mark.parametrize(("currency", "worth"), [("EUR", 100), ("USD", 50), ("CHF", None), (None, 100)])
def test_what_is_paid_is_in_the_tenants_currency(currency: str | None, worth: int | None) -> None:
    """As the engine says it of today: else it would be judged by other figures than were learnt from."""
    its = facts(1)
    its.changes = [(known, replace(change, currency=currency)) for known, change in its.changes]
    found = known_at(past([], a1=its), AT)[1]
    assert (found.figures["mrr"], found.renewals[0].mrr) == (worth, worth)


instants = st.integers(-90 * 24, 40 * 24).map(lambda hours: AT + dt.timedelta(hours=hours))
rows = st.tuples(st.sampled_from([1, 2]), st.integers(0, 3), instants, instants).map(
    lambda row: (row[0], row[1] and row[1] + 10 * row[0], row[2], max(row[2], row[3]))
)


@given(st.lists(rows, max_size=40), st.lists(rows, max_size=8))
@settings(max_examples=40, deadline=None)
def test_what_became_known_later_changes_nothing(use: list[Row], complaints: list[Row]) -> None:
    def seen(drop: bool) -> Any:
        kept = [[row for row in some if not drop or row[3] < AT] for some in (use, complaints)]
        return known_at(past(*kept, a1=facts(1), a2=facts(2)), AT)

    assert seen(drop=False) == seen(drop=True)


# Around the starts of months, where what is known before and after them lies side by side.
days = st.tuples(
    st.sampled_from(month_starts(AT - 400 * DAY, AT + 40 * DAY, ZONE)), st.sampled_from([0, 1, 15])
).map(lambda said: said[0] + said[1] * DAY)
late = st.sampled_from([0, 1, 40, 100, 300]).map(lambda days: days * DAY)


@st.composite
def contracts(draw: st.DrawFn, account: int) -> list[tuple[dt.datetime, Change]]:
    """Whatever may be told of one subscription, each thing some time after it happened."""
    told = [(AT - 430 * DAY, change(account, AT - 430 * DAY, term_end=AT - 200 * DAY))]
    for at, kind, delay, term in draw(
        st.lists(
            st.tuples(days, st.sampled_from(["changed", "renewed", "cancelled"]), late, late), max_size=4
        )
    ):
        ahead = {"effective_at": at + term} if kind == "cancelled" else {"term_end": at + term}
        told.append((at + delay, change(account, at, kind, None if kind == "cancelled" else "90", **ahead)))
    return told


@given(st.lists(rows, max_size=6), contracts(1), contracts(2), st.randoms())
@settings(max_examples=30, deadline=None)
def test_what_is_learnt_from_never_changes_by_what_becomes_known_later(
    use: list[Row], first: list[Any], second: list[Any], random: Any
) -> None:
    now = AT + 80 * DAY
    starts = month_starts(AT - 420 * DAY, now, ZONE)
    then = random.choice([known for known, _ in (*first, *second)])

    def learnt(known_before: dt.datetime) -> tuple[list[Any], list[Any]]:
        kept = [row for row in use if row[3] < known_before]
        told = {
            f"a{n}": replace(facts(n), changes=[one for one in its if one[0] < known_before])
            for n, its in ((1, first), (2, second))
        }
        return histories(past(kept, (), **told), starts, SCORE, {}, now)

    (months, renewals), (known_then, asked_then) = learnt(now), learnt(then)
    assert [one for one in months if one.settled_at <= then] == [
        one for one in known_then if one.settled_at <= then
    ]
    for told, known in ((months, known_then), (renewals, asked_then)):
        seen = {(one.account_id, one.at): one for one in known if one.at <= then}
        for one in told:
            before = seen.get((one.account_id, one.at))
            if before is not None:
                assert (one.figures, one.months_to_due) == (before.figures, before.months_to_due)
                assert getattr(one, "score", 0) == getattr(before, "score", 0)


def test_late_word_of_a_fact_is_not_known_before_it_came() -> None:
    notice = change(1, AT - 5 * DAY, "cancelled", None, effective_at=AT + 60 * DAY)
    told_late = replace_changes(facts(1), (AT + DAY, notice))
    assert known_at(past([], a1=told_late), AT)[1].next is not None
    assert known_at(past([], a1=told_late), AT + 2 * DAY)[1].next is None
    assert known_at(past([], a1=facts(1, known=300 * DAY)), AT) == {}
    late_answer = facts(1)
    late_answer.answers = [Told(AT - 9 * DAY, AT + DAY, "nps", 4.0)]
    assert known_at(past([], a1=late_answer), AT)[1].figures["nps_latest"] is None


def replace_changes(its: Facts, *more: tuple[dt.datetime, Change]) -> Facts:
    return replace(its, changes=[*its.changes, *more])


def test_figures_are_those_of_the_account_then() -> None:
    use = [(1, 11, AT - n * DAY + dt.timedelta(hours=1), AT) for n in range(2, 30, 3)]
    use += [(1, 12, AT - n * DAY, AT - n * DAY) for n in range(30, 50)]
    use = [(a, p, at, at) for a, p, at, _ in use]
    found = known_at(past(use, [(1, 0, AT - DAY, AT - DAY)], a1=facts(1)), AT)[1]
    assert found.figures["days_silent"] == 2
    assert found.figures["active_users_28d"] == 1
    assert found.figures["complaints_28d"] == 1
    assert found.figures["login_trend"] == pytest.approx(9 / 21 - 1)
    assert found.figures["nps_latest"] == 4
    assert (found.figures["mrr"], found.figures["paying_days"], found.figures["renewals_kept"]) == (
        100,
        200,
        0,
    )
    assert found.traits == {"segment": "smb", "seats": 10}
    assert months_until(AT, AT + 60 * DAY, ZONE) == 1


def test_a_segment_moves_as_accounts_do_that_were_used_before() -> None:
    use = [(1, 11, AT - n * DAY, AT - n * DAY) for n in range(2, 57)]
    use += [(2, 21, AT - n * DAY, AT - n * DAY) for n in range(2, 29)]
    found = known_at(past(use, a1=facts(1), a2=facts(2)), AT)
    assert found[1].figures["login_trend"] == found[1].figures["segment_login_trend"]
    assert (found[2].figures["login_trend"], found[2].figures["login_trend_vs_segment"]) == (None, None)


def test_renewals_are_asked_about_while_there_is_time_and_months_end_when_notice_is_given() -> None:
    start, end = AT - 300 * DAY, AT + 65 * DAY
    leaves = Facts(
        changes=[
            (start, change(1, start, term_end=end, notice_deadline=end - 30 * DAY)),
            (AT + 20 * DAY, change(1, AT + 20 * DAY, "cancelled", None, effective_at=end)),
        ]
    )
    stays = Facts(
        changes=[
            (start, change(2, start, term_end=end)),
            (end - DAY, change(2, end - DAY, "renewed", term_end=end + 365 * DAY)),
        ]
    )
    now = end + 100 * DAY
    starts = month_starts(start, now, ZONE)
    assert starts[0].astimezone(ZONE).day == 1
    months, renewals = histories(past([], a1=leaves, a2=stays), starts, SCORE, {}, now)
    assert [(one.account_id, one.lost) for one in renewals] == [(1, True), (2, False)]
    assert [one.at.astimezone(ZONE).date().isoformat() for one in renewals] == ["2026-03-01", "2026-04-01"]
    assert [one.months_to_due for one in renewals] == [2, 1]
    of_leaver = [one for one in months if one.account_id == 1]
    assert [one.left for one in of_leaver] == [*[False] * (len(of_leaver) - 1), True]
    assert of_leaver[-1].at == AT, "who has given notice is decided, and no longer at risk"
    said = {1: [(dt.date(2026, 2, 1), 0.5), (dt.date(2026, 3, 1), 0.9)]}
    _, again = histories(past([], a1=leaves, a2=stays), starts, SCORE, said, now)
    assert again[0].score == 0.5, "what was said then counts, not what would be said today"
