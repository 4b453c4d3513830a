"""From a value to a figure: what it is of, how fresh it is, whether it may still change, and where it comes from. Pure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, urlencode

from common.catalogue.models import Metric
from common.figures.buckets import Bucket
from common.figures.calendar import Calendar
from common.figures.model import Figure, GroupValue, Number, Query, Value
from common.figures.slices import ACCOUNT, GroupKey, said


@dataclass(frozen=True)
class Dresser:
    """Figures of one metric, which `settles` so long after a bucket. `as_of` is None while some partition has applied nothing."""

    asked: Query
    metric: Metric
    currency: str
    calendar: Calendar
    as_of: dt.datetime | None
    buckets: Sequence[Bucket]
    settles: dt.timedelta
    of_tenant: bool = False
    """Only events that belong to no account are behind the figures."""

    def figures(self, group: GroupKey, rows: Sequence[tuple[int, Value, Number | None]]) -> list[Figure]:
        """One for each (position of bucket, value, value compared with)."""
        named = dict(zip(self.asked.group_by, map(said, group), strict=True))
        scope = self._scope(named)
        return [self._figure(named, scope, position, value, compare) for position, value, compare in rows]

    def _figure(
        self, named: Mapping[str, GroupValue], scope: str, position: int, value: Value, compare: Number | None
    ) -> Figure:
        start, end, complete, span = self._spans[position]
        return Figure(
            metric=self.metric.name,
            group=named,
            bucket=self.buckets[position].label,
            start=start,
            end=end,
            value=value.value,
            numerator=value.numerator,
            denominator=value.denominator,
            low=value.low,
            high=value.high,
            n=value.n,
            low_n=value.low_n,
            censored=value.censored,
            compare_value=compare,
            unit=self.metric.unit,
            currency=self.currency if self.metric.is_money else None,
            as_of=self.as_of,
            complete=complete,
            version=self.metric.version,
            proxy_of=self.metric.proxy_of,
            accounts=value.accounts,
            behind=self._behind(named, span, scope),
            reason=value.reason,
        )

    def _behind(self, named: Mapping[str, GroupValue], span: str, scope: str) -> str:
        """The accounts behind a figure with what each contributes; of an account, or the tenant itself, the events that count."""
        if self.of_tenant or named.get(ACCOUNT, "") is None:
            return f"/v1/metrics/{self.metric.name}/events?{span}{self._version}"
        if ACCOUNT in named:
            account = quote(str(named[ACCOUNT]), safe="")
            return f"/v1/metrics/{self.metric.name}/events?account={account}&{span}{self._version}"
        asked = f"metrics={self.metric.name}&{span}&grain=total&group_by={ACCOUNT}&contributing=true"
        return f"/v1/query?{asked}{scope}"

    @property
    def _version(self) -> str:
        return "" if self.asked.definitions is None else f"&definitions={self.asked.definitions}"

    @cached_property
    def _spans(self) -> list[tuple[str, str, bool, str]]:
        """Per bucket: local start and end, whether it is complete, and its part of the address behind it."""
        return [
            (self.calendar.local(b.start), self.calendar.local(b.end), self._is_complete(b), self._address(b))
            for b in self.buckets
        ]

    def _is_complete(self, bucket: Bucket) -> bool:
        return self.as_of is not None and bucket.end + self.settles <= self.as_of

    def _address(self, bucket: Bucket) -> str:
        start, end = (
            quote(at.isoformat().replace("+00:00", "Z"), safe=":") for at in (bucket.start, bucket.end)
        )
        return f"from={start}&to={end}"

    def _scope(self, named: Mapping[str, GroupValue]) -> str:
        group = {name: (value,) for name, value in named.items() if name != ACCOUNT}
        wanted = {name: list(values) for name, values in {**self.asked.filter, **group}.items()}
        accounts = [named[ACCOUNT]] if ACCOUNT in named else self.asked.accounts
        parts = {}
        if wanted:
            parts["filter"] = json.dumps(wanted, separators=(",", ":"))
        if accounts is not None:
            parts["accounts"] = json.dumps(list(accounts), separators=(",", ":"))
        if self.asked.slice_at != "start":
            parts["slice_at"] = self.asked.slice_at
        return (f"&{urlencode(parts)}" if parts else "") + self._version
