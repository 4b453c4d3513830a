"""Differences between an accounts file and what is known: found from any state, the same bytes every time, none when applied."""

import datetime as dt
import json
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bellwether.imports.accounts import Day, Known, Said, Traits, compare, merged, without_erased
from bellwether.imports.cells import Kind

ZONE = ZoneInfo("Asia/Kathmandu")
TODAY = Day.of(dt.date(2026, 11, 22), ZONE)
KINDS = {"owner": Kind.TEXT, "seats": Kind.NUMBER, "renewal_at": Kind.DATE, "contact.role": Kind.TEXT}

TRAITS: st.SearchStrategy[Traits] = st.fixed_dictionaries(
    {
        "owner": st.sampled_from([None, "anna", "ben"]),
        "seats": st.sampled_from([None, 1, 2.5, True]),
        "renewal_at": st.sampled_from([None, "2026-12-31", "2027-01-01"]),
    }
)
PEOPLE = st.dictionaries(
    st.sampled_from(["a", "b"]), st.fixed_dictionaries({"role": st.sampled_from([None, "boss"])}), max_size=2
)
ROWS = st.builds(Said, line=st.just(2), account=st.just("acme"), traits=TRAITS, people=PEOPLE)


class State:
    """Traits as the engine keeps them: of each the value said last, by (time, source, id)."""

    def __init__(self) -> None:
        self.said: dict[tuple[str | None, str], tuple[tuple[dt.datetime, str, str], Any]] = {}
        self.heard = False

    def take(self, raw: bytes) -> None:
        event = json.loads(raw)
        self.heard = True
        place = dt.datetime.fromisoformat(event["time"]), event["source"], event["id"]
        for name, value in event["data"]["traits"].items():
            key = event["data"].get("user"), name
            if key not in self.said or self.said[key][0] < place:
                self.said[key] = place, value

    def known(self) -> Known:
        people: dict[str, dict[str, tuple[Any, dt.datetime]]] = {}
        traits = {}
        for (person, name), (place, value) in self.said.items():
            told = value, place[0]
            if person is None:
                traits[name] = told
            else:
                people.setdefault(person, {})[name] = told
        return Known(self.heard, traits, people)


@given(st.lists(ROWS, min_size=1, max_size=5))
def test_after_any_files_of_one_day_the_last_one_holds(files: list[Said]) -> None:
    state = State()
    for said in files:
        found = compare(said, state.known(), KINDS, TODAY, lists_contacts=True)
        again = compare(said, state.known(), KINDS, TODAY, lists_contacts=True)
        assert again == found, "a repeat before it was applied sends the same events"
        for event in found.events:
            state.take(event)
        assert compare(said, state.known(), KINDS, TODAY, lists_contacts=True).events == ()
    last, known = files[-1], state.known()
    assert {name: known.traits.get(name, (None,))[0] for name in last.traits} == last.traits
    assert {name for name, told in known.people.items() if told["contact"][0]} == set(last.people)


@given(ROWS)
def test_events_hold_from_the_days_start_or_just_after_what_they_change(said: Said) -> None:
    afternoon = dt.datetime(2026, 11, 22, 15, tzinfo=ZONE)
    known = Known(exists=True, traits={"owner": ("zoe", afternoon)})
    for raw in compare(said, known, KINDS, TODAY, lists_contacts=False).events:
        event = json.loads(raw)
        at = dt.datetime.fromisoformat(event["time"])
        changes_owner = event["type"] == "account.updated"
        assert at == (afternoon + dt.timedelta(microseconds=1) if changes_owner else TODAY.start)


def test_a_known_instant_is_the_local_day_it_is_in() -> None:
    said = Said(2, "acme", {"renewal_at": "2027-01-01"}, {})
    told = {"renewal_at": ("2026-12-31T18:15:00Z", TODAY.start)}
    assert compare(said, Known(exists=True, traits=told), KINDS, TODAY, lists_contacts=False).events == ()


@given(st.lists(st.tuples(TRAITS, PEOPLE), min_size=1, max_size=4))
def test_the_first_row_of_an_account_decides_and_later_ones_add_contacts(
    rows: list[tuple[Traits, Any]],
) -> None:
    said = [Said(line, "acme", traits, people) for line, (traits, people) in enumerate(rows, start=2)]
    one, refused = merged(said)
    assert (one.line, one.traits) == (2, said[0].traits)
    kept = [row for row in said[1:] if row.line not in {line.line for line in refused}]
    assert set(one.people) == {person for row in (said[0], *kept) for person in row.people}
    assert all(value in (None, said[0].traits[name]) for row in kept for name, value in row.traits.items())
    others = [
        row.line
        for row in said[1:]
        if any(value not in (None, said[0].traits[name]) for name, value in row.traits.items())
    ]
    assert one.unread == (others[0] if others else None)


@given(st.lists(ROWS, min_size=1, max_size=3), ROWS)
def test_no_state_loses_what_a_refused_row_may_have_said(files: list[Said], last: Said) -> None:
    state = State()
    for said in files:
        for event in compare(said, state.known(), KINDS, TODAY, lists_contacts=True).events:
            state.take(event)
    before = {key: value for key, (_, value) in state.said.items() if value is not None}
    found = compare(replace(last, unread=9), state.known(), KINDS, TODAY, lists_contacts=True)
    for event in found.events:
        state.take(event)
    after = {key: value for key, (_, value) in state.said.items()}
    said_now = {(None, name): value for name, value in last.traits.items()} | {
        (person, name): value for person, traits in last.people.items() for name, value in traits.items()
    }
    said_now |= {(person, "contact"): True for person in last.people}
    told = {key: value for key, value in said_now.items() if value is not None}
    assert {key: value for key, value in after.items() if value is not None} == before | told
    kept = {(line.person, line.field): line.old for line in found.lines if line.finding == "kept"}
    unmarked = {key: True for key in before if key[1] == "contact"}
    cleared = {key: value for key, value in before.items() if key in said_now} | unmarked
    assert kept == {key: value for key, value in cleared.items() if key not in told}


def test_each_contact_is_told_with_the_line_that_names_it() -> None:
    rows = [
        Said(line, "acme", {"owner": "anna"}, {person: {"role": "boss"}})
        for line, person in ((2, "a"), (7, "b"))
    ]
    one, _ = merged(rows)
    lines = compare(one, Known(False, {}, {}), KINDS, TODAY, lists_contacts=True).lines
    assert [(line.person, line.line) for line in lines] == [(None, 2), ("a", 2), ("b", 7)]
    left, refused = without_erased(one, {"b"}.__contains__)
    assert [line.line for line in refused] == [7]
    assert set(left.people) == {"a"}
