import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway.domain import cursors
from common.errors import Rejected

storable = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200)


@given(st.lists(storable, min_size=1, max_size=4))
def test_a_cursor_gives_back_its_position_to_the_same_question(position: list[str]) -> None:
    question = cursors.fingerprint(1, "accounts", {"plan": ("pro",)})
    assert cursors.decode(question, cursors.encode(question, position), len(position)) == tuple(position)


@pytest.mark.parametrize(
    "other",
    [
        (2, "accounts", {"plan": ("pro",)}),
        (1, "events", {"plan": ("pro",)}),
        (1, "accounts", {"plan": ("free",)}),
        (1, "accounts", {}),
    ],
)
def test_another_question_refuses_it(other: tuple[object, ...]) -> None:
    cursor = cursors.encode(cursors.fingerprint(1, "accounts", {"plan": ("pro",)}), ["a", "b"])
    with pytest.raises(Rejected) as refused:
        cursors.decode(cursors.fingerprint(*other), cursor, 2)
    assert refused.value.code == "cursor-invalid"


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")))
def test_garbage_is_refused_with_a_code(text: str) -> None:
    with pytest.raises(Rejected) as refused:
        cursors.decode(cursors.fingerprint(1), text, 2)
    assert refused.value.code == "cursor-invalid"
