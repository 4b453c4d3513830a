"""The same case and the same notice have the same id whenever they are made; another one has another."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.domain.cases import AlertFact, NoticeType, Origin, open_case
from alerts.domain.episodes import State
from alerts.domain.identities import SETTLES_IN, UNSEEN_FOR, Line, case_id, kept, notice_id, occasion_of

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
texts = st.text(max_size=20)
cases = st.tuples(texts, st.integers(1, 99), texts, st.sampled_from(["risk", "growth"]), st.integers(1, 99))
notices = st.tuples(st.integers(1, 99), texts, texts, texts, texts, st.integers(0, 9))


@given(cases, cases)
def test_ids_of_cases_are_equal_when_all_they_are_made_of_is(
    one: tuple[object, ...], other: tuple[object, ...]
) -> None:
    assert (case_id(*one) == case_id(*other)) == (one == other)  # type: ignore[arg-type]


@given(notices, notices)
def test_ids_of_notices_are_equal_when_all_they_are_made_of_is(
    one: tuple[object, ...], other: tuple[object, ...]
) -> None:
    assert (notice_id(*one) == notice_id(*other)) == (one == other)  # type: ignore[arg-type]


@given(st.permutations(["a_rule", "b_rule", "c_rule"]), st.integers(0, 3))
def test_what_people_know_after_is_the_occasion_however_it_came_together(rules: list[str], told: int) -> None:
    case = open_case("case_1", 1, 1, Origin.LIVE, NOW)
    before = case.__class__(
        **{**{f: getattr(case, f) for f in case.__slots__}, "told_rules": tuple(rules[:told])}
    )
    firing = [AlertFact(rule, State.FIRING, "info") for rule in rules[told:]]
    assert occasion_of(NoticeType.WORSENED, before, firing) == "info a_rule b_rule c_rule"
    assert occasion_of(NoticeType.OPENED, before, firing) == ""


@given(st.lists(st.tuples(st.integers(1, 3 * 3_600), st.booleans()), max_size=30))
def test_a_new_line_begins_only_a_while_after_a_gap_and_not_while_the_engine_catches_up(
    steps: list[tuple[int, bool]],
) -> None:
    line, now, gap_at = Line("first", NOW), NOW, None
    for number, (seconds, is_behind) in enumerate(steps):
        now += timedelta(seconds=seconds)
        if timedelta(seconds=seconds) > UNSEEN_FOR:
            gap_at = now
        after = kept(line, now, f"line-{number}", is_behind=is_behind)
        if after.name != line.name:
            assert gap_at is not None
            assert now - gap_at >= SETTLES_IN
            assert not is_behind
            gap_at = None
        assert after.seen_at == now
        line = after
