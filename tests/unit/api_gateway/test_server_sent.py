import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway.domain.encoding import dumps
from api_gateway.domain.server_sent import frame, ping


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))
    )
)
def test_any_data_stays_on_one_line(data: dict[str, str]) -> None:
    lines = frame("accounts", dumps(data), "id-1").split(b"\n")
    assert lines[:2] == [b"id: id-1", b"event: accounts"]
    assert lines[2].startswith(b"data: ")
    assert lines[3:] == [b"", b""]


def test_data_of_two_lines_is_a_defect() -> None:
    with pytest.raises(ValueError, match="one line"):
        frame("x", b"a\nb", "1")


def test_a_ping_moves_the_id_and_dispatches_nothing() -> None:
    assert ping("7") == b": ping\nid: 7\n\n"
