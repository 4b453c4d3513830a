"""Why a figure changed: look at both periods, at their definitions and at what arrived, and take the change apart."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from api_gateway.ports.analysis import Look, Version
from api_gateway.use_cases.arrived import Arrived
from common.analysis import movements, report
from common.analysis.contributions import ranked
from common.analysis.explaining import Definition, Evidence, Made, exactly, explain
from common.analysis.movements import Turn
from common.analysis.request import ChangeAsked, dimensions, periods
from common.analysis.samples import Cell, Sample, cell_of, shape_of, unit_of
from common.catalogue.derived import MARGIN, Derived
from common.catalogue.models import Catalogue, Metric, Movement, SemiAdditive
from common.errors import Rejected
from common.figures.buckets import Bucket, state_at
from common.figures.calendar import Calendar
from common.figures.model import Figure, Query
from common.figures.parts import measures_read, settles
from common.figures.slices import ACCOUNT, said, text_of

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
        made = self._made(metric, catalogue, samples)
        if made is not None:
            samples = [
                exactly(made.formula, sample, values)
                for sample, values in zip(samples, (made.before, made.after), strict=True)
            ]
        arrived = self._arrived(catalogue, metric, figures[1])
        evidence = Evidence(
            metric, self.by, samples[0], samples[1], definition, catalogue.settings.currency,
            arrived.late(samples[0].whole), arrived.missing(), made,
            self._mrr_moves(metric, catalogue, samples), {name: one.label for name, one in catalogue.metrics.items()},
        )  # fmt: skip
        told = report.as_json(explain(evidence), self._asked.limit)
        for name, bucket, figure in zip(
            ("earlier", "later"), (self.earlier, self.later), figures, strict=True
        ):
            told[name] = {**self._period(bucket), **told[name], **_dress(figure)}
        if told["change"] is None:
            told["sentence"] += _reasons(figures)
        elif self.later.end > self._now:
            told["sentence"] += " The later period is not over yet."
        return told

    def movers(self, by: str) -> Json:
        """Who moved the figure, the largest first."""
        _, metric, catalogue = self._definition()
        if by == ACCOUNT and not self._few():
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
        shape = shape_of(metric, samples)
        known = before is not None and after is not None
        if known and shape is None:
            raise Rejected("metric-not-additive", _not_made_of(metric, by))
        found = ranked(
            metric, shape, samples[0], samples[1],
            lambda unit: text_of(unit.account) if by == ACCOUNT else next(iter(unit.slice), None),
        ) if known and shape is not None else []  # fmt: skip
        return {
            "metric": metric.name,
            "by": by,
            "earlier": {**self._period(self.earlier), "value": report.text(before), **_dress(wholes[0])},
            "later": {**self._period(self.later), "value": report.text(after), **_dress(wholes[1])},
            "movers": report.ranked(found, before or ZERO, self._asked.limit, by, said),
            "reason": _unknown(wholes),
        }

    def _few(self) -> bool:
        """Whether accounts can be told one by one: those asked for, or those that did anything since the earlier period began."""
        named = self._asked.later.accounts is not None
        return named or self._look.accounts(self.earlier.start) <= MOST_ACCOUNTS

    def _period(self, bucket: Bucket) -> Json:
        return {"from": self._calendar.local(bucket.start), "to": self._calendar.local(bucket.end)}

    def _query(self, bucket: Bucket, **more: Any) -> Query:
        own = replace(self._asked.later, start=bucket.start, end=bucket.end, compare=None)
        return replace(own, **more)

    def _whole(self, catalogue: Catalogue, bucket: Bucket) -> Figure:
        """With an address that leads to the same figure, also by definitions that aren't in force any more."""
        retired = None if catalogue.version == self._catalogue.version else catalogue.version
        [figure] = self._look.figures(catalogue, self._query(bucket, definitions=retired))
        return figure

    def _sample(self, catalogue: Catalogue, bucket: Bucket, whole: Figure) -> Sample:
        by = (*self.by, ACCOUNT) if self._few() else self.by
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
        numbers = first.metric.version, second.metric.version
        catalogue, earlier = self._at(second), self._known_by(first, versions)
        if catalogue is None or earlier is None:
            return Definition(*numbers), self.metric, self._catalogue
        same = first.metric.formula == second.metric.formula and numbers[0] == numbers[1]
        if same and not _recounted(first.metric, earlier, catalogue):
            return Definition(*numbers), second.metric, catalogue
        units = _told_in(first.metric, earlier), _told_in(second.metric, catalogue)
        if units[0] != units[1]:
            return Definition(*numbers, units=units), second.metric, catalogue
        figure = self._whole(earlier, self.earlier)
        late = self._arrived(earlier, first.metric, figure).late(cell_of(figure))
        if late.events and _recounted(first.metric, earlier, self._catalogue):
            late = replace(late, amount=None)  # its counts ended when others took over
        return Definition(*numbers, cell_of(figure).value, late), second.metric, catalogue

    def _arrived(self, catalogue: Catalogue, metric: Metric, figure: Figure) -> Arrived:
        return Arrived(
            self._look, catalogue, metric, (self.earlier, self.later), figure.as_of or self._now,
            self._query(self.earlier),
        )  # fmt: skip

    def _known_by(self, version: Version, versions: Sequence[Version]) -> Catalogue | None:
        """The definitions with this metric that answered when the earlier period was complete; the first ones where none did yet.
        Measures may have changed although the metric didn't."""
        stated = self._at(version)
        then = self.earlier.end + (
            version.metric.settles if stated is None else settles(version.metric, stated)
        )
        alike = [one for one in versions if one.metric == version.metric]
        found = next((one for one in alike if one.ready_at <= then), alike[-1])
        catalogue = self._look.catalogue_at(found.catalogue_version)
        if catalogue is None or not _recounted(version.metric, catalogue, self._catalogue):
            return self._at(version)
        return catalogue

    def _at(self, version: Version) -> Catalogue | None:
        """Those in force, where they have the metric like this version: what else changed since is then in both periods."""
        if self._catalogue.metrics.get(self.metric.name) == version.metric:
            return self._catalogue
        return self._look.catalogue_at(version.catalogue_version)

    def _last_day(self, bucket: Bucket) -> date:
        return self._calendar.day_of(bucket.end - _TICK)

    def _made(self, metric: Metric, catalogue: Catalogue, samples: Sequence[Sample]) -> Made | None:
        """None for a plain quotient whose sides are made of slices and accounts: these tell more than its two metrics."""
        formula = metric.formula
        if not isinstance(formula, Derived):
            return None
        if formula.arithmetic.quotient is not None and shape_of(metric, samples) is not None:
            return None
        margin = catalogue.settings.gross_margin
        sides: list[dict[str, Fraction | None]] = [
            {
                MARGIN: None if margin is None else Fraction(margin),
                **{row.metric: cell_of(row).value for row in self._look.figures(catalogue, query)},
            }
            for query in (self._query(b, metrics=formula.metrics) for b in (self.earlier, self.later))
        ]
        return Made(formula.arithmetic, *sides)

    def _mrr_moves(
        self, metric: Metric, catalogue: Catalogue, samples: Sequence[Sample]
    ) -> Mapping[str, Turn] | None:
        formula = metric.formula
        if isinstance(formula, SemiAdditive) and formula.sum == "value":
            if catalogue.measures[formula.measure].agg != "mrr":
                return None
            ends = [state_at(bucket, self._now) for bucket in (self.earlier, self.later)]
            if ends[0] is None or ends[1] is None:
                return None
            return self._turned(metric, catalogue, ends[0], ends[1], samples) if ends[0] < ends[1] else {}
        if isinstance(formula, Movement) and formula.movement == "net_new":
            start, end = self.later.start, self.later.end
            now = self._turned(metric, catalogue, start, end, (Sample(samples[0].whole, {}), samples[1]))
            before = self._turned(metric, catalogue, self.earlier.start, self.earlier.end)
            return {kind: replace(its, amount=its.amount - before[kind].amount) for kind, its in now.items()}
        return None

    def _turned(
        self,
        metric: Metric,
        catalogue: Catalogue,
        start: datetime,
        end: datetime,
        samples: Sequence[Sample] = (),
    ) -> Mapping[str, Turn]:
        """What each movement between two instants did to an MRR; by whom, among the accounts whose own figures differ in the samples."""
        [measure] = measures_read(metric, catalogue)
        formulas = {
            kind: Movement(type="movement", measure=measure, movement=kind) for kind in movements.OF_MRR
        }
        made = {
            name: metric.model_copy(update={"name": name, "formula": formula})
            for name, formula in ((f"moved_{kind}", formula) for kind, formula in formulas.items())
        }
        widened = catalogue.model_copy(update={"metrics": {**catalogue.metrics, **made}})
        query = replace(self._query(self.later), metrics=tuple(made), start=start, end=end)
        moved = _moved_accounts(samples)
        rows = self._look.figures(
            widened, replace(query, accounts=moved, group_by=(ACCOUNT,), contributing=True)
        ) if moved else ()  # fmt: skip
        did = sorted(rows, key=lambda row: (-(cell_of(row).value or ZERO), str(row.group[ACCOUNT])))
        return {
            kind: Turn(
                (cell_of(row).value or ZERO) * turn,
                tuple(str(one.group[ACCOUNT]) for one in did if one.metric == f"moved_{kind}"),
            )
            for (kind, turn), row in zip(
                movements.OF_MRR.items(), self._look.figures(widened, query), strict=True
            )
        }


