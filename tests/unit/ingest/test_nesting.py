"""Depth and keys are found without decoding, whatever strings hold."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.contracts.nesting import depth_of, keys_of

_texts = st.text(st.sampled_from('[]{}:,"\\a\n'), max_size=8)
_documents = st.recursive(
    st.one_of(st.none(), st.integers(0, 9), _texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_texts, inner, max_size=4)),
    max_leaves=40,
)


def true_depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(true_depth, value.values()), default=0)
    return 1 + max(map(true_depth, value), default=0) if isinstance(value, list) else 0


def true_keys(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(true_keys, value.values()))
    return sum(map(true_keys, value)) if isinstance(value, list) else 0


@given(_documents, st.sampled_from([None, 2]))
def test_depth_and_keys_are_those_of_the_decoded_document(document: Any, indent: int | None) -> None:
    text = json.dumps(document, indent=indent).encode()
    assert depth_of(text) == true_depth(document)
    assert keys_of(text) == true_keys(document)


@given(st.binary(max_size=200))
def test_any_bytes_have_a_depth(text: bytes) -> None:
    assert 0 <= depth_of(text) <= len(text)


@pytest.mark.parametrize("depth", [1, 8, 9, 500, 1_000_000])
def test_deep_texts_are_seen_in_linear_time(depth: int) -> None:
    assert depth_of(b"[" * depth + b"]" * depth) == depth
    assert depth_of(b"[" * depth) == depth


def test_brackets_in_strings_hide_no_depth() -> None:
    assert depth_of(b'["]",' * 300 + b"1" + b"]" * 300) == 300
