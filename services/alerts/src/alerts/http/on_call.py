"""`/v1/on-call`, `/v1/people`, `/v1/mute-times`: who is paged, who is away, and when nobody is told."""

from collections.abc import Sequence
from datetime import datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from alerts.domain.on_call import Duty, Override, Rotation, coming, on_call
from alerts.domain.people import Leave, Person, Team
from alerts.domain.terms import Terms
from alerts.domain.workdays import WEEKDAYS, Calendar, MuteTime, weekday_numbers
from alerts.http import on_call_models as models
from alerts.http.case_views import team_now
from alerts.http.doors import Doors, storable
from alerts.ports.records import Definitions
from alerts.ports.rota import MadeLeave, MadeMuteTime
from common.auth.keys import Principal
from common.errors import Conflict, NotFound, Rejected

MAX_WEEKS = 26


def on_call_router(doors: Doors) -> APIRouter:
    router = APIRouter(prefix="/v1/on-call", tags=["on-call"])

    @router.get("", response_model=models.OnCallView)
    def who(
        caller: Annotated[Principal, Depends(doors.read)],
        weeks: Annotated[int, Query(ge=1, le=MAX_WEEKS)] = 4,
    ) -> Any:
        """Who is on call in each rotation now, and who will be."""
        now = doors.clock.now()
        with doors.ledger() as ledger:
            known = ledger.definitions(caller.tenant_id)
            team = team_now(ledger, known, now)
            overrides = ledger.on_call_overrides(caller.tenant_id, now)
        rotations = known.rotations.values() if known else ()
        return {"data": [_rotation(one, overrides, team, now, weeks) for one in rotations]}

    @router.post("/overrides", response_model=models.OverrideView, status_code=201)
    def override(caller: Annotated[Principal, Depends(doors.act)], body: models.NewOverride) -> Any:
        """Somebody else is on call for a while. Of several that overlap the one made last counts."""
        now = doors.clock.now()
        starts_at = body.starts_at or now
        if body.ends_at <= max(starts_at, now):
            raise Rejected("time-passed", "`ends_at` must lie ahead, and after `starts_at`")
        person, rotation = storable(body.person) or "", storable(body.rotation) or ""
        made = Override(
            doors.new_id("over"),
            rotation,
            person,
            starts_at,
            body.ends_at,
            storable(body.comment),
            storable(body.by) or caller.name,
            now,
        )
        with doors.ledger() as ledger:
            known = ledger.definitions(caller.tenant_id)
            _check_rotation(known, rotation)
            if _person(known, person).receiver is None:
                raise Rejected("person-unreachable", f"{person!r} has no receiver in people.yaml")
            ledger.add_on_call_override(caller.tenant_id, made)
        return _override(made)

    @router.delete("/overrides/{override_id}", status_code=204)
    def end_override(caller: Annotated[Principal, Depends(doors.act)], override_id: str) -> None:
        with doors.ledger() as ledger:
            if not ledger.delete_on_call_override(caller.tenant_id, storable(override_id) or ""):
                raise NotFound("override-unknown", "there is no such override; GET /v1/on-call lists them")

    return router


def people_router(doors: Doors) -> APIRouter:
    router = APIRouter(prefix="/v1/people", tags=["on-call"])

    @router.get("", response_model=models.PeopleView)
    def people(caller: Annotated[Principal, Depends(doors.read)]) -> Any:
        """Those of `people.yaml`, and who is away."""
        now = doors.clock.now()
        with doors.ledger() as ledger:
            known = ledger.definitions(caller.tenant_id)
            made = ledger.leaves(caller.tenant_id, now)
        team = known.team if known else Team()
        return {"data": [_shown(person, team, made, now) for person in team.people.values()]}

    @router.post("/{name}/leaves", response_model=models.LeaveView, status_code=201)
    def leave(caller: Annotated[Principal, Depends(doors.act)], name: str, body: models.NewLeave) -> Any:
        """Somebody is away from the first to the last day, by their own clock; who stands in gets their notices and digest."""
        if body.last < body.first:
            raise Rejected("time-passed", "`last` must not lie before `first`")
        person, deputy = storable(name) or "", storable(body.deputy)
        made = MadeLeave(
            doors.new_id("leave"),
            Leave(person, body.first, body.last, deputy),
            storable(body.by) or caller.name,
            doors.clock.now(),
        )
        with doors.ledger() as ledger:
            known = ledger.definitions(caller.tenant_id)
            _person(known, person)
            if deputy is not None:
                _person(known, deputy)
            if deputy == person:
                raise Rejected("deputy-invalid", "nobody stands in for themselves")
            ledger.add_leave(caller.tenant_id, made)
        return _leave(made.leave, made)

    @router.delete("/{name}/leaves/{leave_id}", status_code=204)
    def end_leave(caller: Annotated[Principal, Depends(doors.act)], name: str, leave_id: str) -> None:
        """One that people.yaml names is changed there."""
        with doors.ledger() as ledger:
            mine = [
                one.id
                for one in ledger.leaves(caller.tenant_id, doors.clock.now())
                if one.leave.person == name
            ]
            if leave_id not in mine or not ledger.delete_leave(caller.tenant_id, leave_id):
                raise NotFound("leave-unknown", "there is no such leave; GET /v1/people lists them")

    return router


