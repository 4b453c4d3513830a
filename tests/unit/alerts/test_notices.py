"""What a notice says fits into what receivers take."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from alerts.adapters.letter import letter_of
from alerts.adapters.pagerduty import event_of
from alerts.adapters.slack_blocks import message_of
from alerts.domain.brief import brief_of
from alerts.domain.buttons import LABELS
from alerts.domain.cases import NoticeType, Origin, open_case
from alerts.domain.finishing import quiet_people, with_buttons, with_names
from alerts.domain.notices import MAX_BYTES as LARGEST
from alerts.domain.notices import Context, Evidence, case_notice, load_summary, receiver_notice
from alerts.ports.channel import Delivery, Receiver
from common.control.log import new_token

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
    body = orjson.dumps(_body(shown, name, NoticeType(kind))).decode()
    letter = letter_of(kind, body)
    assert letter.subject
    assert "<script" not in letter.html
    brief = brief_of(kind, orjson.loads(body))
    (attachment,) = message_of(brief, "msg_1")["attachments"]
    assert len(attachment["blocks"]) <= 50
    assert all(1 <= len(b["text"]["text"]) <= 3_000 for b in attachment["blocks"] if "text" in b)
    assert not any("<!" in b["text"]["text"] for b in attachment["blocks"] if b["type"] == "section")
    receiver = Receiver(1, 1, "team", "pagerduty", "", ("R" * 32,), allow_private=False)
    event = event_of(Delivery("msg_1", kind, body, NOW, NOW, receiver), "R" * 32)
    assert len(event.get("payload", {"summary": ""})["summary"]) <= 1_024
    assert len(orjson.dumps(event)) < 512_000


def test_buttons_leave_a_notice_small_enough_and_names_come_when_it_is_sent() -> None:
    who = {"people": [{"person_id": n, "last_seen": "2026-02-01T00:00:00Z"} for n in (1, 2, 3)], "more": 4}
    body = _body([], "Globex")
    body["data"]["who_stopped"] = who
    stored = orjson.dumps(body).decode()
    assert '"erased-ink@acme.com"' in with_names(stored, {2: "erased-ink@acme.com"}), "a name like another"
    assert with_names(stored, {2: f"{new_token()}-7"}) == with_names(stored, {}), "erased in two goes"
    assert quiet_people(stored) == [1, 2, 3]
    named = with_names(stored, {1: "Ann", 3: new_token()})
    assert (
        brief_of("case.opened", orjson.loads(named))
        .lines[1]
        .startswith("Who stopped: Ann (last seen 1 February 2026), and 6 more")
    )
    sent = with_buttons(named, b"key", 1, 7, NOW, "http://gateway.example/")
    assert sent == with_buttons(named, b"key", 1, 7, NOW, "http://gateway.example/")
    assert len(sent) - len(named) < MAX_BYTES - LARGEST
    assert [button.label for button in brief_of("case.opened", orjson.loads(sent)).buttons] == list(
        LABELS.values()
    )


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
