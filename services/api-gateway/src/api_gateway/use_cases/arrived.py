"""What arrived late for the earlier of two periods, and what is missing from the later one: from raw events and revisions."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fractions import Fraction

from api_gateway.ports.analysis import Look, Since
from common.analysis import late
from common.analysis.explaining import Late, Missing
from common.analysis.late import Revision
from common.analysis.reading import (
    EVERYTHING,
    PERSON_TYPES,
    TRAIT_TYPES,
    begins_when_heard_of,
    counted,
    forgets,
    traits_behind,
    types_read,
)
from common.analysis.samples import Cell, cell_of
from common.analysis.silence import Silence, missing_share, silence
from common.catalogue.derived import MARGIN, Derived
from common.catalogue.economics import Benefit
from common.catalogue.models import Catalogue, Measure, Metric, Simple
from common.figures.buckets import Bucket
from common.figures.calendar import Calendar
from common.figures.formulas import rows_told
from common.figures.model import Query
from common.figures.parts import measures_read, settles
from common.figures.unrated import is_number

ZERO = Fraction(0)
_NOTHING = Since({}, {}, {})
_TICK = timedelta(microseconds=1)
_LOADED = "all of it arrived after the earlier period was complete: it was loaded, and counts as known"
_UNTOLD = "events came, or were amended, deleted or reverted, after the earlier period was complete; what that did to this figure can't be told"
_RATES = "rates of exchange were told or corrected after the earlier period was complete; what they were then is not kept"
_MOVED = "traits of accounts came or were corrected after the earlier period was complete; who was in the slice then can't be told"
_NOT_KEPT = "raw events of then are not kept any more, so what came or left since can't be told"
_TOO_MANY = "there are too many raw events to look at; choose shorter periods"
Key = tuple[str, str | None]
"""A type of event, and a source where it is about that source alone."""
Counts = Mapping[date, int]


@dataclass(frozen=True, slots=True)
class Arrived:
    """One metric and two periods. `query` asks for the earlier figure. `as_of`: what arrived by then is counted."""

    look: Look
    catalogue: Catalogue
    metric: Metric
    periods: tuple[Bucket, Bucket]
    as_of: datetime
    query: Query

    @property
    def accounts(self) -> Sequence[str] | None:
        """Whose figure it is, where it is not the whole tenant's."""
        return self.query.accounts

    @property
    def sliced(self) -> bool:
        """It is only of accounts that have some traits, which move by themselves."""
        return bool(self.query.filter or self.metric.only)

    def late(self, now: Cell) -> Late:
        """What the earlier figure, which is `now`, changed since it was complete. A number only where it is certain."""
        then = self.periods[0].end + settles(self.metric, self.catalogue)
        if then > self.as_of:
            return Late(note="the earlier period is not complete yet")
        return self.moved_since(then, now)

    def moved_since(self, then: datetime, now: Cell) -> Late:
        """What the earlier figure, which is `now`, changed since an instant by which it was over."""
        if isinstance(self.metric.formula, Derived):
            return self._of_parts(self.metric.formula, then, now)
        return self._of_events(then, now)

    def _of_parts(self, formula: Derived, then: datetime, now: Cell) -> Late:
        """Of a figure that is derived from others: what it would be if each of those were what it was."""
        margin = self.catalogue.settings.gross_margin
        was: dict[str, Fraction | None] = {MARGIN: None if margin is None else Fraction(margin)}
        events, notes, moved = Counter[str](), list[str](), False
        for name in formula.metrics:
            part = replace(
                self, metric=self.catalogue.metrics[name], query=replace(self.query, metrics=(name,))
            )
            [figure] = self.look.figures(self.catalogue, part.query)
            cell = cell_of(figure)
            late = part.moved_since(then, cell)
            events |= Counter(late.events)
            notes += [late.note or _UNTOLD] if late.amount is None else []
            moved |= bool(late.amount)
            was[name] = None if cell.value is None or late.amount is None else cell.value - late.amount
        if notes:
            return Late(None, dict(events), notes[0])
        if not moved:
            return Late(ZERO, dict(events))
        before = formula.arithmetic.value(was)
        if before is None or now.value is None:
            return Late(None, dict(events), _UNTOLD)
        return Late(now.value - before, dict(events))

    def _of_events(self, then: datetime, now: Cell) -> Late:
        measure = self._counted_events()
        since = self._since(then, measure)
        if since is None:
            return Late(None, note=_TOO_MANY)
        kept_from = self.look.kept_from()
        if kept_from is not None and kept_from > (then if measure is None else self.periods[0].start):
            return Late(None, since.by_type, _NOT_KEPT)
        if self._revalued(then):
            return Late(None, since.by_type, _RATES)
        traits = self._traits_since(then) if self.sliced else _NOTHING
        if traits is None or traits.corrected or traits.left:
            return Late(None, since.by_type, _MOVED)
        if self._loaded(since, then):
            return Late(ZERO, since.by_type, _LOADED)
        if measure is not None and not self.sliced:
            amount = self._recounted(since, then, measure)
        else:
            amount = None if traits.came else self._undone(since, then, now)
        if amount is None:
            amount = self._without(since, then)
        unknown = _MOVED if traits.came else _UNTOLD
        return Late(amount, since.by_type, unknown if amount is None else None)

    def _since(self, then: datetime, measure: Measure | None) -> Since | None:
        """What became of the events that the figure is made of. States and windows are made of what was before the period too."""
        plain = isinstance(self.metric.formula, Simple)
        found = self.look.since(
            then, _or_all(self._types()), self.periods[0].start if plain else None,
            self.periods[0].end, self.catalogue.settings.timezone, self.accounts,
            internal=measure is None or not measure.exclude_internal,
        )  # fmt: skip
        return found if found is None or measure is None else found.of(self._counts(measure))

    def _types(self) -> frozenset[str]:
        return types_read(self.metric, self.catalogue).union(traits_behind(self.metric))

    def _revalued(self, then: datetime) -> bool:
        """Rates by which amounts of the period are converted were told after it was complete: those before them are not kept."""
        read = [self.catalogue.measures[name] for name in measures_read(self.metric, self.catalogue)]
        revenue = any(measure.agg == "mrr" for measure in read)
        of_money = self.metric.is_money or isinstance(self.metric.formula, Benefit)
        amounts = of_money and any(measure.amount for measure in read)
        if is_number(self.metric.formula) or not (revenue or amounts):
            return False
        return self.look.rates_told(
            then, self._days()[1], self.catalogue.settings.currency, of_revenue=revenue
        )

    def _traits_since(self, then: datetime) -> Since | None:
        """Traits of accounts came or left that may say who belonged to the slice; None where there are too many to look at."""
        zone, end = self.catalogue.settings.timezone, self.periods[0].end
        return self.look.since(then, TRAIT_TYPES, None, end, zone, self.accounts)

    def _whole_days(self) -> bool:
        """Revisions are of local days."""
        calendar = Calendar.of(self.catalogue.settings)
        return all(
            calendar.day_start(calendar.day_of(at)) == at
            for at in (self.periods[0].start, self.periods[0].end)
        )

    def _loaded(self, since: Since, then: datetime) -> bool:
        """Nothing of any type had arrived when the earlier period was complete. What a load brings in pieces revises the first of them."""
        if not since.came or since.corrected or since.left:
            return False
        earlier = self.periods[0]
        begin = earlier.start if isinstance(self.metric.formula, Simple) else None
        return self.look.any_by(then, begin, earlier.end) is False

    def _counted_events(self) -> Measure | None:
        """The measure, where the figure is the number of its events: then those that came and left are counted themselves."""
        measure = counted(self.metric, self.catalogue)
        plain = measure is not None and measure.agg == "count" and measure.where is None
        return measure if plain else None

    def _counts(self, measure: Measure) -> Callable[[str], bool]:
        return lambda kind: not measure.activity or self.catalogue.is_activity(kind)

    def _recounted(self, since: Since, then: datetime, measure: Measure) -> Fraction | None:
        """Of a number of events. Who became internal since took events along that had counted."""
        if self.look.spanned(then, *self._days()):
            return None
        if measure.exclude_internal and any(one.why == "internal" for one in self._revisions(then)):
            return None
        return Fraction(since.more)

    def _undone(self, since: Since, then: datetime, now: Cell) -> Fraction | None:
        """By revisions, which are of the whole tenant; without them only nothing is certain."""
        found = self._revisions(then)
        rows = late.rows_revised(self.metric, self.catalogue)
        if rows and found and self.accounts is None and not self.sliced and self._whole_days():
            days, mine = late.Days(*self._days()), [one for one in found if one.measure in rows]
            figure = now.value, now.over, now.under
            told = late.told(self.metric, self.catalogue, days, figure, mine, since.came)
            return late.changed(self.metric, self.catalogue, days, figure, mine) if told else None
        if found or since.anything or self.look.spanned(then, date.min, self._days()[1]):
            return None
        return ZERO if rows or not (self._marked_since(then) or self._begun_since(then)) else None

    def _marked_since(self, then: datetime) -> bool:
        """Something came of people that may say that they are our own: of what is counted day by day that is a revision."""
        zone, end = self.catalogue.settings.timezone, self.periods[0].end
        found = self.look.since(then, PERSON_TYPES, None, end, zone, self.accounts)
        return found is None or found.anything

    def _begun_since(self, then: datetime) -> bool:
        """An event of any type came or left that was the first of an account, which begins something of the figure."""
        return begins_when_heard_of(self.metric) and self.look.begun_by(then) != {}

    def _without(self, since: Since, then: datetime) -> Fraction | None:
        """By asking once more, without the events that came: of what keeps them one by one, where nothing was corrected."""
        types = self._types()
        corrected = since.corrected or since.left or self.look.spanned(then, date.min, self._days()[1])
        if corrected or EVERYTHING in types or forgets(self.metric, self.catalogue, since.by_type):
            return None
        sides = self.look.known_by(self.catalogue, self.query, then, types)
        now, known = (None, None) if sides is None else (cell_of(side).value for side in sides)
        return None if now is None or known is None else now - known

    def _revisions(self, then: datetime) -> Sequence[Revision]:
        """Of everything that the figure is made of, since it was complete."""
        first, last = self._days()
        if late.rows_revised(self.metric, self.catalogue):
            first = late.first_day(self.metric, late.Days(first, last))
        elif not isinstance(self.metric.formula, Simple):
            first = date.min  # states were reached before
        return self.look.revisions(rows_told(self.catalogue, self.metric), first, last, then)

    def _days(self) -> tuple[date, date]:
        return self._day(self.periods[0].start), self._last_day(self.periods[0])

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
        quotient = formula.arithmetic.quotient if isinstance(formula, Derived) else None
        if quotient is not None:
            over, under = (
                self._lost(self.catalogue.metrics[name], found, events, every) for name in quotient
            )
        else:
            over, under = self._lost(self.metric, found, events, every), ZERO
        spells = [_spell(key, one) for key, one in sorted(found.items(), key=lambda item: str(item[0]))]
        partly = (self.accounts is not None or self.sliced) and (over != 0 or under != 0)
        if over is None or under is None or partly:
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
