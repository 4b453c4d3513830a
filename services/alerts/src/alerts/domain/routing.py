"""Who hears of what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from alerts.domain.cases import NoticeType
from alerts.domain.severity import Severity, rank

# What a receiver hears of that does not list types: news that ask for action, and that something it was told was wrong.
DEFAULT_EVENTS = frozenset(
    {
        NoticeType.OPENED.value,
        NoticeType.WORSENED.value,
        NoticeType.LAPSED.value,
        NoticeType.ESCALATED.value,
        NoticeType.STORM_SUMMARY.value,
        NoticeType.WITHDRAWN.value,
        NoticeType.RECEIVER_DISABLED.value,
        NoticeType.TRACKING_BROKEN.value,
        NoticeType.TRACKING_MENDED.value,
        NoticeType.DRIVER_STOPPED.value,
        NoticeType.DRIVER_HOLDS.value,
    }
)


# What only concerns those who were told of the case.
AFTERWARDS = frozenset({NoticeType.ACKNOWLEDGED, NoticeType.RESOLVED, NoticeType.WITHDRAWN})
_STATES = frozenset({NoticeType.ACKNOWLEDGED.value, NoticeType.RESOLVED.value})
# Where a message or an incident stays to be seen, it follows its case; an incident is about nothing but cases.
DEFAULT_EVENTS_BY_KIND = {
    "slack": DEFAULT_EVENTS | _STATES,
    "pagerduty": _STATES
    | {
        NoticeType.OPENED.value,
        NoticeType.WORSENED.value,
        NoticeType.LAPSED.value,
        NoticeType.ESCALATED.value,
        NoticeType.STORM_SUMMARY.value,
    },
}


@dataclass(frozen=True, slots=True)
class Target:
    """A receiver as routing sees it. `events` empty: the default ones of its kind."""

    receiver_id: int
    name: str
    events: frozenset[str]
    min_severity: Severity = "info"
    disabled: bool = False
    kind: str = "webhook"

    def wants(self, notice: NoticeType) -> bool:
        return notice.value in (self.events or DEFAULT_EVENTS_BY_KIND.get(self.kind, DEFAULT_EVENTS))


@dataclass(frozen=True, slots=True)
class Subject:
    """What a notice is about, as far as routes may ask."""

    severity: Severity
    owner: str | None
    segment: str | None
    rules: frozenset[str]


@dataclass(frozen=True, slots=True)
class Route:
    """Empty sets match anything."""

    receivers: frozenset[str]
    severities: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    and_on: bool = False
    owner: bool = False
    on_call: str | None = None

    def matches(self, subject: Subject) -> bool:
        return (
            (not self.severities or subject.severity in self.severities)
            and (not self.owners or subject.owner in self.owners)
            and (not self.segments or subject.segment in self.segments)
            and (not self.rules or bool(subject.rules & self.rules))
        )


@dataclass(frozen=True, slots=True)
class Reach:
    """Receivers of people: of the account's owner and of whoever is on call in each rotation, now. `personal`: those that hear only of what is
    theirs, as everybody's in the team do.
    """

    owner: str | None = None
    on_call: Mapping[str, str] = field(default_factory=dict)
    personal: frozenset[str] = frozenset()


NOBODY = Reach()


def taken(routes: Sequence[Route], subject: Subject) -> list[Route]:
    """The routes that decide about a case, in order: those that match, up to the first that doesn't go on."""
    found: list[Route] = []
    for route in routes:
        if route.matches(subject):
            found.append(route)
            if not route.and_on:
                break
    return found


def hearers(
    targets: Sequence[Target],
    routes: Sequence[Route],
    notice: NoticeType,
    subject: Subject,
    reach: Reach = NOBODY,
) -> list[Target]:
    """Receivers of a notice about a case: those whose route matches (all of them where there are no routes) and who want its type.

    Receivers that no route names at all (made through the API) hear of every case, by their own type and severity filters; those of people
    only of what a route sends to an owner or to who is on call. Disabled ones are among them: their notices fail, are listed, and can be
    sent again once they are back.
    """
    routed = {name for route in routes for name in route.receivers} | reach.personal
    chosen: set[str] = {target.name for target in targets if target.name not in routed}
    for route in taken(routes, subject):
        chosen |= route.receivers
        if route.owner and reach.owner is not None:
            chosen.add(reach.owner)
        if route.on_call is not None and route.on_call in reach.on_call:
            chosen.add(reach.on_call[route.on_call])
    return [
        target
        for target in targets
        if target.name in chosen
        and target.wants(notice)
        and rank(subject.severity) >= rank(target.min_severity)
    ]
