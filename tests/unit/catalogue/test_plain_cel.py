"""What runs without the library says what the library says."""

from dataclasses import replace
from itertools import accumulate
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from common.catalogue.cel import account_root, compile_account, compile_number
from common.catalogue.plain_cel import in_maps, plain

_PATHS = (
    "a.mrr",
    "a.login_trend",
    "a.segment",
    "a.traits.plan",
    "a.traits.deep.er",
    "s.use_fell.on",
    "s.use_fell.value",
)
_MAPS = ("a.traits.plan", "a.traits.deep.er")
_NUMBERS: st.SearchStrategy[str] = st.deferred(
    lambda: (
        st.sampled_from(("a.mrr", "a.login_trend", "s.use_fell.value", "0", "1", "2.5", *_MAPS))
        | st.tuples(_NUMBERS, st.sampled_from("+-*/"), _NUMBERS).map(lambda its: f"({' '.join(its)})")
        | st.tuples(_TRUTHS, _NUMBERS, _NUMBERS).map(lambda its: f"({its[0]} ? {its[1]} : {its[2]})")
        | _NUMBERS.map(lambda it: f"-({it})")
    )
)
_TRUTHS: st.SearchStrategy[str] = st.deferred(
    lambda: (
        st.sampled_from(("s.use_fell.on", "true", "false", *_MAPS, *(f"has({path})" for path in _PATHS)))
        | st.tuples(_NUMBERS, st.sampled_from(("==", "!=", "<", "<=", ">", ">=")), _NUMBERS).map(" ".join)
        | st.tuples(
            st.sampled_from((*_MAPS, "a.segment")), st.sampled_from(("==", "!=")), st.just("'pro'")
        ).map(" ".join)
        | st.tuples(_TRUTHS, st.sampled_from(("&&", "||")), _TRUTHS).map(" ".join)
        | _TRUTHS.map(lambda it: f"!({it})")
    )
)
_VALUES = (
    st.none()
    | st.booleans()
    | st.sampled_from((0, 1, -3, 10**400, 2.5, float("inf"), float("nan"), "pro", ""))
)
_FIGURES = st.fixed_dictionaries({}, optional=dict.fromkeys(("mrr", "login_trend", "segment"), _VALUES))
_TRAITS = st.fixed_dictionaries(
    {}, optional={"plan": _VALUES, "deep": _VALUES | st.fixed_dictionaries({}, optional={"er": _VALUES})}
)
_STATES = st.sampled_from(("on", "off", "no-data", "stale"))
_SIGNALS = st.fixed_dictionaries(
    {}, optional={"use_fell": st.fixed_dictionaries({"state": _STATES}, optional={"value": st.sampled_from((0, 2.5, None))})}
)  # fmt: skip


def _is_shallow(source: str) -> bool:
    """The library parses so many brackets within each other, and no more than 32 steps down."""
    deep = accumulate((char == "(") - (char == ")") for char in source)
    return max(deep, default=0) <= 8


@settings(deadline=None, max_examples=150)
@given(
    _NUMBERS.filter(_is_shallow),
    _TRUTHS.filter(_is_shallow),
    st.lists(st.tuples(_FIGURES, _TRAITS, _SIGNALS), min_size=1, max_size=6),
)
def test_the_plain_part_says_what_the_library_says(
    number: str, truth: str, accounts: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]
) -> None:
    for compiled in (compile_number(number), compile_account(f"({truth}) && true")):
        for figures, traits, signals in accounts:
            its = {**figures, "s": signals}
            root = account_root(its, traits)
            said = replace(compiled, _program=_Kept(compiled._program.eval(data=root).value()), _plain=None)
            assert repr(compiled.of(root)) == repr(said.of(root))
            assert repr(compiled.for_account(its, traits)) == repr(said.of(root))


class _Kept:
    """A program of which the answer is known."""

    def __init__(self, said: object) -> None:
        self._said = said

    def eval(self, data: object) -> "_Kept":
        return self

    def value(self) -> object:
        return self._said


def test_what_is_not_plain_is_left_to_the_library() -> None:
    for source in (
        "size(a.traits.x) > 1.0",
        "a.traits['x'] == 'y'",
        "r'x' == 'x'",
        "a.x in [1.0]",
        "1 == 1",
        "(" * 30 + "a.x" + ")" * 30,
    ):
        assert plain(source, in_maps) is None
    for source in (
        "a.days_silent / (a.usual_gap_days > 1.0 ? a.usual_gap_days : 1.0)",
        "has(a.traits.x) && a.traits.x != true",
    ):
        assert plain(source, in_maps) is not None