def mute_times_router(doors: Doors) -> APIRouter:
    router = APIRouter(prefix="/v1/mute-times", tags=["on-call"])

    @router.get("", response_model=models.MuteTimesView)
    def mute_times(caller: Annotated[Principal, Depends(doors.read)]) -> Any:
        """Of alerting.yaml, and those made here."""
        with doors.ledger() as ledger:
            known = ledger.definitions(caller.tenant_id)
            made = ledger.mute_times(caller.tenant_id)
        of_file = known.terms.mute_times if known else ()
        calendar, now = _calendar(known), doors.clock.now()
        windows = [*((window, None) for window in of_file), *((one.window, one) for one in made)]
        return {"data": [_muted(window, one, calendar, now) for window, one in windows]}

    @router.post("", response_model=models.MuteTimeView, status_code=201)
    def mute(caller: Annotated[Principal, Depends(doors.act)], body: models.NewMuteTime) -> Any:
        window = MuteTime(
            body.name,
            weekday_numbers(body.weekdays),
            time.fromisoformat(body.begins),
            time.fromisoformat(body.ends),
            body.hard_too,
        )
        made = MadeMuteTime(doors.new_id("mute"), window, storable(body.by) or caller.name, doors.clock.now())
        with doors.ledger() as ledger:
            known = ledger.definitions(caller.tenant_id)
            taken = {one.name for one in known.terms.mute_times} if known else set()
            if body.name in taken or not ledger.add_mute_time(caller.tenant_id, made):
                raise Conflict("mute-time-exists", f"there is already a mute time {body.name!r}")
        return _muted(window, made, _calendar(known), made.created_at)

    @router.delete("/{mute_time_id}", status_code=204)
    def unmute(caller: Annotated[Principal, Depends(doors.act)], mute_time_id: str) -> None:
        """What it held back is told, if it still holds. One that alerting.yaml names is changed there."""
        with doors.ledger() as ledger:
            if not ledger.delete_mute_time(caller.tenant_id, storable(mute_time_id) or ""):
                raise NotFound(
                    "mute-time-unknown", "there is no such mute time; GET /v1/mute-times lists them"
                )

    return router


def _rotation(
    rotation: Rotation, overrides: Sequence[Override], team: Team, now: datetime, weeks: int
) -> dict[str, Any]:
    mine = [one for one in overrides if one.rotation == rotation.name]
    return {
        "name": rotation.name,
        "people": rotation.people,
        "timezone": str(rotation.calendar.zone),
        "escalate_after_seconds": rotation.escalate_after.total_seconds(),
        "default": rotation.default,
        "now": _duty(on_call(rotation, mine, team, now)),
        "coming": [_duty(duty) for duty in coming(rotation, mine, team, now, weeks)],
        "overrides": [_override(one) for one in mine],
    }


def _duty(duty: Duty) -> dict[str, Any]:
    return {name: getattr(duty, name) for name in Duty.__slots__}


def _override(made: Override) -> dict[str, Any]:
    return {name: getattr(made, name) for name in Override.__slots__}


def _shown(person: Person, team: Team, made: Sequence[MadeLeave], now: datetime) -> dict[str, Any]:
    whole = team.joined_by([one.leave for one in made])
    leaves = [_leave(one, None) for one in team.leaves if one.person == person.name]
    leaves += [_leave(one.leave, one) for one in made if one.leave.person == person.name]
    stand_in, away = whole.stand_in(person.name, now), whole.leave_of(person.name, now)
    return {
        "name": person.name,
        "timezone": str(person.calendar.zone),
        "weekdays": [WEEKDAYS[number] for number in sorted(person.calendar.weekdays)],
        "receiver": person.receiver,
        "digest_at": f"{person.digest_at:%H:%M}" if person.digest_at else None,
        "deputy": person.deputy,
        "is_away": away is not None,
        "away_until": away.last if away else None,
        "stand_in": stand_in if stand_in != person.name else None,
        "leaves": leaves,
    }


def _leave(leave: Leave, made: MadeLeave | None) -> dict[str, Any]:
    return {
        "id": made.id if made else None,
        "first": leave.first,
        "last": leave.last,
        "deputy": leave.deputy,
        "created_by": made.created_by if made else None,
    }


def _calendar(known: Definitions | None) -> Calendar:
    return (known.terms if known else Terms()).calendar


def _muted(window: MuteTime, made: MadeMuteTime | None, calendar: Calendar, now: datetime) -> dict[str, Any]:
    return {
        "id": made.id if made else None,
        "name": window.name,
        "weekdays": [WEEKDAYS[number] for number in sorted(window.weekdays)],
        "begins": f"{window.begins:%H:%M}",
        "ends": f"{window.ends:%H:%M}",
        "hard_too": window.hard_too,
        "until": window.until(calendar, now),
        "created_by": made.created_by if made else None,
    }


def _check_rotation(known: Definitions | None, name: str) -> None:
    if known is None or name not in known.rotations:
        raise NotFound("rotation-unknown", f"there is no rotation {name[:80]!r}; on-call.yaml defines them")


def _person(known: Definitions | None, name: str) -> Person:
    person = known.team.people.get(name) if known else None
    if person is None:
        raise NotFound("person-unknown", f"{name[:80]!r} is nobody in people.yaml")
    return person
