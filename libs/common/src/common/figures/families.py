"""Accounts with a parent, which may have one too: at the top of whose hierarchy each account stands, and since when. Pure."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping

from common.figures.slices import Setting, text_of

PARENT = "parent"
TOP_PARENT = "top_parent"
"""The dimension that follows from the trait `parent` of the account, of its parent, and so on. Who has no parent is their own."""


def parent_of(text: str) -> str | None:
    """From the trait's JSON text to the parent's name; anything but text or a number is none."""
    value = json.loads(text, parse_float=str, parse_int=str)
    return value if isinstance(value, str) and value else None


def top_parents(said: Iterable[tuple[dt.datetime, str, str | None]]) -> Mapping[str, list[Setting]]:
    """From (when, account, its parent from then on), in order, to each account's top parents from when on.

    A parent needs to be no account. Where parents go in a circle, the least name in it stands for all of them.
    """
    parents: dict[str, str] = {}
    children: dict[str, set[str]] = defaultdict(set)
    tops: dict[str, str] = {}
    found: dict[str, list[Setting]] = defaultdict(list)
    for at, account, parent in said:
        before = parents.pop(account, None)
        if before is not None:
            children[before].discard(account)
        if parent is not None:
            parents[account] = parent
            children[parent].add(account)
        for name in _below(account, children):
            top = _top(name, parents)
            if top != tops.get(name, name):
                tops[name] = top
                found[name].append((at, text_of(top)))
    return found


def _below(account: str, children: Mapping[str, set[str]]) -> set[str]:
    """The account and all that hang on it."""
    seen, rest = {account}, [account]
    while rest:
        fresh = children.get(rest.pop(), set()) - seen
        seen |= fresh
        rest += fresh
    return seen


def _top(account: str, parents: Mapping[str, str]) -> str:
    seen = [account]
    while (parent := parents.get(seen[-1])) is not None:
        if parent in seen:
            return min(seen[seen.index(parent) :])
        seen.append(parent)
    return seen[-1]