def _moved_accounts(samples: Sequence[Sample]) -> tuple[str, ...]:
    sums: dict[str, Fraction] = {}
    for sign, sample in zip((-1, 1), samples, strict=False):
        for unit, cell in sample.units.items():
            if unit.account is not None:
                sums[unit.account] = sums.get(unit.account, ZERO) + sign * (cell.value or ZERO)
    return tuple(account for account, amount in sums.items() if amount)


def _recounted(metric: Metric, earlier: Catalogue, later: Catalogue) -> bool:
    """Whether the metric's measures count otherwise in one than in the other."""
    return any(earlier.origin_of(name) != later.origin_of(name) for name in measures_read(metric, earlier))


def _told_in(metric: Metric, catalogue: Catalogue) -> str:
    """The unit of a metric, of money with its currency."""
    money = metric.unit in ("money", "money_per_day")
    return f"{metric.unit} ({catalogue.settings.currency})" if money else metric.unit


def _in_force(versions: Sequence[Version], day: date) -> Version | None:
    """The newest that was effective by a day; else the oldest there is."""
    effective = [one for one in versions if one.metric.effective_from <= day]
    return next(iter(effective), versions[-1] if versions else None)


def _not_made_of(metric: Metric, by: str) -> str:
    if isinstance(metric.formula, Derived):
        instead = f"ask for the movers of what it is made of: {', '.join(metric.formula.metrics)}"
    else:
        instead = f"POST /v1/query with group_by {by} shows it for each"
    return f"{metric.name} is not made of its {by}s; {instead}"


def _unknown(wholes: Sequence[Figure]) -> str | None:
    """Why nobody can have moved a figure: it is unknown in a period."""
    unknown = [
        f"the {name} figure is unknown ({figure.reason or 'there is nothing that it could be made of'})"
        for name, figure in zip(("earlier", "later"), wholes, strict=True)
        if figure.value is None
    ]
    return f"Nobody is ranked: {' and '.join(unknown)}" if unknown else None


def _reasons(wholes: Sequence[Figure]) -> str:
    """Why figures are unknown, where that isn't just that there is nothing."""
    return "".join(
        f" In the {name} period {figure.reason}."
        for name, figure in zip(("earlier", "later"), wholes, strict=True)
        if figure.value is None and figure.reason
    )


def _dress(figure: Figure) -> Json:
    return {
        "complete": figure.complete, "as_of": figure.as_of, "version": figure.version, "low_n": figure.low_n,
        "behind": figure.behind,
    }  # fmt: skip
