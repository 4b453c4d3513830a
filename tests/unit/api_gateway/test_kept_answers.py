"""What is kept is never given when it may be wrong, and computed once while it can't be."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway.domain.records import Standing
from api_gateway.use_cases.kept_answers import KEPT_FOR, KeptAnswers, Made
from common.clock import FixedClock

START = datetime(2026, 3, 10, 11, 59, 50, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


class Figures:
    """Two tenants whose figures stand at a number; an answer says of what, at which standing and when it was made."""

    def __init__(self, max_bytes: int = 1_000_000) -> None:
        self.clock = FixedClock(START)
        self.states = {1: 0, 2: 0}
        self.made = 0
        self.answers = KeptAnswers(self._standing, self.clock, max_bytes)

    def _standing(self, tenant_id: int) -> Standing:
        return Standing(str(self.states[tenant_id]), self.clock.now())

    def ask(self, tenant_id: int, question: str) -> tuple[int, str, int, datetime]:
        def make() -> Made:
            said = [tenant_id, question, self.states[tenant_id], self.clock.now().isoformat()]
            self.made += 1
            return Made(json.dumps(said).encode(), "text/plain", "")

        made, as_of = self.answers.of(tenant_id, question, make)
        assert as_of == self.clock.now(), "as of when it holds, not as of when it was made"
        tenant, asked, state, at = json.loads(made.body)
        return tenant, asked, state, datetime.fromisoformat(at)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.sampled_from((1, 2))),
        st.tuples(st.just("pass"), st.integers(0, 1_200)),
        st.tuples(st.just("ask"), st.sampled_from((1, 2)), st.sampled_from(("a", "b"))),
    ),
    max_size=30,
)


@given(steps=steps, max_bytes=st.sampled_from((0, 1_200, 1_000_000)))
@settings(max_examples=60, deadline=None)
def test_an_answer_is_of_the_standing_that_holds_and_of_this_moment(
    steps: list[tuple[Any, ...]], max_bytes: int
) -> None:
    figures = Figures(max_bytes)
    for kind, *rest in steps:
        if kind == "change":
            figures.states[rest[0]] += 1
        elif kind == "pass":
            figures.clock.advance(timedelta(seconds=rest[0]))
        else:
            tenant_id, question = rest[0], rest[1]
            said_tenant, said_question, state, at = figures.ask(tenant_id, question)
            now = figures.clock.now()
            assert (said_tenant, said_question, state) == (tenant_id, question, figures.states[tenant_id])
            assert now - at < KEPT_FOR
            assert now - at <= (now - datetime(2026, 1, 1, tzinfo=UTC)) % QUARTER, (
                "no edge of local time lies between"
            )


def test_what_did_not_change_is_computed_once() -> None:
    figures = Figures()
    for tenant_id, question in itertools.product((1, 2), "ab"):
        figures.ask(tenant_id, question)
        figures.ask(tenant_id, question)
    assert figures.made == 4
    figures.states[1] += 1
    figures.ask(1, "a")
    figures.ask(2, "a")
    assert figures.made == 5, "another tenant's figures stand where they stood"


def test_what_was_committed_while_an_answer_was_made_is_in_the_next_one() -> None:
    figures = Figures()

    def meanwhile() -> Made:
        figures.states[1] += 1
        return Made(b"old", "text/plain", "")

    assert figures.answers.of(1, "a", meanwhile)[0].body == b"old"
    assert figures.answers.of(1, "a", lambda: Made(b"new", "text/plain", ""))[0].body == b"new"
