"""The oracle of the benchmarks counts what it should, and no wrong answer passes it."""

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.oracle import Answer, answer, differences
from hypothesis import given, settings
from hypothesis import strategies as st

HOURS = range(3)

events = st.lists(
    st.tuples(
        st.sampled_from(["acme", "globex"]),  # account
        st.integers(0, 5),  # id
        st.sampled_from([*HOURS, 23, 24]),  # hour
        st.sampled_from(["ann", "bo", None]),
        st.integers(-3, 9),
    ),
    min_size=1,
    max_size=20,
)
Event = tuple[str, int, int, str | None, int]


def line(event: Event) -> str:
    account, number, hour, user, value = event
    at = f"2026-11-{1 + hour // 24:02d}T{hour % 24:02d}:30:00.000Z"
    data = {"value": value} | ({"user": user} if user else {})
    return json.dumps(
        {
            "id": str(number),
            "source": "/s",
            "type": "feature.used",
            "subject": account,
            "time": at,
            "data": data,
        }
    )


def asked(told: list[Event], *, once: bool) -> Answer:
    with TemporaryDirectory() as directory:
        file = Path(directory) / "events.ndjson"
        file.write_text("".join(line(event) + "\n" for event in told))
        return answer(file, once=once)


def counted(told: list[Event]) -> Answer:
    """The same by dictionaries."""
    hours: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    people: dict[str, set[str]] = defaultdict(set)
    day = 20_758  # 2026-11-01
    for account, _, hour, user, value in told:
        figures = hours[f"{account} {day * 24 + hour}"]
        figures[0] += 1
        figures[1] += value
        if user:
            people[f"{account} {day + hour // 24}"].add(user)
    return Answer(
        {key: tuple(figures) for key, figures in hours.items()},
        {key: (len(found),) for key, found in people.items()},
    )


@settings(max_examples=15, deadline=None)
@given(events)
def test_the_oracle_counts_as_dictionaries_do(told: list[Event]) -> None:
    assert differences(counted(told), asked(told, once=False)) == []


@settings(max_examples=15, deadline=None)
@given(events)
def test_repetitions_of_an_event_count_once_or_as_often_as_they_come(told: list[Event]) -> None:
    first = list({event[:2]: event for event in reversed(told)}.values())
    alike = {event[:2]: event for event in first}
    repeated = [alike[event[:2]] for event in told]
    assert differences(counted(first), asked(repeated, once=True)) == []
    assert differences(counted(repeated), asked(repeated, once=False)) == []


@settings(max_examples=50, deadline=None)
@given(events, st.data())
def test_any_cell_that_is_changed_missing_or_added_is_a_wrong_answer(
    told: list[Event], data: st.DataObject
) -> None:
    right = counted(told)
    key = data.draw(st.sampled_from(sorted(right.hours)))
    figures = right.hours[key]
    for wrong in (
        replace(right, hours={**right.hours, key: (figures[0] + 1, figures[1])}),
        replace(right, hours={**right.hours, key: (figures[0], figures[1] - 1)}),
        replace(right, hours={name: found for name, found in right.hours.items() if name != key}),
        replace(right, days={**right.days, "initech 1": (1,)}),
    ):
        assert differences(right, wrong)
    assert not differences(right, right)
