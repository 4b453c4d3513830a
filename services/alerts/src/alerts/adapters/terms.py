"""From a catalogue's files to what the domain asks: terms of cases, the team, rotations."""

from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

from alerts.domain.on_call import Rotation
from alerts.domain.people import Leave, Person, Team
from alerts.domain.terms import Flapping, Heartbeat, PageLimit, Playbook, PlaybookStep, StormCap, Terms
from alerts.domain.workdays import Calendar, MuteTime, weekday_numbers
from common.catalogue import alerting, engagement, models, people
from common.context.holidays import public_holidays

# Which years' public holidays are known: further than any deadline of a case reaches.
_FROM, _UNTIL = date(2020, 1, 1), date(2045, 12, 31)


def calendar_of(settings: models.Settings) -> Calendar:
    """The company's: its business hours, the holidays these name and the public ones of the settings."""
    hours = settings.business_hours
    days = weekday_numbers(day for day, openings in hours.days.items() if openings)
    public = public_holidays(settings.holidays, _FROM, _UNTIL)
    return Calendar(_zone(settings.timezone), days, frozenset(hours.holidays) | public)


def terms_of(catalogue: models.Catalogue) -> Terms:
    said = catalogue.alerting
    assumed, days = said.assumed_probability, said.acknowledged_for_days
    return Terms(
        page=PageLimit(said.page.above, timedelta(days=said.page.within_days)) if said.page else None,
        assumed={"critical": assumed.critical, "warning": assumed.warning, "info": assumed.info},
        calendar=calendar_of(catalogue.settings),
        acknowledged_for=timedelta(days=days) if days is not None else None,
        closes_after_healthy_days=said.closes_after_healthy_days,
        not_real_for=timedelta(days=said.not_real_days),
        flapping=_flapping(said.flapping),
        storm=_storm(said.storm),
        mute_times=tuple(mute_time_of(window) for window in said.mute_times),
        heartbeat=_heartbeat(said.heartbeat),
        digest_at=_time(said.digest_at),
        playbooks=_playbooks(catalogue.engagement_models),
    )


def _flapping(said: alerting.Flapping | None) -> Flapping | None:
    return None if said is None else Flapping(said.turns, timedelta(hours=said.within_hours))


def _storm(said: alerting.Storm | None) -> StormCap | None:
    return None if said is None else StormCap(said.cases, timedelta(minutes=said.within_minutes))


def _heartbeat(said: alerting.Heartbeat | None) -> Heartbeat | None:
    return None if said is None else Heartbeat(said.receiver, timedelta(minutes=said.every_minutes))


def mute_time_of(window: alerting.MuteTime) -> MuteTime:
    return MuteTime(
        window.name,
        weekday_numbers(window.weekdays),
        time.fromisoformat(window.begins),
        time.fromisoformat(window.ends),
        window.hard_too,
    )


def steps_of(steps: Iterable[alerting.PlaybookStep]) -> tuple[PlaybookStep, ...]:
    return tuple(PlaybookStep(step.label, step.owner_role, step.due_days) for step in steps)


def team_of(catalogue: models.Catalogue) -> Team:
    company = calendar_of(catalogue.settings)
    default_at = _time(catalogue.alerting.digest_at)
    found = {person.name: _person(person, company, default_at) for person in catalogue.team.people}
    leaves = tuple(
        Leave(person.name, leave.first, leave.last, leave.deputy)
        for person in catalogue.team.people
        for leave in person.leave
    )
    return Team(found, leaves)


def _person(person: people.Person, company: Calendar, digest_at: time | None) -> Person:
    weekdays = company.weekdays if person.weekdays is None else weekday_numbers(person.weekdays)
    zone = _zone(person.timezone) if person.timezone else company.zone
    own = person.holidays
    off = company.holidays if own is None else public_holidays(own, _FROM, _UNTIL)
    return Person(
        person.name,
        Calendar(zone, weekdays, off),
        person.receiver,
        _time(person.digest_at) or digest_at,
        person.deputy,
    )


def rotations_of(catalogue: models.Catalogue) -> Mapping[str, Rotation]:
    company = calendar_of(catalogue.settings)
    return {rotation.name: _rotation(rotation, company) for rotation in catalogue.on_call.rotations}


def _rotation(rotation: people.Rotation, company: Calendar) -> Rotation:
    zone = _zone(rotation.timezone) if rotation.timezone else company.zone
    return Rotation(
        rotation.name,
        rotation.people,
        Calendar(zone, company.weekdays, company.holidays),
        rotation.starts_on,
        time.fromisoformat(rotation.hand_over),
        timedelta(minutes=rotation.escalate_after_minutes),
        rotation.default,
    )


def _playbooks(
    found: Mapping[str, engagement.EngagementModel],
) -> Mapping[str | None, Playbook]:
    made: dict[str | None, Playbook] = {}
    for model in found.values():
        playbook = Playbook("engagement-model", model.name, steps_of(model.steps))
        made[model.trait_value] = playbook
        if model.default:
            made[None] = playbook
    return made


def _time(text: str | None) -> time | None:
    return None if text is None else time.fromisoformat(text)


def _zone(name: str) -> ZoneInfo:
    """Raises ValueError for one that this machine doesn't know, as for everything that can't be used."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone") from error
