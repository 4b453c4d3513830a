"""From the JSON of a question about two periods to queries of figures. Everything that is wrong is Rejected, with what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from common.catalogue.models import Catalogue
from common.errors import Rejected
from common.figures import Query, parse
from common.figures.buckets import Bucket, compared, plan
from common.figures.calendar import Calendar
from common.figures.formulas import resolution
from common.figures.model import COMPARES
from common.figures.slices import ACCOUNT

MOST_DIMENSIONS = 3
MOST_LISTED = 100
LISTED = 10
BEFORE_DAYS, MOST_BEFORE_DAYS = 28, 366
_PERIODS = ("from", "to", "compare", "earlier", "later")
_OWN = ("metric", "by", "limit")
_PASSED_ON = ("filter", "accounts", "segments")
_USUAL_DIMENSION = "segment"


@dataclass(frozen=True, slots=True)
class ChangeAsked:
    """`later` and `earlier` are totals of one metric, without groups. `earlier` is None when it is to be found by `compare`."""

    metric: str
    later: Query
    earlier: Query | None
    by: tuple[str, ...] | None
    limit: int


@dataclass(frozen=True, slots=True)
class DecilesAsked:
    """`churn`: the period in which accounts leave, and which accounts are looked at."""

    driver: str
    churn: Query
    before_days: int


def parse_change(body: object) -> ChangeAsked:
    """`{"metric", "from", "to", "compare"}` or `{"metric", "earlier": {"from", "to"}, "later": {...}}`, with by, filter, accounts."""
    if not isinstance(body, Mapping):
        raise Rejected("change-invalid", "The body must be a JSON object with a metric and two periods")
    allowed = (*_OWN, *_PERIODS, *_PASSED_ON)
    unknown = [str(name)[:40] for name in body if name not in allowed]
    if unknown:
        raise Rejected("field-unknown", f"Unknown field {unknown[0]!a}; known are {', '.join(allowed)}")
    metric = body.get("metric")
    if not isinstance(metric, str):
        raise Rejected("metric-missing", "metric must be the name of one metric; GET /v1/metrics lists them")
    by = body.get("by")
    shared = {name: body[name] for name in _PASSED_ON if body.get(name) is not None}
    base = {"metrics": [metric], "grain": "total", "group_by": [] if by is None else by, **shared}
    earlier, later = _periods(body, base)
    if len(later.group_by) > MOST_DIMENSIONS or ACCOUNT in later.group_by:
        raise Rejected("by-invalid", f"by names at most {MOST_DIMENSIONS} traits; accounts are told anyway")
    return ChangeAsked(
        metric,
        replace(later, group_by=()),
        None if earlier is None else replace(earlier, group_by=()),
        None if by is None else later.group_by,
        _limit(body.get("limit")),
    )


def parse_movers(body: object) -> tuple[ChangeAsked, str]:
    """The same with `by`: `account`, or the one trait whose values are ranked."""
    by = body.get("by") if isinstance(body, Mapping) else None
    by = ACCOUNT if by is None else by
    if not isinstance(by, str):
        raise Rejected("by-invalid", f"by must be {ACCOUNT}, or the name of one trait")
    rest = (
        {name: value for name, value in body.items() if name != "by"} if isinstance(body, Mapping) else body
    )
    asked = parse_change(rest if by == ACCOUNT or not isinstance(rest, dict) else {**rest, "by": [by]})
    return asked, by


def parse_deciles(body: object) -> DecilesAsked:
    """`{"driver", "from", "to"}`: who leaves in the period, by decile of the driver in the `before_days` days before it."""
    allowed = ("driver", "from", "to", "before_days", *_PASSED_ON)
    if not isinstance(body, Mapping):
        raise Rejected("deciles-invalid", "The body must be a JSON object with driver, from and to")
    unknown = [str(name)[:40] for name in body if name not in allowed]
    if unknown:
        raise Rejected("field-unknown", f"Unknown field {unknown[0]!a}; known are {', '.join(allowed)}")
    days = body.get("before_days")
    days = BEFORE_DAYS if days is None else days
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= MOST_BEFORE_DAYS:
        raise Rejected(
            "before-days-invalid", f"before_days must be a whole number from 1 to {MOST_BEFORE_DAYS}"
        )
    driver = body.get("driver")
    if not isinstance(driver, str):
        raise Rejected("driver-missing", "driver must be the name of one metric; GET /v1/metrics lists them")
    shared = {name: body[name] for name in _PASSED_ON if body.get(name) is not None}
    churn = parse(
        {"metrics": [driver], "grain": "total", "from": body.get("from"), "to": body.get("to"), **shared}
    )
    return DecilesAsked(driver, churn, days)


def periods(asked: ChangeAsked, catalogue: Catalogue) -> tuple[Bucket, Bucket]:
    """The earlier and the later period, as the metric is kept. Raises Rejected where they don't follow each other."""
    metric = catalogue.metrics.get(asked.metric)
    if metric is None:
        raise Rejected(
            "metric-unknown", f"There is no metric {asked.metric[:60]!a}; GET /v1/metrics lists them"
        )
    calendar, kept = Calendar.of(catalogue.settings), resolution(metric, catalogue)
    [later] = plan(calendar, asked.later.start, asked.later.end, "total", kept)
    if asked.earlier is not None:
        [earlier] = plan(calendar, asked.earlier.start, asked.earlier.end, "total", kept)
    else:
        assert asked.later.compare is not None
        [other] = compared(calendar, [later], "total", asked.later.compare)
        if other is None:
            raise Rejected("period-missing", "The year before has no such period; name both periods instead")
        earlier = other
    if not (earlier.start < later.start and earlier.end <= later.end):
        raise Rejected("periods-reversed", "earlier must begin before later, and end before it or with it")
    return earlier, later


def dimensions(asked: ChangeAsked, catalogue: Catalogue) -> tuple[str, ...]:
    """Those asked for; else the segment, where there is one."""
    if asked.by is not None:
        return asked.by
    return (_USUAL_DIMENSION,) if _USUAL_DIMENSION in catalogue.settings.dimensions else ()


def _periods(body: Mapping[str, Any], base: Mapping[str, Any]) -> tuple[Query | None, Query]:
    named = [name for name in ("earlier", "later") if body.get(name) is not None]
    bucket = [name for name in ("from", "to", "compare") if body.get(name) is not None]
    if len(named) == 2 and not bucket:
        return _query(body["earlier"], "earlier", base), _query(body["later"], "later", base)
    if named or len(bucket) < 3:
        raise Rejected(
            "periods-missing",
            "Name two periods: earlier and later, each with from and to; or from, to and compare "
            f"({' or '.join(COMPARES)})",
        )
    return None, parse({**base, "from": body["from"], "to": body["to"], "compare": body["compare"]})


def _query(period: object, name: str, base: Mapping[str, Any]) -> Query:
    if not isinstance(period, Mapping) or set(period) != {"from", "to"}:
        raise Rejected(f"{name}-invalid", f"{name} must be an object with from and to")
    return parse({**base, "from": period["from"], "to": period["to"]})


def _limit(value: object) -> int:
    if value is None:
        return LISTED
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_LISTED:
        raise Rejected("limit-invalid", f"limit must be a whole number from 1 to {MOST_LISTED}")
    return value
