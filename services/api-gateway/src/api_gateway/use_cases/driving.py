"""Whether drivers move what they are believed to move, and who leaves by decile of a driver: on request, at a bounded cost."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from api_gateway.domain.lasting import Lasting, meaning_of
from api_gateway.ports.analysis import Look
from common.analysis import panels
from common.analysis.deciles import LEAST_ACCOUNTS, LEAST_OF_EACH, by_decile
from common.analysis.edges import Tested
from common.analysis.panels import PERIODS, Grain, Panel
from common.analysis.request import DecilesAsked
from common.analysis.sharing import shared_events
from common.catalogue.models import Catalogue, Movement
from common.catalogue.tree import Driver
from common.errors import Rejected
from common.figures.buckets import Bucket, plan
from common.figures.calendar import Calendar
from common.figures.model import MAX_PAGE_ROWS, Figure, Query
from common.figures.named_segments import PREFIX, memberships
from common.figures.slices import ACCOUNT, stored_text

# Values of all metrics, accounts and periods of one request: about 15 s. More accounts than that allows are drawn, always the same ones.
MOST_VALUES = 300_000
MOST_ACCOUNTS = 1_000
MOST_ACCOUNTS_BY_DECILE = 10_000
MOST_SEGMENTS = 10
USUAL_DIMENSION = "segment"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class EdgesAsked:
    """None: all of them. `by`: the trait whose values are tested apart, or `segment:NAME` for who is in that segment and who isn't."""

    driver: str | None = None
    moves: str | None = None
    by: str | None = None


