"""That people, rotations, mute times and the heartbeat name what there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from common.catalogue.findings import Finding
from common.catalogue.models import Catalogue
from common.catalogue.people import Person, Rotation
from common.catalogue.places import Places, said
from common.catalogue.source import Entry, Path_
from common.context.holidays import unknown_calendars

_ZONE_ADVICE = "Use a name of the IANA database, such as Europe/Berlin"


def check_alerting(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    yield from _alerting(catalogue, places)
    yield from _people(catalogue, places)
    yield from _on_call(catalogue, places)
    yield from _routes(catalogue, places)


def _alerting(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    if not places["alerting.yaml"]:
        return
    made = catalogue.alerting
    entry = said(places, "alerting.yaml", ("mute_times",))
    yield from _twice([window.name for window in made.mute_times], ("mute_times",), entry)
    if made.heartbeat is not None:
        entry = said(places, "alerting.yaml", ("heartbeat",))
        yield from _receivers(catalogue, [made.heartbeat.receiver], ("heartbeat", "receiver"), entry)


def _people(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    if not places["people.yaml"]:
        return
    entry = said(places, "people.yaml", ("people",))
    people = catalogue.team.people
    names = [person.name for person in people]
    yield from _twice(names, ("people",), entry)
    for position, person in enumerate(people):
        path: Path_ = ("people", position)
        yield from _zone(person.timezone, (*path, "timezone"), entry)
        for code in unknown_calendars(person.holidays or ()):
            message, advice = (
                f"{code!r} is no calendar of holidays that is known",
                "Use codes such as DE or US-CA",
            )
            yield entry.finding((*path, "holidays"), message, advice)
        if person.receiver is not None:
            yield from _receivers(catalogue, [person.receiver], (*path, "receiver"), entry)
        yield from _deputies(person, set(names), path, entry)


def _deputies(person: Person, names: set[str], path: Path_, entry: Entry) -> Iterator[Finding]:
    asked = [(person.deputy, (*path, "deputy"))]
    for number, leave in enumerate(person.leave):
        asked.append((leave.deputy, (*path, "leave", number, "deputy")))
        if leave.last < leave.first:
            yield entry.finding((*path, "leave", number), "ends before it begins", "Swap the two days")
    for deputy, place in asked:
        if deputy == person.name:
            yield entry.finding(place, "stands in for themselves", "Name somebody else")
        elif deputy is not None and deputy not in names:
            yield entry.finding(place, f"{deputy!r} is nobody in this file", "Add them, or correct the name")


def _on_call(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    if not places["on-call.yaml"]:
        return
    entry = said(places, "on-call.yaml", ("rotations",))
    rotations = catalogue.on_call.rotations
    yield from _twice([rotation.name for rotation in rotations], ("rotations",), entry)
    for position, rotation in enumerate(rotations):
        yield from _rotation(rotation, catalogue, ("rotations", position), entry)


def _rotation(rotation: Rotation, catalogue: Catalogue, path: Path_, entry: Entry) -> Iterator[Finding]:
    yield from _zone(rotation.timezone, (*path, "timezone"), entry)
    yield from _receivers(catalogue, rotation.default, (*path, "default"), entry)
    people = {person.name: person for person in catalogue.team.people}
    for number, name in enumerate(rotation.people):
        place = (*path, "people", number)
        if name not in people:
            yield entry.finding(
                place, f"{name!r} is nobody in people.yaml", "Add them there, or correct the name"
            )
        elif people[name].receiver is None:
            advice = "Add receiver: to them in people.yaml"
            yield entry.finding(place, f"{name!r} has no receiver and can't be paged", advice)


def _routes(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    if not places["receivers.yaml"]:
        return
    entry = said(places, "receivers.yaml", ("routes",))
    known = {rotation.name for rotation in catalogue.on_call.rotations}
    for position, route in enumerate(catalogue.routing.routes):
        if route.on_call is not None and route.on_call not in known:
            advice = f"Use one of {', '.join(sorted(known)) or 'none yet: add it to on-call.yaml'}"
            yield entry.finding(("routes", position, "on_call"), f"{route.on_call!r} is no rotation", advice)


def _twice(names: Sequence[str], path: Path_, entry: Entry) -> Iterator[Finding]:
    for position, name in enumerate(names):
        if name in names[:position]:
            yield entry.finding((*path, position), f"{name!r} is defined twice", "Rename one of the two")


def _zone(name: str | None, path: Path_, entry: Entry) -> Iterator[Finding]:
    try:
        ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        yield entry.finding(path, f"{name!r} is no time zone", _ZONE_ADVICE)


def _receivers(catalogue: Catalogue, names: Sequence[str], path: Path_, entry: Entry) -> Iterator[Finding]:
    known = {receiver.name for receiver in catalogue.routing.receivers}
    for name in names:
        if name not in known:
            advice = f"Use one of {', '.join(sorted(known)) or 'none yet: add it to receivers.yaml'}"
            yield entry.finding(path, f"{name!r} is no receiver", advice)
