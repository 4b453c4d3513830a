"""The life of an alert, whatever the order of verdicts."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.domain.episodes import Cause, Circumstances, Episode, Reason, State, decide
from alerts.domain.rules import Verdict

START = datetime(2026, 3, 2, tzinfo=UTC)
LATER = timedelta(minutes=10)


@dataclass(frozen=True)
class Step:
    after: timedelta
    verdict: Verdict
    circumstances: Circumstances


spans = st.sampled_from([timedelta(0), timedelta(minutes=1), timedelta(hours=1)])
circumstances = st.builds(
    Circumstances,
    cause=st.sampled_from(Cause),
    pending_for=spans,
    recover_for=spans,
    refuted_by_late_data=st.booleans(),
    expected_until=st.one_of(st.none(), st.integers(-60, 60).map(lambda m: START + timedelta(minutes=m))),
)
steps = st.lists(
    st.builds(
        Step, st.integers(0, 90).map(lambda m: timedelta(minutes=m)), st.sampled_from(Verdict), circumstances
    ),
    max_size=30,
)


Lived = tuple[datetime, Step, Episode | None, Episode | None, Reason]


def _lives(taken: list[Step]) -> list[Lived]:
    """Every step with the episode before and after it."""
    now = START
    episode: Episode | None = None
    seen: list[Lived] = []
    for step in taken:
        now += step.after
        transition = decide(episode, step.verdict, now, step.circumstances)
        seen.append((now, step, episode, transition.episode, transition.reason))
        episode = transition.episode
    return seen


@given(steps)
def test_only_a_firing_verdict_makes_anything_fire(taken: list[Step]) -> None:
    for _, step, before, after, _ in _lives(taken):
        was_firing = before is not None and before.state is State.FIRING
        if after is not None and after.state is State.FIRING and not was_firing:
            assert step.verdict is Verdict.FIRING


@given(steps)
def test_history_alone_never_fires(taken: list[Step]) -> None:
    quiet = [
        Step(
            s.after,
            s.verdict,
            Circumstances(Cause.HISTORY, s.circumstances.pending_for, s.circumstances.recover_for),
        )
        for s in taken
    ]
    assert all(after is None or after.state is not State.FIRING for _, _, _, after, _ in _lives(quiet))


@given(steps)
def test_missing_data_never_ends_what_fires_and_begins_nothing(taken: list[Step]) -> None:
    for _, step, before, after, _ in _lives(taken):
        if step.verdict is not Verdict.NO_DATA:
            continue
        if before is not None and before.state is State.FIRING:
            assert after is not None
            assert after.state is State.FIRING
        else:
            assert after is None or not after.is_live


@given(steps)
def test_nothing_fires_before_its_pending_time(taken: list[Step]) -> None:
    for now, step, before, after, reason in _lives(taken):
        if (
            before is not None
            and before.state is State.PENDING
            and after is not None
            and after.state is State.FIRING
        ):
            assert now >= before.since_at + step.circumstances.pending_for
            assert reason is Reason.CROSSED


@given(steps)
def test_nothing_resolves_before_it_was_healthy_for_its_time(taken: list[Step]) -> None:
    for now, step, before, _, reason in _lives(taken):
        if reason is Reason.RECOVERED:
            assert before is not None
            assert now >= (before.recovering_since or now) + step.circumstances.recover_for


@given(steps)
def test_deciding_twice_at_one_instant_changes_nothing_more(taken: list[Step]) -> None:
    for now, step, _, after, _ in _lives(taken):
        if after is None or not after.is_live or after.state is State.STANDING:
            continue
        again = decide(after, step.verdict, now, step.circumstances)
        assert again.episode is not None
        if again.episode.state is not State.FIRING or after.state is not State.PENDING:
            assert again.episode == after


@given(steps)
def test_an_ended_episode_is_never_touched_again(taken: list[Step]) -> None:
    for _, _, before, after, _ in _lives(taken):
        if before is not None and not before.is_live:
            assert after is None or after.since_at >= (before.ended_at or before.since_at)


@given(steps)
def test_whatever_must_be_looked_at_again_says_when(taken: list[Step]) -> None:
    for now, _, _, after, _ in _lives(taken):
        if after is None:
            continue
        waits = (
            after.state is State.PENDING
            or after.recovering_since is not None
            or after.reason is Reason.EXPECTED
        )
        if waits and after.is_live:
            assert after.due_at is not None
            assert after.due_at > now or after.state is State.PENDING
        if not after.is_live:
            assert after.due_at is None


def test_a_flapping_verdict_stays_one_episode() -> None:
    around = Circumstances(Cause.NOW, timedelta(0), timedelta(hours=1))
    taken = [Step(LATER, v, around) for v in [Verdict.FIRING, Verdict.HEALTHY] * 50]
    assert {after.since_at for _, _, _, after, _ in _lives(taken) if after is not None} == {START + LATER}


def test_late_data_withdraws_at_once() -> None:
    around = Circumstances(Cause.NOW, timedelta(0), timedelta(hours=1))
    refuted = Circumstances(Cause.NOW, timedelta(0), timedelta(hours=1), refuted_by_late_data=True)
    seen = _lives([Step(LATER, Verdict.FIRING, around), Step(LATER, Verdict.HEALTHY, refuted)])
    assert seen[-1][3] is not None
    assert (seen[-1][3].state, seen[-1][4]) == (State.WITHDRAWN, Reason.REFUTED_BY_LATE_DATA)
