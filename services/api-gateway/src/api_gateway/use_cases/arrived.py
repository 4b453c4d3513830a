"""What arrived late for the earlier of two periods, and what is missing from the later one: from counts of raw events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction

from api_gateway.ports.analysis import Look
from common.analysis import late
from common.analysis.explaining import Late, Missing
from common.analysis.reading import EVERYTHING, counted, types_read
from common.analysis.samples import Cell
from common.analysis.silence import Silence, missing_share, silence
from common.catalogue.lifecycles import Combined
from common.catalogue.models import Catalogue, Measure, Metric
from common.figures.buckets import Bucket
from common.figures.calendar import Calendar

ZERO = Fraction(0)
_TICK = timedelta(microseconds=1)
_LOADED = "all of it arrived after the earlier period was complete: it was loaded, and counts as known"
_UNTOLD = "what arrived later is counted here; what it did to this figure can't be told"
_FROM_REVISIONS = "as far as revisions tell; days that had nothing until then have none"
_TOO_MANY = "there are too many raw events to look at; choose shorter periods"
Key = tuple[str, str | None]
"""A type of event, and a source where it is about that source alone."""
Counts = Mapping[date, int]


@dataclass(frozen=True, slots=True)
class Arrived:
    """One metric and two periods. `as_of`: what arrived by then is counted. `whole`: the figure is the whole tenant's."""

    look: Look
    catalogue: Catalogue
    metric: Metric
    periods: tuple[Bucket, Bucket]
    as_of: datetime
    whole: bool

    def late(self, now: Cell) -> Late:
        """What the earlier figure, which is `now`, changed since it was complete."""
        earlier = self.periods[0]
        complete_at = earlier.end + self.metric.settles
        if complete_at > self.as_of:
            return Late(note="the earlier period is not complete yet")
        events = self._counted_events()
        arrivals = self.look.arrivals(
            _or_all(types_read(self.metric, self.catalogue)), earlier.start, earlier.end, complete_at,
            internal=events is None or not events.exclude_internal,
        )  # fmt: skip
        if arrivals is None:
            return Late(None, note=_TOO_MANY)
        if arrivals.after and not arrivals.by_then and self._loaded(complete_at):
            return Late(ZERO, arrivals.after, _LOADED)
        changed = self._revised(now, complete_at, late_too=events is None)
        if events is None and arrivals.after and not changed:
            changed = None  # late events that left no revision: what they did isn't known
        if changed is not None and events is not None:
            changed += sum(arrivals.after.values())
        if changed is None and not arrivals.after:
            return Late()
        note = _UNTOLD if changed is None else _FROM_REVISIONS if events is None and arrivals.after else None
        return Late(changed, arrivals.after, note)

    def _loaded(self, complete_at: datetime) -> bool:
        """Nothing of any type had arrived when the earlier period was complete."""
        earlier = self.periods[0]
        arrivals = self.look.arrivals(None, earlier.start, earlier.end, complete_at, internal=True)
        return arrivals is None or not arrivals.by_then

    def _counted_events(self) -> Measure | None:
        """The measure, where the figure is the number of its events: then late ones are counted themselves."""
        measure = counted(self.metric, self.catalogue)
        plain = measure is not None and measure.agg == "count" and measure.where is None
        return measure if plain else None

    def _revised(self, now: Cell, complete_at: datetime, *, late_too: bool) -> Fraction | None:
        """By amendments, deletions and the like, and by late events. Revisions are of the whole tenant: of a part nothing is known."""
        rows = late.rows_revised(self.metric, self.catalogue)
        if not rows or not self.whole:
            return None
        days = late.Days(self._day(self.periods[0].start), self._last_day(self.periods[0]))
        found = self.look.revisions(rows, late.first_day(self.metric, days), days.last, complete_at)
        wanted = [one for one in found if late_too or one.why != "late"]
        return late.changed(self.metric, self.catalogue, days, (now.value, now.over, now.under), wanted)

    def missing(self) -> Missing:
        types = _or_all(types_read(self.metric, self.catalogue))
        zone = self.catalogue.settings.timezone
        spans = [(bucket.start, min(bucket.end, self.as_of)) for bucket in self.periods]
        before, after = (self.look.daily(types, *span, zone) for span in spans)
        if before is None or after is None:
            return Missing(known=False, note=_TOO_MANY)
        found = self._silences({(kind, None): (days, after.get(kind, {})) for kind, days in before.items()})
        living = [kind for kind in before if (kind, None) not in found]
        first, second = (self.look.daily_by_source(living, *span, zone) for span in spans)
        if first is None or second is None:
            return self._estimated(
                found, before, {}, "sources are told apart only in shorter periods: too many raw events"
            )
        found |= self._silences({key: (days, second.get(key, {})) for key, days in first.items()})
        return self._estimated(found, before, first, None)

    def _silences(self, counts: Mapping[Key, tuple[Counts, Counts]]) -> dict[Key, Silence]:
        """A day counts once it is over and applied."""
        today = self._day(self.as_of)
        earlier, later = (
            [day for day in _days(self._day(bucket.start), self._last_day(bucket)) if day < today]
            for bucket in self.periods
        )
        made = {key: silence({**sides[0], **sides[1]}, earlier, later) for key, sides in counts.items()}
        return {key: one for key, one in made.items() if one is not None}

    def _estimated(
        self,
        found: Mapping[Key, Silence],
        by_type: Mapping[str, Counts],
        by_source: Mapping[tuple[str, str], Counts],
        note: str | None,
    ) -> Missing:
        events = {
            key: sum((by_type[key[0]] if key[1] is None else by_source[key[0], key[1]]).values())
            for key in found
        }
        every = {kind: sum(days.values()) for kind, days in by_type.items()}
        formula = self.metric.formula
        if isinstance(formula, Combined) and len(formula.times) == len(formula.over) == 1:
            over, under = (
                self._lost(self.catalogue.metrics[name], found, events, every)
                for name in (formula.times[0], formula.over[0])
            )
        else:
            over, under = self._lost(self.metric, found, events, every), ZERO
        spells = [_spell(key, one) for key, one in sorted(found.items(), key=lambda item: str(item[0]))]
        if over is None or under is None:
            return Missing(ZERO, ZERO, spells, known=False, note="what that did to this figure can't be told")
        return Missing(over, under, spells, note=note)

    def _lost(
        self,
        metric: Metric,
        found: Mapping[Key, Silence],
        events: Mapping[Key, int],
        every: Mapping[str, int],
    ) -> Fraction | None:
        """Which share of a plain sum is missing; None where something it reads fell silent and it isn't a plain sum."""
        read = types_read(metric, self.catalogue)
        mine = {key: one for key, one in found.items() if EVERYTHING in read or key[0] in read}
        if not mine:
            return ZERO
        if counted(metric, self.catalogue) is None:
            return None
        total = sum(count for kind, count in every.items() if EVERYTHING in read or kind in read)
        shares = {str(key): Fraction(events[key], total) for key in mine}
        return missing_share({str(key): one for key, one in mine.items()}, shares)

    def _day(self, at: datetime) -> date:
        return Calendar.of(self.catalogue.settings).day_of(at)

    def _last_day(self, bucket: Bucket) -> date:
        return self._day(bucket.end - _TICK)


def _spell(key: Key, one: Silence) -> dict[str, object]:
    kind, source = key
    return {
        "name": kind if source is None else f"{kind} from {source}",
        "type": kind,
        "source": source,
        "days": [day.isoformat() for day in one.days],
        "expected_events": float(one.expected),
    }


def _or_all(types: frozenset[str]) -> frozenset[str] | None:
    return None if EVERYTHING in types else types


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
