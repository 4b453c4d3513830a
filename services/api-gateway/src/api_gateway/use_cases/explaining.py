"""Why a figure changed: look at both periods, at their definitions and at what arrived, and take the change apart."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from api_gateway.ports.analysis import Look, Version
from common.analysis import late, movements, report
from common.analysis.contributions import ranked
from common.analysis.explaining import Definition, Evidence, Late, Missing, Product, exactly, explain
from common.analysis.reading import EVERYTHING, counted, types_read
from common.analysis.request import ChangeAsked, dimensions, periods
from common.analysis.samples import Cell, Sample, cell_of, shape_of, unit_of
from common.analysis.silence import Silence, missing_share, silence
from common.catalogue.lifecycles import Combined
from common.catalogue.models import Catalogue, Metric, Movement, SemiAdditive, Simple
from common.errors import Rejected
from common.figures.buckets import Bucket, state_at
from common.figures.calendar import Calendar
from common.figures.model import Figure, Query
from common.figures.slices import ACCOUNT

# Figures by account cost some 50 us a row in each of two periods; beyond this many they aren't told by account.
MOST_ACCOUNTS = 10_000
_TICK = timedelta(microseconds=1)
ZERO = Fraction(0)
Json = dict[str, Any]


class Explaining:
    """One question: a metric, two periods and who counts, on one view of the data."""

    def __init__(self, look: Look, catalogue: Catalogue, asked: ChangeAsked, now: datetime) -> None:
        self._look, self._catalogue, self._asked, self._now = look, catalogue, asked, now
        self._calendar = Calendar.of(catalogue.settings)
        self.earlier, self.later = periods(asked, catalogue)
        self.metric = catalogue.metrics[asked.metric]
        self.by = dimensions(asked, catalogue)

    def change(self) -> Json:
        """The whole explanation, as `report` tells it."""
        definition, metric, catalogue = self._definition()
        figures = [self._whole(catalogue, bucket) for bucket in (self.earlier, self.later)]
        samples = [
            self._sample(catalogue, bucket, whole)
            for bucket, whole in zip((self.earlier, self.later), figures, strict=True)
        ]
        product = self._product(metric, catalogue)
        if product is not None:
            samples = [
                exactly(product, sample, values)
                for sample, values in zip(samples, (product.before, product.after), strict=True)
            ]
        evidence = Evidence(
            metric, self.by, samples[0], samples[1], definition, catalogue.settings.currency,
            self._late(metric, catalogue, samples[0].whole), self._missing(metric, catalogue), product,
            self._mrr_moves(metric, catalogue),
        )  # fmt: skip
        told = report.as_json(explain(evidence), self._asked.limit)
        for name, bucket, figure in zip(
            ("earlier", "later"), (self.earlier, self.later), figures, strict=True
        ):
            told[name] = {**self._period(bucket), **told[name], **_dress(figure)}
        return told

    def movers(self, by: str) -> Json:
        """Who moved the figure, the largest first."""
        catalogue, metric = self._catalogue, self.metric
        if by == ACCOUNT and self._look.accounts() > MOST_ACCOUNTS and self._asked.later.accounts is None:
            raise Rejected(
                "accounts-too-many",
                f"Movers are found among at most {MOST_ACCOUNTS} accounts; name accounts, or ask by a trait",
            )
        wholes = [self._whole(catalogue, bucket) for bucket in (self.earlier, self.later)]
        samples = [
            Sample(cell_of(whole), self._units(catalogue, bucket, (by,)))
            for bucket, whole in zip((self.earlier, self.later), wholes, strict=True)
        ]
        before, after = (sample.whole.value for sample in samples)
        shape = shape_of(samples)
        known = before is not None and after is not None
        if known and shape is None:
            raise Rejected(
                "metric-not-additive", f"{metric.name} is not made of its {by}s; ask for its inputs' movers"
            )
        found = ranked(
            metric, shape, samples[0], samples[1],
            lambda unit: unit.account if by == ACCOUNT else next(iter(unit.slice), None),
        ) if known and shape is not None else []  # fmt: skip
        return {
            "metric": metric.name,
            "by": by,
            "earlier": {**self._period(self.earlier), "value": report.text(before), **_dress(wholes[0])},
            "later": {**self._period(self.later), "value": report.text(after), **_dress(wholes[1])},
            "movers": report.ranked(found, before or ZERO, self._asked.limit, by),
        }

    def _period(self, bucket: Bucket) -> Json:
        return {"from": self._calendar.local(bucket.start), "to": self._calendar.local(bucket.end)}

    def _query(self, bucket: Bucket, **more: Any) -> Query:
        own = replace(self._asked.later, start=bucket.start, end=bucket.end, compare=None)
        return replace(own, **more)

    def _whole(self, catalogue: Catalogue, bucket: Bucket) -> Figure:
        [figure] = self._look.figures(catalogue, self._query(bucket))
        return figure

    def _sample(self, catalogue: Catalogue, bucket: Bucket, whole: Figure) -> Sample:
        few = self._asked.later.accounts is not None or self._look.accounts() <= MOST_ACCOUNTS
        by = (*self.by, ACCOUNT) if few else self.by
        return Sample(cell_of(whole), self._units(catalogue, bucket, by) if by else {})

    def _units(self, catalogue: Catalogue, bucket: Bucket, by: Sequence[str]) -> Mapping[Any, Cell]:
        rows = self._look.figures(catalogue, self._query(bucket, group_by=tuple(by)))
        return {unit_of(row, by): cell_of(row) for row in rows}

    def _definition(self) -> tuple[Definition, Metric, Catalogue]:
        """What was in force in each period, with the definitions of the later one."""
        versions = self._look.versions(self.metric.name)
        first = _in_force(versions, self._last_day(self.earlier))
        second = _in_force(versions, self._last_day(self.later))
        if first is None or second is None:
            return Definition(self.metric.version, self.metric.version), self.metric, self._catalogue
        catalogue = self._at(second)
        numbers = first.metric.version, second.metric.version
        if first.metric.formula == second.metric.formula and numbers[0] == numbers[1]:
            return Definition(*numbers), second.metric, catalogue
        before = cell_of(self._whole(self._at(first), self.earlier)).value
        return Definition(*numbers, before), second.metric, catalogue

    def _at(self, version: Version) -> Catalogue:
        """The definitions in force, where they have the metric like this version; so what else changed since is in both periods."""
        if self._catalogue.metrics.get(self.metric.name) == version.metric:
            return self._catalogue
        found = self._look.catalogue_at(version.catalogue_version)
        assert found is not None
        return found

    def _last_day(self, bucket: Bucket) -> date:
        return self._calendar.day_of(bucket.end - _TICK)

    def _product(self, metric: Metric, catalogue: Catalogue) -> Product | None:
        formula = metric.formula
        if not isinstance(formula, Combined) or (len(formula.times) == len(formula.over) == 1):
            return None
        names = tuple(dict.fromkeys((*formula.times, *formula.over)))
        sides = [
            {
                row.metric: cell_of(row).value
                for row in self._look.figures(catalogue, self._query(bucket, metrics=names))
            }
            for bucket in (self.earlier, self.later)
        ]
        return Product(Fraction(formula.factor), formula.times, formula.over, *sides)

    def _mrr_moves(self, metric: Metric, catalogue: Catalogue) -> Mapping[str, Fraction] | None:
        formula = metric.formula
        if not isinstance(formula, SemiAdditive) or formula.sum != "value":
            return None
        ends = [state_at(bucket, self._now) for bucket in (self.earlier, self.later)]
        if catalogue.measures[formula.measure].agg != "mrr" or ends[0] is None or ends[1] is None:
            return None
        if ends[0] >= ends[1]:
            return {}
        made = {
            f"moved_{kind}": metric.model_copy(
                update={
                    "name": f"moved_{kind}",
                    "formula": Movement(type="movement", measure=formula.measure, movement=kind),  # type: ignore[arg-type]
                }
            )
            for kind in movements.OF_MRR
        }
        widened = catalogue.model_copy(update={"metrics": {**catalogue.metrics, **made}})
        query = replace(self._query(self.later), metrics=tuple(made), start=ends[0], end=ends[1])
        return {
            kind: (cell_of(row).value or ZERO) * movements.OF_MRR[kind]
            for kind, row in zip(movements.OF_MRR, self._look.figures(widened, query), strict=True)
        }

    def _late(self, metric: Metric, catalogue: Catalogue, whole: Cell) -> Late:
        complete_at = self.earlier.end + metric.settles
        if complete_at > self._now:
            return Late(note="the earlier period is not complete yet")
        arrivals = self._look.arrivals(
            _or_all(types_read(metric, catalogue)), self.earlier.start, self.earlier.end, complete_at
        )
        if arrivals is None:
            return Late(None, {}, "there are too many raw events to look at; choose shorter periods")
        if not arrivals.after:
            return Late()
        if not arrivals.by_then:
            return Late(
                ZERO,
                arrivals.after,
                "all of it arrived after the earlier period was complete: it was loaded later",
            )
        return Late(self._revised(metric, catalogue, whole, complete_at), arrivals.after, None)

    def _revised(
        self, metric: Metric, catalogue: Catalogue, whole: Cell, complete_at: datetime
    ) -> Fraction | None:
        """Revisions are of the whole tenant: what they did to a part of it isn't known."""
        rows = late.rows_revised(metric, catalogue)
        if not rows or self._asked.later.reads_accounts:
            return None
        days = late.Days(self._calendar.day_of(self.earlier.start), self._last_day(self.earlier))
        found = self._look.revisions(rows, late.first_day(metric, days), days.last, complete_at)
        return late.changed(metric, catalogue, days, (whole.value, whole.over, whole.under), found)

    def _missing(self, metric: Metric, catalogue: Catalogue) -> Missing:
        types = types_read(metric, catalogue)
        zone = catalogue.settings.timezone
        spans = [(b.start, min(b.end, self._now)) for b in (self.earlier, self.later)]
        daily = [self._look.daily(_or_all(types), *span, zone) for span in spans]
        if daily[0] is None or daily[1] is None:
            return Missing(
                known=False, note="there are too many raw events to look at; choose shorter periods"
            )
        found = self._silences({(kind, None): [side.get(kind, {}) for side in daily] for kind in daily[0]})
        whole = {kind for kind, _ in found}
        by_source = [
            self._look.daily_by_source([kind for kind in daily[0] if kind not in whole], *span, zone)
            for span in spans
        ]
        note = None
        if by_source[0] is None or by_source[1] is None:
            note = "there are too many raw events to tell their sources apart; choose shorter periods"
        else:
            after = by_source[1]
            found |= self._silences({key: [days, after.get(key, {})] for key, days in by_source[0].items()})
        return self._estimated(metric, catalogue, found, daily[0], by_source[0] or {}, note)

    def _silences(
        self, counts: Mapping[tuple[str, str | None], Sequence[Mapping[date, int]]]
    ) -> dict[tuple[str, str | None], Silence]:
        today = self._calendar.day_of(self._now)
        earlier, later = (
            [day for day in _days(self._calendar.day_of(b.start), self._last_day(b)) if day < today]
            for b in (self.earlier, self.later)
        )
        made = {key: silence({**sides[0], **sides[1]}, earlier, later) for key, sides in counts.items()}
        return {key: one for key, one in made.items() if one is not None}

    def _estimated(
        self,
        metric: Metric,
        catalogue: Catalogue,
        found: Mapping[tuple[str, str | None], Silence],
        by_type: Mapping[str, Mapping[date, int]],
        by_source: Mapping[tuple[str, str], Mapping[date, int]],
        note: str | None,
    ) -> Missing:
        if not found:
            return Missing(note=note)
        spells = [
            {
                "name": kind if source is None else f"{kind} from {source}", "type": kind, "source": source,
                "days": [day.isoformat() for day in one.days], "expected_events": float(one.expected),
            }
            for (kind, source), one in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] or ""))
        ]  # fmt: skip

        def lost(name: str) -> Fraction | None:
            """The share of one input that is missing; None where it isn't a plain sum."""
            of = catalogue.metrics[name] if name in catalogue.metrics else metric
            measure = counted(of, catalogue)
            read = types_read(of, catalogue)
            mine = {key: one for key, one in found.items() if EVERYTHING in read or key[0] in read}
            if not mine:
                return ZERO
            if measure is None:
                return None
            total = sum(sum(d.values()) for kind, d in by_type.items() if EVERYTHING in read or kind in read)
            shares = {
                str(key): Fraction(
                    sum((by_type[key[0]] if key[1] is None else by_source[key[0], key[1]]).values()), total
                )
                for key in mine
            }
            return missing_share({str(key): one for key, one in mine.items()}, shares)

        formula = metric.formula
        if isinstance(formula, Combined) and len(formula.times) == len(formula.over) == 1:
            over, under = lost(formula.times[0]), lost(formula.over[0])
        else:
            over, under = lost(metric.name), ZERO
        if over is None or under is None:
            return Missing(
                spells=spells,
                known=False,
                note="what fell silent is listed; what it did to this figure can't be told",
            )
        return Missing(over, under, spells, known=True, note=note)


def _in_force(versions: Sequence[Version], day: date) -> Version | None:
    """The newest that was effective by a day; else the oldest there is."""
    effective = [one for one in versions if one.metric.effective_from <= day]
    return next(iter(effective), versions[-1] if versions else None)


def _or_all(types: frozenset[str]) -> frozenset[str] | None:
    return None if EVERYTHING in types else types


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _dress(figure: Figure) -> Json:
    return {
        "complete": figure.complete, "as_of": figure.as_of, "version": figure.version, "low_n": figure.low_n,
        "behind": figure.behind,
    }  # fmt: skip


__all__ = ["MOST_ACCOUNTS", "Explaining", "Simple"]
