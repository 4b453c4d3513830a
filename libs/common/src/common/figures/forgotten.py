"""Since when what a version of the definitions counted for the past is whole: raw events from before were no longer kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg

from common.catalogue.economics import Repeated, Unaided
from common.catalogue.lifecycles import Conversion, Duration, Entered, MovedOn, Share
from common.catalogue.models import Catalogue, Measure, Metric
from common.figures.behind import Reads, reads
from common.figures.buckets import Bucket
from common.figures.calendar import Calendar
from common.figures.parts import leaves, measures_read

# Cases that are open, and values that stand, may have begun at any time before: those that nobody heard of for so long count as over.
STANDS = dt.timedelta(days=365)
# Versions count these anew. All else is kept as it was said, whatever the definitions are.
_COUNTED = ("events", "steps")
# Ask when an entity took a step first.
_OF_FIRSTS = (Entered, Duration, Conversion, Share, MovedOn, Unaided, Repeated)

_KEPT = "select version, kept_from from published.definition_past where tenant_id = %s and version = any(%s)"


def kept_from(
    conn: psycopg.Connection[Any], tenant_id: int, catalogue: Catalogue
) -> Mapping[str, dt.datetime]:
    """From each measure to when what it counts begins to be whole. Those that counted everything aren't named."""
    brought = {name: catalogue.origin_of(name) for name in catalogue.measures}
    versions = sorted({version for version in brought.values() if version})
    if not versions:
        return {}
    kept = dict(conn.execute(_KEPT, (tenant_id, versions)).fetchall())
    return {name: kept[version] for name, version in brought.items() if version in kept}


class Forgotten:
    """Why figures of one metric are unknown, by bucket."""

    def __init__(
        self,
        metric: Metric,
        catalogue: Catalogue,
        calendar: Calendar,
        kept: Mapping[str, dt.datetime],
        now: dt.datetime,
    ) -> None:
        self._catalogue, self._calendar, self._kept, self._now = catalogue, calendar, kept, now
        self._metrics = [one for one in leaves(metric, catalogue) if self._reads_kept(one)]

    def _reads_kept(self, metric: Metric) -> bool:
        return any(name in self._kept for name in measures_read(metric, self._catalogue))

    def why(self, bucket: Bucket) -> str | None:
        """None where nothing is missing."""
        for metric in self._metrics:
            for read in reads(metric, self._catalogue, self._calendar, bucket, self._now):
                kept = self._kept.get(read.measure or "") if read.kept in _COUNTED else None
                if kept is None:
                    continue
                measure = self._catalogue.measures[str(read.measure)]
                if any(needed < kept for needed in _needed(metric, read, measure)):
                    return self._said(measure.name, kept)
        return None

    def _said(self, measure: str, kept: dt.datetime) -> str:
        return (
            f"it needs events from before {self._calendar.local(kept)}, which were no longer kept when version "
            f"{self._catalogue.origin_of(measure)} of the definitions counted the measure {measure} for the past"
        )


def _needed(metric: Metric, read: Reads, measure: Measure) -> Iterator[dt.datetime]:
    """From when on events are needed for what is read. What has a name, as a ticket, begins where it is first heard of; accounts and
    people were there before, and what is said of a period may be said before it."""
    formula = metric.formula
    by_end = isinstance(formula, Duration) and formula.cohort == "end" and bool(read.of_started)
    of_somebody = not measure.entity or any(step.keep == "earliest" for step in measure.steps)
    if read.first is not None:
        yield read.first
    if read.first is None or read.period or by_end or (of_somebody and isinstance(formula, _OF_FIRSTS)):
        yield read.last - STANDS
