"""Who is in a segment when, against the slow way: one account, one instant at a time."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.catalogue.segments import Segment
from common.errors import Rejected
from common.figures import parse
from common.figures.calendar import DAY, Calendar
from common.figures.members import Scope, segment_tests
from common.figures.named_segments import memberships
from common.figures.slices import Member, Slices, text_of

SEGMENTS = {
    one.name: one
    for one in (
        Segment(name="pro", label="Pro", filter={"plan": ("pro", "max")}),
        Segment(name="planless", label="Planless", filter={"plan": (None,)}),
        Segment(name="big", label="Big", where="traits.seats >= 50 || traits.vip == true"),
        Segment(name="big_pro", label="Big pro", all_of=("big", "pro")),
        Segment(name="either", label="Either", any_of=("big", "pro")),
        Segment(name="the_rest", label="The rest", none_of=("either",)),
        Segment(name="small_eu", label="Small", filter={"region": ("eu",)}, none_of=("big",)),
    )
}


def is_in(name: str, traits: Mapping[str, Any]) -> bool:
    """The same said in plain code."""
    pro, seats = traits.get("plan") in ("pro", "max"), traits.get("seats")
    big = (seats is not None and seats >= 50) or traits.get("vip") is True
    return {
        "pro": pro,
        "planless": traits.get("plan") is None,
        "big": big,
        "big_pro": big and pro,
        "either": big or pro,
        "the_rest": not (big or pro),
        "small_eu": traits.get("region") == "eu" and not big,
    }[name]


instants = st.integers(0, 40 * 24).map(
    lambda hours: datetime(2026, 3, 20, tzinfo=UTC) + timedelta(hours=hours)
)
VALUES = {"plan": ("pro", "free", None), "seats": (10, 50, 75.5, None), "vip": (True, False, None), "region": ("eu", "us")}  # fmt: skip
tellings = st.sampled_from(sorted(VALUES)).flatmap(
    lambda trait: st.tuples(instants, st.just(trait), st.sampled_from(VALUES[trait]))
)


def slices_by(dimension: str, told: list[tuple[datetime, str, Any]]) -> Slices:
    scope = Scope(1, (dimension,), segments=memberships(SEGMENTS, [dimension]))
    histories = tuple(
        tuple((at, text_of(value)) for at, trait, value in told if trait == name) for name in scope.traits
    )
    member = Member(7, (None,) * len(scope.traits), histories)
    return Slices(Calendar(ZoneInfo("Europe/Berlin")), [member], 1, segments=segment_tests(scope))


def traits_before(told: list[tuple[datetime, str, Any]], at: datetime) -> dict[str, Any]:
    return {trait: value for set_at, trait, value in told if set_at < at}


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(SEGMENTS)), st.lists(tellings, max_size=8), instants)
def test_an_account_is_in_a_segment_by_the_traits_of_that_time(
    name: str, told: list[tuple[datetime, str, Any]], at: datetime
) -> None:
    told.sort(key=lambda one: one[0])
    slices = slices_by(f"segment:{name}", told)
    assert slices.group_at(7, at) == (text_of(is_in(name, traits_before(told, at))),)
    day = at.date()
    expected = text_of(is_in(name, traits_before(told, slices.calendar.day_start(day))))
    assert [slices.keys[span.group] for span in slices.by_day if span.lo <= day < span.hi] == [(expected,)]
    firsts = {trait: value for _, trait, value in reversed(told)}
    assert slices.group_at(7, at, or_first=True) == (text_of(is_in(name, firsts | traits_before(told, at))),)


@settings(deadline=None, max_examples=100)
@given(st.lists(tellings, max_size=8))
def test_a_segment_and_its_opposite_share_out_all_days(told: list[tuple[datetime, str, Any]]) -> None:
    told.sort(key=lambda one: one[0])
    for day in (datetime(2026, 3, 15, tzinfo=UTC).date() + DAY * n for n in range(0, 50, 7)):
        groups = [
            slices.keys[span.group]
            for slices in (slices_by("segment:either", told), slices_by("segment:the_rest", told))
            for span in slices.by_day
            if span.lo <= day < span.hi
        ]
        assert sorted(groups) == [("false",), ("true",)]


def test_a_question_names_segments_as_saved_filters() -> None:
    body = {"metrics": ["events"], "from": "2026-03-01", "to": "2026-04-01", "filter": {"plan": ["pro"]}}
    query = parse({**body, "segments": ["big", "pro"]})
    assert query.filter == {"plan": ("pro",), "segment:big": (True,), "segment:pro": (True,)}
    assert parse(body | {"filter": json.loads('{"segment:big": [false]}')}).filter == {
        "segment:big": (False,)
    }
    with pytest.raises(Rejected) as refused:
        parse({**body, "segments": "big"})
    assert refused.value.code == "segments-invalid"