class Driving:
    """Questions about one tenant's drivers, on one view of the data."""

    def __init__(self, look: Look, catalogue: Catalogue, now: datetime) -> None:
        self._look, self._catalogue, self._now = look, catalogue, now
        self._calendar = Calendar.of(catalogue.settings)

    def edges(self, asked: EdgesAsked) -> Json:
        """Raises Rejected where a metric, trait or segment that is asked for isn't there."""
        for name in (asked.driver, asked.moves):
            if name is not None and name not in self._catalogue.metrics:
                raise Rejected(
                    "metric-unknown", f"There is no metric {name[:60]!a}; GET /v1/metrics lists them"
                )
        found = [edge for edge in self._catalogue.drivers.values() if _wanted(edge, asked)]
        shares = {edge.name: self._shared(edge) for edge in found}
        by_grain: dict[Grain, list[Driver]] = defaultdict(list)
        for edge in found:
            if not shares[edge.name]:
                by_grain[panels.grain_of(edge)].append(edge)
        needed = {grain: _metrics(edges) for grain, edges in by_grain.items()}
        each = sum(len(names) * PERIODS[grain] for grain, names in needed.items())
        since = min(
            (periods_of(self._calendar, grain, self._now)[0].start for grain in needed), default=self._now
        )
        names = self._look.account_names(since, min(MOST_ACCOUNTS, MOST_VALUES // max(1, each)))
        segments = self._apart(asked.by, names) if asked.by else {}
        tested = [_untested(edge, shares[edge.name]) for edge in found if shares[edge.name]]
        lasting = self._look.lasting({edge.name: meaning_of(edge, self._catalogue) for edge in found})
        for grain, edges in by_grain.items():
            panel = self._panel(needed[grain], grain, names)
            tested += [self._tested(edge, panel, grain, segments) for edge in edges]
        tested = [_with_looks(one, lasting, by_segment=asked.by == USUAL_DIMENSION) for one in tested]
        return {
            "data": sorted(tested, key=lambda one: list(self._catalogue.drivers).index(one["name"])),
            "by": asked.by,
            "accounts": {"looked_at": len(names), "of": self._look.accounts(since)},
        }

    def _apart(self, by: str, names: Sequence[str]) -> Mapping[str, object]:
        """What each account is tested with: its value of a trait, or whether it is in a segment now."""
        if by.startswith(PREFIX):
            return self._in_segment(by, names)
        # The usual one is meant without being asked for, so it may be missing.
        known = by == USUAL_DIMENSION or by in self._catalogue.settings.dimensions
        if not known and not self._look.has_trait(by):
            raise Rejected(
                "dimension-unknown",
                f"No account has a trait {by[:60]!a}; test apart by a trait that accounts have, or by {PREFIX}NAME",
            )
        return self._look.trait_now(by, names)

    def _in_segment(self, by: str, names: Sequence[str]) -> Mapping[str, object]:
        made = memberships(self._catalogue.segments, (by,)).get(by)
        if made is None:
            name = by.removeprefix(PREFIX)
            raise Rejected(
                "segment-unknown", f"There is no segment {name[:60]!a}; GET /v1/segments lists them"
            )
        now = [self._look.trait_now(trait, names) for trait in made.traits]
        texts = {
            name: [stored_text(json.dumps(values.get(name), ensure_ascii=False)) for values in now]
            for name in names
        }
        return {name: made.holds(texts[name]) for name in names}

    def _shared(self, edge: Driver) -> Sequence[str]:
        metrics = self._catalogue.metrics
        return shared_events(metrics[edge.driver], metrics[edge.moves], self._catalogue)

    def _tested(self, edge: Driver, panel: Panel, grain: Grain, segments: Mapping[str, object]) -> Json:
        moved = self._catalogue.metrics[edge.moves]
        members: dict[str, list[str]] = defaultdict(list)
        for account in panel.accounts:
            if segments.get(account) is not None:
                members[_named(segments[account])].append(account)
        largest = sorted(members.items(), key=lambda one: (-len(one[1]), one[0]))[:MOST_SEGMENTS]
        return {
            **edge.model_dump(mode="json"),
            "grain": grain,
            **panels.shown(panels.examined(edge, moved, panel, grain), edge, grain),
            "segments": [
                {
                    "segment": name,
                    **panels.shown(panels.examined(edge, moved, panel.of(accounts), grain), edge, grain),
                }
                for name, accounts in largest
            ],
        }

    def _panel(self, metrics: Sequence[str], grain: Grain, names: Sequence[str]) -> Panel:
        periods = periods_of(self._calendar, grain, self._now)
        buckets = [bucket.label for bucket in periods]
        start, end = (self._calendar.day_of(at) for at in (periods[0].start, periods[-1].end))
        tables = {}
        for metric in metrics:
            rows: list[Figure] = []
            for some in self._batches(names, len(buckets)):
                query = Query((metric,), start, end, grain, group_by=(ACCOUNT,), accounts=tuple(some))
                rows += self._look.figures(self._catalogue, query)
            tables[metric] = panels.table(rows, names, buckets)
        began = panels.began(names, self._look.first_seen(names), [one.start for one in periods], grain)
        return Panel(names, tables, began)

    @staticmethod
    def _batches(names: Sequence[str], periods: int) -> Iterator[Sequence[str]]:
        """So many accounts at a time that all their periods are one page: every page computes all that it is a page of."""
        size = max(1, MAX_PAGE_ROWS // (periods + 1))
        return (names[first : first + size] for first in range(0, len(names), size))

    def deciles(self, asked: DecilesAsked) -> Json:
        """Churn in a period by decile of what the driver was in the days before it."""
        churn = self._churn_metric()
        [period] = plan(self._calendar, asked.churn.start, asked.churn.end, "total", "instant")
        if period.end > self._now:
            raise Rejected(
                "period-not-over", "Who leaves is known once the period is over; choose an earlier one"
            )
        before = self._calendar.days_before(period.start, asked.before_days)
        if asked.churn.accounts is None and self._look.accounts(before) > MOST_ACCOUNTS_BY_DECILE:
            raise Rejected(
                "accounts-too-many",
                f"At most {MOST_ACCOUNTS_BY_DECILE} accounts are looked at; name accounts",
            )
        own = replace(asked.churn, group_by=(ACCOUNT,))
        left = _by_account(self._look.figures(self._catalogue, replace(own, metrics=(churn,))))
        # A filter says which accounts: what they did before, they did whatever they were then.
        did = replace(
            own, metrics=(asked.driver,), start=before, end=period.start, filter={}, accounts=tuple(left)
        )
        driver = _by_account(self._look.figures(self._catalogue, did))
        paired = [(driver[account], gone > 0) for account, gone in left.items() if account in driver]
        found = asdict(by_decile(paired))
        return {
            "driver": asked.driver,
            "churn": churn,
            "before": {"from": self._calendar.local(before), "to": self._calendar.local(period.start)},
            "period": {"from": self._calendar.local(period.start), "to": self._calendar.local(period.end)},
            **found,
            "without_value": len(left) - len(paired),
            "least": {"accounts": LEAST_ACCOUNTS, "of_each": LEAST_OF_EACH},
        }

    def _churn_metric(self) -> str:
        for name, metric in self._catalogue.metrics.items():
            formula = metric.formula
            if isinstance(formula, Movement) and formula.movement == "logo_churn" and formula.months is None:
                return name
        raise Rejected(
            "churn-undefined", "No metric of this catalogue counts accounts that left (movement: logo_churn)"
        )


def periods_of(calendar: Calendar, grain: Grain, now: datetime) -> Sequence[Bucket]:
    """Finished weeks or months up to now."""
    end = calendar.bucket_day(calendar.day_of(now), grain)
    start = calendar.bucket_day(end - timedelta(days=PERIODS[grain] * (7 if grain == "week" else 31)), grain)
    return plan(calendar, start, end, grain, "day")[-PERIODS[grain] :]


def _named(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _wanted(edge: Driver, asked: EdgesAsked) -> bool:
    return asked.driver in (None, edge.driver) and asked.moves in (None, edge.moves)


def _with_looks(edge: Json, lasting: Mapping[tuple[str, str | None], Lasting], *, by_segment: bool) -> Json:
    """With what nightly looks say of it; of segments by another trait they say nothing."""

    def kept(segment: str | None) -> Json:
        known = lasting.get((edge["name"], segment), Lasting())
        return {
            "held_until": known.held_until and known.held_until.isoformat(),
            "stopped_at": known.stopped_at and known.stopped_at.isoformat(),
        }

    unknown = {"held_until": None, "stopped_at": None}
    segments = [
        {**apart, **(kept(apart["segment"]) if by_segment else unknown)} for apart in edge["segments"]
    ]
    return {**edge, **kept(None), "segments": segments}


def _untested(edge: Driver, shares: Sequence[str]) -> Json:
    grain, said = panels.grain_of(edge), Tested("shared_events", accounts=0, periods=0, moved=0)
    return {
        **edge.model_dump(mode="json"),
        "grain": grain,
        **panels.shown(said, edge, grain, shares),
        "segments": [],
    }


def _metrics(edges: Sequence[Driver]) -> list[str]:
    return list(dict.fromkeys(name for edge in edges for name in (edge.driver, edge.moves)))


def _by_account(rows: Sequence[Figure]) -> dict[str, float]:
    return {str(row.group[ACCOUNT]): float(row.value) for row in rows if row.value is not None}
