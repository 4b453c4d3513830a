"""What a notice says fits into what receivers take."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from alerts.adapters.letter import letter_of
from alerts.domain.cases import NoticeType, Origin, open_case
from alerts.domain.notices import Context, Evidence, case_notice, load_summary, receiver_notice

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MAX_BYTES = 20_000
texts = st.text(alphabet=st.characters(codec="utf-8"), max_size=2_000)
evidence = st.builds(
    Evidence,
    rule=st.text("abc_", min_size=1, max_size=63),
    label=texts,
    severity=st.sampled_from(["info", "warning", "critical"]),
    state=st.sampled_from(["firing", "resolved"]),
    since_at=st.just(NOW),
    evidence=texts,
    next_step=texts,
    figures=st.dictionaries(
        st.text("abc_", min_size=1, max_size=20), st.one_of(st.none(), st.integers(-9, 9), texts), max_size=8
    ),
)


def _body(shown: list[Evidence], name: str, kind: NoticeType = NoticeType.OPENED) -> dict[str, Any]:
    context = Context(
        name[:256], {"name": name, "owner": name}, Decimal("1200.50"), "EUR", NOW, "http://gateway.example/"
    )
    return case_notice(kind, open_case("case_1", 1, 1, Origin.LIVE, NOW), shown, context, NOW)


@given(st.lists(evidence, max_size=12), texts)
def test_no_notice_is_larger_than_receivers_take(shown: list[Evidence], name: str) -> None:
    assert len(orjson.dumps(_body(shown, name))) < MAX_BYTES


@given(
    st.lists(evidence, max_size=3),
    texts,
    st.sampled_from(["case.opened", "case.worsened", "case.resolved", "alert.withdrawn"]),
)
def test_every_notice_can_be_written_as_a_letter(shown: list[Evidence], name: str, kind: str) -> None:
    letter = letter_of(kind, orjson.dumps(_body(shown, name, NoticeType(kind))).decode())
    assert letter.subject
    assert "<script" not in letter.html


def test_the_notices_about_loads_and_receivers_are_letters_too() -> None:
    summary = orjson.dumps(load_summary(3, NOW, "http://gateway.example", NOW)).decode()
    assert "3 cases" in letter_of("load.summary", summary).text
    for kind in (NoticeType.RECEIVER_TEST, NoticeType.RECEIVER_DISABLED):
        body = orjson.dumps(receiver_notice(kind, "team", "Read me.", NOW)).decode()
        assert "Read me." in letter_of(kind.value, body).text


def test_the_longest_notice_says_what_it_leaves_out() -> None:
    long = "\N{WEARY CAT FACE}" * 5_000
    figures = {f"figure_{number}": long for number in range(100)}
    worst = Evidence(long, long, "critical", "firing", NOW, long, long, figures)
    body = _body([worst] * 12, long)
    assert len(orjson.dumps(body)) < MAX_BYTES
    assert body["data"]["alerts_left_out"] + len(body["data"]["alerts"]) == 12
