"""What warnings are worth, in counts: nothing is counted twice, and little is never called much."""

from datetime import UTC, date, datetime, timedelta
from math import comb

from hypothesis import given
from hypothesis import strategies as st

from alerts.domain.accuracy import LEAST_VERDICTS, Ending, Verdict, judge_account, lead, share
from alerts.domain.tally import by_week, loads, week_of

START = datetime(2025, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=400)
HORIZON = timedelta(days=90)
days = st.integers(0, 400)
endings = st.lists(
    st.builds(
        lambda kind, day: Ending(kind, at(day)), st.sampled_from(["churned", "renewed"]), st.integers(0, 450)
    ),
    max_size=4,
).map(lambda found: sorted(found, key=lambda ending: ending.decided_at))


def at(day: float) -> datetime:
    return START + timedelta(days=day)


def verdicts(fired: list[float], *known: Ending) -> list[str]:
    judged = judge_account([at(day) for day in fired], known, HORIZON, NOW)
    return [verdict.value for verdict, _ in judged.verdicts]


def test_the_first_warning_within_the_horizon_is_credited_and_later_ones_repeat_it() -> None:
    judged = judge_account([at(50), at(130), at(140)], [Ending("churned", at(150))], HORIZON, NOW)
    assert judged.verdicts == ((Verdict.FALSE, None), (Verdict.CAUGHT, 20.0), (Verdict.REPEAT, None))
    assert judged.missed == ()


def test_a_warning_on_or_after_the_decision_foretells_nothing() -> None:
    churn = Ending("churned", at(100))
    judged = judge_account([at(100), at(120)], [churn], HORIZON, NOW)
    assert [verdict for verdict, _ in judged.verdicts] == [Verdict.AFTER, Verdict.AFTER]
    assert judged.missed == (churn,)


def test_an_account_that_came_back_can_be_warned_of_again() -> None:
    assert verdicts([120, 250], Ending("churned", at(100), returned_at=at(200))) == ["after", "false"]


def test_a_renewal_after_it_proves_a_warning_wrong_at_once_and_time_does_later() -> None:
    assert verdicts([380]) == ["open"]
    assert verdicts([380], Ending("renewed", at(390))) == ["false"]
    assert verdicts([380], Ending("renewed", at(370))) == ["open"]
    assert verdicts([310]) == ["false"]


def test_what_will_be_decided_is_not_known() -> None:
    assert verdicts([380], Ending("churned", at(401))) == ["open"]


@given(st.lists(days, max_size=8), endings)
def test_every_warning_has_one_verdict_and_every_known_churn_is_caught_once_or_missed(
    fired: list[int], known: list[Ending]
) -> None:
    judged = judge_account([at(day) for day in sorted(fired)], known, HORIZON, NOW)
    found = [verdict for verdict, _ in judged.verdicts]
    churns = [e for e in known if e.kind == "churned" and e.decided_at <= NOW]
    assert len(found) == len(fired)
    assert found.count(Verdict.CAUGHT) + len(judged.missed) == len(churns)
    for verdict, before in judged.verdicts:
        assert (before is not None) == (verdict is Verdict.CAUGHT)
        assert before is None or 0 < before <= 90


@given(st.lists(days, max_size=6), endings, st.integers(0, 400))
def test_more_warnings_never_miss_more(fired: list[int], known: list[Ending], one: int) -> None:
    fewer = judge_account([at(day) for day in sorted(fired)], known, HORIZON, NOW)
    more = judge_account([at(day) for day in sorted([*fired, one])], known, HORIZON, NOW)
    assert len(more.missed) <= len(fewer.missed)


@given(st.integers(0, 500), st.integers(0, 500))
def test_a_share_lies_in_its_interval_and_is_not_said_of_few(right: int, wrong: int) -> None:
    found = share(right, right + wrong)
    if right + wrong < LEAST_VERDICTS:
        assert (found.value, found.low, found.high, found.note) == (None, None, None, "not known yet")
        return
    assert found.low is not None
    assert found.value is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value == right / (right + wrong) <= found.high <= 1
    assert found.high - found.low > 0


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


def test_known_intervals_are_reproduced() -> None:
    """Wilson's, as in Brown, Cai and DasGupta (2001)."""
    found = share(14, 20)
    assert (found.value, round(found.low or 0, 4), round(found.high or 0, 4)) == (0.7, 0.481, 0.8545)
    assert share(0, 20).low == 0
    assert share(20, 20).high == 1


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
