"""Cutting bodies into items."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Rejected
from ingest.domain.items import Shape, TooMany, cut, members_of

_texts = st.text(st.sampled_from('[]{}:,"\\a \n'), max_size=8)
_objects = st.dictionaries(_texts, st.one_of(st.integers(), _texts, st.lists(_texts, max_size=3)), max_size=4)


def items(body: bytes, shape: Shape = Shape.EITHER, max_items: int = 1_000) -> list[bytes]:
    return [bytes(item) for item in cut(body, shape, max_items).items]


@given(st.lists(_objects, max_size=6), st.sampled_from([None, 1]))
def test_an_array_is_cut_into_the_bytes_of_its_elements(
    made: list[dict[str, Any]], indent: int | None
) -> None:
    body = json.dumps(made, indent=indent).encode()
    assert [json.loads(item) for item in items(body)] == made
    assert all(item in body for item in items(body))


@given(st.lists(_objects, min_size=1, max_size=6), st.data())
def test_an_element_that_is_not_json_leaves_the_others_whole(
    made: list[dict[str, Any]], data: st.DataObject
) -> None:
    texts = [json.dumps(one).encode() for one in made]
    at = data.draw(st.integers(0, len(texts) - 1))
    texts[at] = data.draw(
        st.sampled_from([b'{"id":NaN}', b'{"id":"\\ud800"}', b'{"a":01}', b"nothing", b'{"x":"\x01"}'])
    )
    assert items(b"[" + b" , ".join(texts) + b"]") == texts


@given(st.lists(_objects, max_size=6))
def test_lines_are_cut_whatever_ends_them(made: list[dict[str, Any]]) -> None:
    body = b"\r\n\n".join(json.dumps(one).encode() for one in made)
    assert [json.loads(item) for item in items(body, Shape.LINES)] == made


@pytest.mark.parametrize(
    ("body", "shape", "code"),
    [
        (b"", Shape.EITHER, "body-empty"),
        (b" " * 100, Shape.ONE, "body-empty"),
        (b"{}", Shape.ARRAY, "batch-not-array"),
        (b"[{]", Shape.EITHER, "invalid-json"),
        (b"[{}", Shape.EITHER, "invalid-json"),
        (b"[{}] x", Shape.EITHER, "invalid-json"),
        (b"[" * 10**6, Shape.EITHER, "nesting-too-deep"),
        (b'{"a":' * 10**6, Shape.ONE, "nesting-too-deep"),
    ],
)
def test_a_body_without_items_is_refused_as_a_whole(body: bytes, shape: Shape, code: str) -> None:
    with pytest.raises(Rejected) as refused:
        cut(body, shape, 1_000)
    assert refused.value.code == code


@pytest.mark.parametrize("shape", [Shape.EITHER, Shape.ARRAY])
def test_an_empty_batch_has_no_items(shape: Shape) -> None:
    assert items(b" [ ] ", shape) == []


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (b"[" + b"{}," * 100_000 + b"{}]", Shape.EITHER),
        (b"[" + b"0," * 4_000_000 + b"0]", Shape.EITHER),
        (b"{}\n" * 100_000, Shape.LINES),
        (b"[" + b"{}," * 1_000 + b"{}]", Shape.ARRAY),
    ],
)
def test_too_many_items_are_too_many(body: bytes, shape: Shape) -> None:
    with pytest.raises(TooMany):
        cut(body, shape, 1_000)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), _objects, max_size=4))
def test_members_keep_their_bytes(made: dict[str, Any]) -> None:
    found = members_of(json.dumps(made).encode())
    assert {name: json.loads(raw) for name, raw in found.items()} == made


def test_members_are_found_beside_one_that_is_not_json() -> None:
    assert members_of(b'{"writeKey": "k", "batch": [{"v": NaN}, {"x": "\\ud800"}]}') == {
        "writeKey": b'"k"',
        "batch": b'[{"v": NaN}, {"x": "\\ud800"}]',
    }


@pytest.mark.parametrize("body", [b"[]", b"5", b'"text"', b"{", b"", b'{"a" 1}'])
def test_what_is_no_object_has_no_members(body: bytes) -> None:
    with pytest.raises(Rejected):
        members_of(body)
