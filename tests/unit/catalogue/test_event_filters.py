"""What a filter of events may be made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.catalogue.cel import CelInvalid, compile_event
from common.catalogue.event_filters import Compared, check_filter, compared


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("event.data.two_way == true", {"two_way": True}),
        ("event.type == 't' && event.data.kind in ['a (b)', \"it's * 2\"]", {"kind": "it's * 2"}),
        ("has(event.data.plan) && !(event.data.plan.name != 'pro' || event.data.n < -3)", {"plan": {"name": "pro"}, "n": 1}),
        ("event.data['two-way'] == 1.5e3 // as it was sent", {"two-way": 1500}),
        ("size(event.data.items) >= 2", {"items": [1, 2]}),
        ("event.data.path.startsWith('/a') && event.data.path.contains('b')", {"path": "/a/b"}),
    ],
)  # fmt: skip
def test_comparisons_with_literals_are_filters(source: str, data: dict[str, object]) -> None:
    check_filter(source)
    assert compile_event(source).for_event("t", data) is True


@pytest.mark.parametrize(
    ("source", "what", "line", "column"),
    [
        ("event.data.a == 1 &&\n  event.data.items.all(i, i > 2)", ".all", 2, 19),
        ("event.data.n + 1.0 > 3", "+", 1, 14),
        ("event.data.note.matches('a+')", ".matches", 1, 16),
        ("(event.data.a == 1 ? event.data.b : event.data.c) == 2", "?", 1, 20),
        ("double(event.data.n) > 3", "double", 1, 1),
        ("[1, 2].exists(i, i == event.data.n)", ".exists", 1, 7),
    ],
)
def test_whatever_may_take_longer_is_none(source: str, what: str, line: int, column: int) -> None:
    with pytest.raises(CelInvalid) as refused:
        check_filter(source)
    assert (refused.value.line, refused.value.column) == (line, column)
    assert str(refused.value).startswith(repr(what))


WORDS = st.text("abc =![](),&|'", max_size=6)
LITERALS = st.booleans() | st.floats(-1e6, 1e6).map(lambda number: round(number, 2)) | WORDS
SIGNS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
NAMES = st.sampled_from(["kind", "n", "contains", "event"])


def written(literal: object) -> str:
    return (
        str(literal).lower()
        if isinstance(literal, bool)
        else f"{literal:.2f}"
        if isinstance(literal, float)
        else f'"{literal}"'
    )


@st.composite
def comparisons(draw: st.DrawFn) -> tuple[str, Compared]:
    """A comparison as it is written, and what it reads and compares with."""
    field, inner = draw(NAMES), draw(st.booleans())
    path = draw(st.sampled_from([f"event.data.{field}", f"event.data['{field}']"])) + ".x" * inner
    how = draw(st.sampled_from(["after", "before", "in", "method", "has"]))
    if how in ("method", "has"):
        text = f"{path}.startsWith('a')" if how == "method" else f"has({path})"
        return text, Compared(field, inner)
    if how == "in":
        among = draw(st.lists(LITERALS, max_size=3))
        listed = ", ".join(map(written, among))
        return f"{path} in [{listed}]", Compared(field, inner, "in", tuple(among))
    literal, sign = draw(LITERALS), draw(SIGNS)
    sides = (path, written(literal)) if how == "after" else (written(literal), path)
    return f" {sign} ".join(sides), Compared(field, inner, sign, (literal,))


@given(
    st.lists(comparisons(), min_size=1, max_size=4), st.sampled_from([" && ", "\n|| ", " // why == 3\n && "])
)
def test_what_a_filter_reads_and_compares_is_told_in_order(
    parts: list[tuple[str, Compared]], between: str
) -> None:
    assert list(compared(between.join(text for text, _ in parts))) == [one for _, one in parts]
