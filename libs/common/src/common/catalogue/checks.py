"""What must hold across a whole catalogue: names that are used exist, and parts fit together."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from zoneinfo import ZoneInfo

from common.catalogue.alerting_checks import check_alerting
from common.catalogue.cel import ACCOUNT_FIGURES, CelInvalid, compile_account
from common.catalogue.currencies import CURRENCIES
from common.catalogue.derived_checks import check_sizes
from common.catalogue.event_filters import ADVICE, check_filter
from common.catalogue.field_checks import check_fields
from common.catalogue.findings import Finding
from common.catalogue.health_checks import check_health
from common.catalogue.lifecycle_checks import check_business_hours, check_steps
from common.catalogue.metric_checks import check_circles, check_metric, check_names, names_read
from common.catalogue.models import Catalogue, EventField, EventType, Measure, Receiver, Routing, Rule
from common.catalogue.places import Places, check_name, defined, said
from common.catalogue.risk_checks import check_risk
from common.catalogue.scorecard_checks import check_benchmarks, check_engagement, check_scorecard
from common.catalogue.segment_checks import check_segments, is_reserved
from common.catalogue.signal_checks import check_signals
from common.catalogue.source import Entry
from common.catalogue.template_checks import check_template
from common.catalogue.tree_checks import check_drivers, check_tree
from common.context.holidays import unknown_calendars

_NO_ZONE = (KeyError, ValueError, OSError)
_FIELD = re.compile(r"^data(\.[A-Za-z_][A-Za-z0-9_]*)+$")
_ENUM_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
}


def check(catalogue: Catalogue, places: Places, now: dt.datetime | None = None) -> list[Finding]:
    """`now`: definitions that are to come into effect later are refused too."""
    return [
        *(_to_come(catalogue, places, now) if now is not None else ()),
        *_check_settings(catalogue, places),
        *check_business_hours(catalogue, places),
        *(
            found
            for made in catalogue.event_types.values()
            for found in _event_type(made, places["event-types"][made.name])
        ),
        *(found for made in catalogue.measures.values() for found in _measure(made, places)),
        *(found for made in catalogue.measures.values() for found in check_fields(made, catalogue, places)),
        *_row_names(catalogue, places["measures"]),
        *_metrics(catalogue, places),
        *check_circles(catalogue, places),
        *check_sizes(catalogue, places),
        *(found for made in catalogue.rules.values() for found in _rule(made, places)),
        *_routing(catalogue, places),
        *check_alerting(catalogue, places),
        *check_segments(catalogue, places),
        *check_engagement(catalogue, places),
        *check_drivers(catalogue, places),
        *check_tree(catalogue, places),
        *check_scorecard(catalogue, places),
        *check_benchmarks(catalogue, places),
        *check_health(catalogue, places),
        *check_signals(catalogue, places),
        *check_risk(catalogue, places),
    ]


def _metrics(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    """What a metric says of measures and metrics can be judged where all of them are there and in order."""
    known = {"measures": set(catalogue.measures), "metrics": set(catalogue.metrics)}
    for made in catalogue.metrics.values():
        yield from check_names(made, places)
        if all(name in known[kind] for kind, _, name in names_read(made)):
            yield from check_metric(made, catalogue, places["metrics"][made.name])


def _to_come(catalogue: Catalogue, places: Places, now: dt.datetime) -> Iterator[Finding]:
    try:
        today = now.astimezone(ZoneInfo(catalogue.settings.timezone)).date()
    except _NO_ZONE:
        return
    for made in catalogue.metrics.values():
        if made.effective_from > today:
            message = f"{made.effective_from} is to come, and a version answers from its application on"
            advice = "Apply it on that day, or name a day up to today"
            yield places["metrics"][made.name].finding(("effective_from",), message, advice)


def _check_settings(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    if not places["settings.yaml"]:
        return
    if not _is_zone(catalogue.settings.timezone):
        yield said(places, "settings.yaml", ("timezone",)).finding(
            ("timezone",),
            f"{catalogue.settings.timezone!r} is no time zone",
            "Use a name of the IANA database, such as Europe/Berlin",
        )
    for code in unknown_calendars(catalogue.settings.holidays):
        yield said(places, "settings.yaml", ("holidays",)).finding(
            ("holidays",),
            f"there is no calendar of public holidays named {code!r}",
            "Use a country of ISO 3166, such as DE, or a part of it that keeps its own, such as US-CA",
        )
    yield from _dimensions(catalogue.settings.dimensions, said(places, "settings.yaml", ("dimensions",)))
    if catalogue.settings.currency not in CURRENCIES:
        message = f"{catalogue.settings.currency} is no currency of ISO 4217 that is known here"
        yield said(places, "settings.yaml", ("currency",)).warning(("currency",), message, "Correct it")
    entry = said(places, "settings.yaml", ("business_hours",))
    for day, openings in catalogue.settings.business_hours.days.items():
        yield from _openings(openings, ("business_hours", "days", day), entry)


def _is_zone(name: str) -> bool:
    """What one machine calls its own, or what means that none was chosen, is a zone nowhere else."""
    try:
        ZoneInfo(name)
    except _NO_ZONE:
        return False
    return name not in ("localtime", "posixrules", "Factory") and not name.startswith(("posix/", "right/"))


def _dimensions(names: tuple[str, ...], entry: Entry) -> Iterator[Finding]:
    for position, name in enumerate(names):
        path = ("dimensions", position)
        if not name or name != name.strip():
            yield entry.finding(
                path, f"{name!r} is the name of no trait", "Write it without blanks around it"
            )
        elif name in names[:position]:
            yield entry.finding(path, f"{name!r} is there twice", "Keep one of the two")
        elif is_reserved(name):
            message = f"{name!r} is a dimension of its own, which no trait can be"
            yield entry.finding(path, message, "Remove it: figures can be sliced by it in any case")
        elif any(character.isspace() for character in name):
            message = f"{name!r} has a blank in it"
            yield entry.warning(path, message, "Write the trait's name as accounts have it")


def _openings(openings: tuple[str, ...], path: tuple[str, ...], entry: Entry) -> Iterator[Finding]:
    """Texts of equal form, so that their order is that of the times they stand for."""
    edges = [edge for opening in openings for edge in opening.split("-")]
    if any(one >= other for one, other in pairwise(edges)):
        yield entry.finding(path, "opens after it closes, or opens twice", "Put the hours in order")


def _event_type(made: EventType, entry: Entry) -> Iterator[Finding]:
    for name, declared in made.fields.items():
        yield from _event_field(name, declared, entry)


def _event_field(name: str, declared: EventField, entry: Entry) -> Iterator[Finding]:
    path = ("fields", name)
    bounded = declared.min is not None or declared.max is not None
    if bounded and declared.type not in ("number", "integer", "money"):
        yield entry.finding(
            path, f"has bounds but is of type {declared.type}", "Bounds belong to numbers; remove them"
        )
    if declared.min is not None and declared.max is not None and declared.min > declared.max:
        yield entry.finding(path, "has a min above its max", "Swap them")
    if declared.enum is None:
        return
    if not declared.enum:
        advice = "List the values, or remove it"
        yield entry.finding(
            (*path, "enum"), "lists no value, so that every event is refused that has one", advice
        )
    kinds = _ENUM_TYPES.get(declared.type, ())
    if not all(isinstance(value, kinds) for value in declared.enum):
        yield entry.finding(
            (*path, "enum"), f"lists values that aren't of type {declared.type}", "Make type and values agree"
        )


def _measure(made: Measure, places: Places) -> Iterator[Finding]:
    entry = places["measures"][made.name]
    yield from check_steps(made, places)
    if made.agg == "steps":
        return
    reads_types = made.agg in ("count", "sum", "distinct", "last")
    if reads_types and bool(made.event_types) == made.activity:
        yield entry.finding(
            (), "must name event_types or say activity: true, and not both", "Keep one of the two"
        )
    if not reads_types and (made.event_types or made.activity or made.where or made.field):
        yield entry.finding(
            (), f"has a built-in reading (agg: {made.agg})", "Remove event_types, activity, where and field"
        )
    for position, name in enumerate(made.event_types):
        if name != "*":
            yield from check_name(places, "event-types", name, entry, ("event_types", position))
    yield from _measure_field(made, entry)
    yield from _measure_windows(made, entry)
    if made.where is not None:
        yield from _cel(made.where, ("where",), entry)


def _measure_field(made: Measure, entry: Entry) -> Iterator[Finding]:
    if made.agg in ("sum", "last") and made.field is None:
        yield entry.finding((), f"{made.agg} needs a field", "Add field: data.<name>")
    if made.agg == "count" and made.field is not None:
        yield entry.finding(("field",), "a count reads no field", "Remove it, or use agg: sum")
    if made.field is not None and not _FIELD.match(made.field):
        yield entry.finding(("field",), f"{made.field!r} is no path into data", "Write data.<name>")
    if made.scale and made.agg not in ("sum", "last"):
        yield entry.finding(("scale",), f"{made.agg} has no scale", "Remove it")


def _measure_windows(made: Measure, entry: Entry) -> Iterator[Finding]:
    if made.windows and not made.is_distinct:
        yield entry.finding(
            ("windows",),
            "only distinct measures have windows",
            "Remove them; metrics sum the others over days",
        )
    if any(days < 2 or days > 366 for days in made.windows) or len(set(made.windows)) < len(made.windows):
        yield entry.finding(("windows",), "must be different numbers of days from 2 to 366", "Correct them")
    if made.grain == "hour" and made.agg not in ("count", "sum"):
        yield entry.finding(("grain",), f"{made.agg} is kept by day", "Use grain: day")


def _row_names(catalogue: Catalogue, places: Mapping[str, Entry]) -> Iterator[Finding]:
    owners: dict[str, str] = {}
    for made in catalogue.measures.values():
        for row in made.rows:
            if row in owners:
                message = f"keeps figures named {row!r}, as measure {owners[row]!r} does"
                yield places[made.name].finding(("name",), message, "Rename one of the two")
            owners[row] = made.name


def _rule(made: Rule, places: Places) -> Iterator[Finding]:
    entry, signals = places["rules"][made.name], defined(places, "signals")
    for position, name in enumerate(made.driven_by):
        yield from check_name(places, "event-types", name, entry, ("driven_by", position))
    for part in ("condition", "resolve", "applies_to"):
        source = getattr(made, part)
        if source is not None:
            yield from _cel(source, (part,), entry, signals)
    for part in ("evidence", "next_step"):
        yield from check_template(getattr(made, part), part, entry, signals=signals)


def _cel(
    source: str, path: tuple[str, ...], entry: Entry, signals: Collection[str] | None = None
) -> Iterator[Finding]:
    """Of accounts where `signals` are given, else of events."""
    try:
        if signals is None:
            check_filter(source)
        else:
            compile_account(source, signals)
    except CelInvalid as error:
        advice = ADVICE
        if signals is not None:
            advice = (
                f"A condition may use a.{', a.'.join(sorted(ACCOUNT_FIGURES))}, a.traits and s.<signal>.on"
            )
        yield entry.finding(path, f"line {error.line}, column {error.column}: {error}", advice)


def _routing(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    if not places["receivers.yaml"]:
        return
    entry = said(places, "receivers.yaml", ("receivers",))
    routing = catalogue.routing
    names = [receiver.name for receiver in routing.receivers]
    for position, receiver in enumerate(routing.receivers):
        if receiver.name in names[:position]:
            yield entry.finding(
                ("receivers", position), f"{receiver.name!r} is defined twice", "Rename one of the two"
            )
        yield from _receiver(receiver, position, entry)
    yield from _routes(routing, set(names), places)


def _receiver(receiver: Receiver, position: int, entry: Entry) -> Iterator[Finding]:
    path = ("receivers", position)
    if receiver.kind == "webhook" and not (receiver.url or "").startswith(("http://", "https://")):
        yield entry.finding(path, "a webhook needs a url", "Add url: https://...")
    signs = receiver.kind != "email"
    if signs and (receiver.secret is None) == (receiver.secret_env is None):
        yield entry.finding(
            path,
            f"a {receiver.kind} receiver needs secret_env or secret, and not both",
            "Name the variable that holds the secret",
        )
    if receiver.kind == "email" and "@" not in (receiver.to or ""):
        yield entry.finding(path, "an e-mail receiver needs an address", "Add to: name@example.com")
    if receiver.kind in ("slack", "pagerduty") and not (receiver.url or "https://").startswith(
        ("http://", "https://")
    ):
        yield entry.finding(
            path, f"the base address of {receiver.kind} is none", "Write url: https://..., or leave it out"
        )
    if receiver.channel is not None and receiver.kind != "slack":
        yield entry.finding(path, f"a {receiver.kind} receiver has no channel", "Remove the channel")


def _routes(routing: Routing, names: set[str], places: Places) -> Iterator[Finding]:
    entry = said(places, "receivers.yaml", ("routes",))
    for position, route in enumerate(routing.routes):
        for number, rule in enumerate(route.match.rule):
            path = ("routes", position, "match", "rule", number)
            yield from check_name(places, "rules", rule, entry, path)
        for name in sorted(set(route.receivers) - names):
            yield entry.finding(
                ("routes", position),
                f"{name!r} is no receiver",
                f"Use one of {', '.join(sorted(names)) or 'none yet'}",
            )
    if routing.receivers and not any(route.match == type(route.match)() for route in routing.routes):
        yield entry.finding(
            ("routes",),
            "there is no default route",
            "Add a last route without match, so that no case is lost",
        )
