"""What a filter of events may be made of."""

import pytest

from common.catalogue.cel import CelInvalid, compile_event
from common.catalogue.event_filters import check_filter


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
