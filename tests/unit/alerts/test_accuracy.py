"""What warnings are worth, in counts: nothing is counted twice, and little is never called much."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import comb
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.alerts.slow_accuracy import Case, End, Warned, verdicts

from alerts.domain.accuracy import (
    LEAST_VERDICTS,
    AccountJudged,
    Ending,
    Fired,
    Judged,
    Verdict,
    in_words,
    judge_account,
    lead,
    share,
)
from alerts.domain.record import Entry, MissedEntry, Span, parts, records
from alerts.domain.tally import by_week, loads, week_of

START = datetime(2025, 1, 1, tzinfo=UTC)
TODAY = 400
NOW = START + timedelta(days=TODAY)
HORIZON = timedelta(days=90)


def at(day: float) -> datetime:
    return START + timedelta(days=day)


def judged(
    fired: list[float], *known: Ending, work: list[tuple[float, float]] | None = None
) -> AccountJudged:
    intervals = [(at(begun), at(ended)) for begun, ended in work or []]
    return judge_account([Fired(at(day)) for day in fired], known, HORIZON, NOW, intervals)


def words(fired: list[float], *known: Ending, work: list[tuple[float, float]] | None = None) -> list[str]:
    return [one.verdict.value for one in judged(fired, *known, work=work).warnings]


def test_the_first_warning_within_the_horizon_is_credited_and_later_ones_repeat_it() -> None:
    found = judged([50, 130, 140], Ending("churned", at(150)))
    assert [one.verdict.value for one in found.warnings] == ["false", "caught", "repeat"]
    assert [one.days_before for one in found.warnings] == [None, 20.0, None]
    assert found.missed == ()


def test_a_warning_on_or_after_the_decision_foretells_nothing() -> None:
    churn = Ending("churned", at(100))
    found = judged([100, 120], churn)
    assert [one.verdict for one in found.warnings] == [Verdict.AFTER, Verdict.AFTER]
    assert [one.ending for one in found.missed] == [churn]


def test_a_warning_after_the_notice_deadline_comes_too_late() -> None:
    churn = Ending("churned", at(100), notice_deadline=at(60))
    found = judged([70], churn)
    assert (found.warnings[0].verdict, found.missed[0].ending) == (Verdict.LATE, churn)
    in_time = judged([50, 70], churn).warnings
    assert [one.verdict.value for one in in_time] == ["caught", "late"]
    assert (in_time[0].days_before, in_time[0].days_before_notice) == (50, 10)


def test_an_account_that_came_back_can_be_warned_of_again() -> None:
    assert words([120, 250], Ending("churned", at(100), returned_at=at(200))) == ["after", "false"]


def test_a_renewal_beyond_the_horizon_proves_a_warning_wrong_at_once_and_time_does_later() -> None:
    assert words([380]) == ["open"]
    assert words([380], Ending("renewed", at(390))) == ["false"]
    assert words([380], Ending("renewed", at(390), term_end=at(420))) == ["open"]
    assert words([380], Ending("renewed", at(370))) == ["open"]
    assert words([310]) == ["false"]


def test_a_warning_that_lasted_through_a_long_renewal_foretold_nothing_after_it() -> None:
    churn = Ending("churned", at(150))
    assert words([80], Ending("renewed", at(100), term_end=at(465)), churn) == ["false"]
    assert words([80], Ending("renewed", at(100), term_end=at(130)), churn) == ["caught"]


def test_a_flapping_rule_is_wrong_once_a_renewal_not_once_a_warning() -> None:
    assert words([100, 105, 111, 185, 300]) == ["false", "repeat", "repeat", "repeat", "false"]


def test_what_we_worked_on_and_stayed_proves_nothing_until_somebody_says() -> None:
    renewed = Ending("renewed", at(120))
    [one] = judged([100], renewed, work=[(101, 110)]).warnings
    assert (one.verdict, one.counts, one.renewed_at) == (Verdict.UNSAID, False, at(120))
    lost = judged([100], Ending("churned", at(130)), work=[(101, 110)]).warnings[0]
    assert (lost.verdict, lost.counts) == (Verdict.CAUGHT, False)
    said = judge_account([Fired(at(100), said=True)], [renewed], HORIZON, NOW, [(at(101), at(110))])
    assert (said.warnings[0].verdict, said.warnings[0].counts) == (Verdict.CONFIRMED, True)


def test_silence_is_not_proved_by_silence_nor_by_who_never_paid() -> None:
    unused = Ending("churned", at(150), is_silence=True)
    quiet = judge_account([Fired(at(100))], [unused], HORIZON, NOW, reads_silence=True)
    assert (quiet.warnings[0].verdict, quiet.missed) == (Verdict.UNJUDGED, ())
    assert judge_account([Fired(at(100))], [unused], HORIZON, NOW).warnings[0].verdict is Verdict.CAUGHT
    assert (
        judge_account([Fired(at(100), pays=False)], [], HORIZON, NOW).warnings[0].verdict is Verdict.UNJUDGED
    )


def test_what_will_be_decided_is_not_known() -> None:
    assert words([380], Ending("churned", at(401))) == ["open"]


days = st.integers(0, TODAY)
warned = st.lists(
    st.builds(
        Warned,
        days,
        st.sampled_from([None, None, True, False]),
        st.sampled_from([True, True, False]),
        st.sampled_from([False, False, True]),
    ),
    max_size=7,
    unique_by=lambda one: one.day,
).map(lambda found: sorted(found, key=lambda one: one.day))


@st.composite
def ends(draw: st.DrawFn) -> list[End]:
    """Endings on different days, in order; who churned returns before the next one, or there is no next one."""
    found: list[End] = []
    for day in sorted(draw(st.lists(st.integers(0, 450), max_size=5, unique=True))):
        before = found[-1] if found else None
        if before and before.kind == "churned" and (before.returned is None or before.returned > day):
            continue
        if draw(st.booleans()):
            found.append(End("renewed", day, term_end=draw(st.sampled_from([None, day + 30, day + 365]))))
        else:
            returned = draw(st.sampled_from([None, day + 40]))
            deadline = draw(st.sampled_from([None, day - 30, day + 20]))
            found.append(End("churned", day, returned, None, deadline, draw(st.booleans())))
    return found


cases = st.builds(
    Case,
    warned,
    ends(),
    st.lists(st.tuples(days, st.sampled_from([None, 30])), max_size=2).map(
        lambda found: [(begun, None if length is None else begun + length) for begun, length in found]
    ),
    st.just(90),
    st.just(TODAY),
    st.booleans(),
)


def moment(day: int | None) -> datetime | None:
    return None if day is None else at(day)


def ending(end: End) -> Ending:
    return Ending(
        "churned" if end.kind == "churned" else "renewed",
        at(end.day),
        moment(end.returned),
        moment(end.term_end),
        moment(end.deadline),
        end.unused,
    )


@given(cases)
def test_every_verdict_is_what_asking_each_warning_slowly_gives(case: Case) -> None:
    found = judge_account(
        [Fired(at(one.day), one.said, one.pays, one.withdrawn) for one in case.warned],
        [ending(end) for end in case.ends],
        HORIZON,
        NOW,
        [(at(begun), None if ended is None else at(ended)) for begun, ended in case.work],
        reads_silence=case.reads_silence,
    )
    wanted, missed = verdicts(case)
    assert [(one.verdict.value, one.counts) for one in found.warnings] == wanted
    assert [one.ending for one in found.missed] == [ending(end) for end in missed]
    caught = [one for one in found.warnings if one.verdict is Verdict.CAUGHT]
    left_out = [e for e in case.ends if case.reads_silence and e.unused]
    churns = [e for e in case.known("churned") if e not in left_out]
    assert len(caught) + len(found.missed) == len(churns)


@given(cases, days)
def test_what_is_learnt_later_changes_nothing_that_was_said_before(case: Case, then: int) -> None:
    """A record as of a day reads nothing after it: neither warnings, nor endings."""
    known = Case(
        [one for one in case.warned if one.day <= then],
        [end for end in case.ends if end.day <= then],
        case.work,
        90,
        then,
        case.reads_silence,
    )
    fired = [Fired(at(one.day), one.said, one.pays, one.withdrawn) for one in case.warned if one.day <= then]
    work = [(at(begun), None if ended is None else at(ended)) for begun, ended in case.work]
    with_the_future = judge_account(
        fired, [ending(end) for end in case.ends], HORIZON, at(then), work, reads_silence=case.reads_silence
    )
    assert [(one.verdict.value, one.counts) for one in with_the_future.warnings] == verdicts(known)[0]


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_ends_of_an_interval_are_the_shares_from_which_the_count_is_just_not_surprising(
    right: int, wrong: int
) -> None:
    """The equation that defines Wilson's interval, rather than its solution."""
    n = right + wrong
    found = share(right, n)
    if n < LEAST_VERDICTS:
        assert (found.value, found.low, found.high, found.note) == (None, None, None, "not known yet")
        return
    assert found.value == right / n
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    for end in (found.low, found.high):
        surprise = (right / n - end) ** 2
        assert surprise == pytest.approx(1.959964**2 * end * (1 - end) / n, abs=1e-9)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (0, 20, 0.000000, 0.161125),
        (1, 20, 0.008881, 0.236131),
        (14, 20, 0.481027, 0.854523),
        (20, 20, 0.838875, 1.000000),
        (3, 25, 0.041668, 0.299558),
        (17, 31, 0.377722, 0.708383),
        (40, 40, 0.912378, 1.000000),
        (1, 200, 0.000883, 0.027774),
        (480, 500, 0.939026, 0.973959),
    ],
)
def test_intervals_are_those_of_scipy(right: int, n: int, low: float, high: float) -> None:
    """`scipy.stats.binomtest(right, n).proportion_ci(0.95, "wilson")`, SciPy 1.17.1."""
    found = share(right, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-5)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Over all outcomes of 40 tries, weighed by how likely each is."""
    for truth in (0.1, 0.35, 0.6, 0.9):
        held = 0.0
        for right in range(41):
            found = share(right, 40)
            assert found.low is not None
            assert found.high is not None
            if found.low <= truth <= found.high:
                held += comb(40, right) * truth**right * (1 - truth) ** (40 - right)
        assert 0.91 < held < 0.99


def entry(day: int, verdict: Verdict = Verdict.FALSE, **more: Any) -> Entry:
    made = Judged(
        verdict, counts=verdict in (Verdict.FALSE, Verdict.CONFIRMED), worked=more.pop("worked", False)
    )
    return Entry(day, date(2025, 1, 1) + timedelta(days=day), "live", made, **more)


SPAN = Span(date(2025, 1, 1), date(2025, 12, 30), 2)


def test_a_record_says_counts_in_words_and_nothing_below_twenty() -> None:
    few = records([entry(n) for n in range(3)], [], SPAN)
    assert in_words(few) == "not known yet (3 of 20 verdicts)"
    right = [entry(n, Verdict.CONFIRMED) for n in range(14)]
    enough = records([*right, *(entry(20 + n) for n in range(6))], [], SPAN)
    assert in_words(enough) == "right in 14 of 20"
    assert enough.whole.load_per_csm_week == pytest.approx(20 / 2 / 52)


entries = st.lists(
    st.builds(
        entry,
        st.integers(0, 360),
        st.sampled_from(Verdict),
        worked=st.booleans(),
        segment=st.sampled_from([None, "mid", "small"]),
        owner=st.sampled_from([None, "dana", "lee"]),
        mrr=st.sampled_from([Decimal(0), Decimal(100), None]),
        is_first=st.booleans(),
    ),
    max_size=30,
)
lost = st.lists(
    st.builds(
        MissedEntry,
        days,
        st.dates(date(2025, 1, 1), date(2025, 12, 30)),
        st.booleans(),
        st.none(),
        st.sampled_from([None, "mid"]),
    ),
    max_size=5,
)


@given(entries, lost)
def test_what_was_worked_on_and_what_was_not_make_up_the_whole_and_so_do_segments(
    found: list[Entry], missed: list[MissedEntry]
) -> None:
    whole = records(found, missed, SPAN)
    by_segment = parts(found, missed, SPAN, lambda one: one.segment)
    for pieces in ([whole.clean, whole.worked], [its.whole for its in by_segment.values()]):
        for count in ("warnings", "verdicts", "repeated", "too_late", "unjudged", "money_unknown"):
            assert sum(getattr(piece, count) for piece in pieces) == getattr(whole.whole, count)
        for names in ("caught", "confirmed", "false", "missed", "pending", "unsaid"):
            joined = [account for piece in pieces for account in getattr(piece, names)]
            assert sorted(joined) == sorted(getattr(whole.whole, names))
        assert sum(piece.money_caught for piece in pieces) == whole.whole.money_caught
    assert whole.whole.busiest_csm_week <= whole.whole.warnings


@given(st.lists(st.floats(0, 90), max_size=9))
def test_lead_times_are_between_the_least_and_the_most(found: list[float]) -> None:
    told = lead(found)
    assert told.n == len(found)
    if found:
        assert told.least is not None
        assert told.median is not None
        assert told.most is not None
        assert told.least <= told.median <= told.most


dates = st.dates(date(2025, 1, 1), date(2025, 12, 31))


@given(st.lists(st.tuples(st.sampled_from([None, "dana", "lee"]), dates), max_size=40))
def test_weeks_and_loads_add_up_to_all_warnings(warnings: list[tuple[str | None, date]]) -> None:
    start, end = date(2025, 1, 1), date(2025, 12, 31)
    weeks = by_week((day for _, day in warnings), start, end)
    assert sum(count for _, count in weeks) == len(warnings)
    assert [week for week, _ in weeks] == sorted({week for week, _ in weeks})
    assert all(week.weekday() == 0 and week == week_of(week) for week, _ in weeks)
    found = loads(warnings, start, end)
    assert sum(load.warnings for load in found) == len(warnings)
    assert all(1 <= load.busiest_week <= load.warnings for load in found)
    assert [load.warnings for load in found] == sorted((load.warnings for load in found), reverse=True)
