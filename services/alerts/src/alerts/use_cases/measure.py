"""Says how often rules were right: from the warnings they gave, what people said, and what came of the accounts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from alerts.domain.judging import Judging
from alerts.domain.record import Entry, MissedEntry, Records, Span, parts, records
from alerts.domain.rules import Rule
from alerts.ports.accuracy import AccuracyStore, Subject
from common.catalogue import models
from common.catalogue.models import Catalogue
from common.errors import NotFound

By = Literal["segment", "month"]


@dataclass(frozen=True, slots=True)
class Told:
    """A record, with what it is of. `entries` and `missed` are what it counts."""

    subject: Subject
    horizon: timedelta
    span: Span
    entries: list[Entry]
    missed: list[MissedEntry]

    @property
    def records(self) -> Records:
        return records(self.entries, self.missed, self.span)

    def parts(self, by: By) -> Mapping[str | None, Records]:
        return parts(self.entries, self.missed, self.span, _KEYS[by])


_KEYS: Mapping[By, Callable[[Entry | MissedEntry], str | None]] = {
    "segment": lambda one: one.segment,
    "month": lambda one: one.day.strftime("%Y-%m"),
}


@dataclass(frozen=True, slots=True)
class Measure:
    """Safe to use from many threads."""

    store: AccuracyStore
    compiled: Callable[[models.Rule], Rule]

    def of_rule(self, tenant_id: int, name: str, now: datetime) -> Told:
        """Raises NotFound for a rule that is not in force."""
        catalogue = self.store.catalogue(tenant_id)
        rule = catalogue.rules.get(name) if catalogue else None
        if catalogue is None or rule is None:
            raise NotFound("rule-unknown", f"there is no rule {name[:80]!r}; GET /v1/rules lists them")
        return self._told(tenant_id, catalogue, rule, now)

    def _told(self, tenant_id: int, catalogue: Catalogue, rule: models.Rule, now: datetime) -> Told:
        fingerprint, since = self.store.watched_since(tenant_id)[rule.name]
        episodes = self.store.episodes(tenant_id)
        judging = Judging(self.store.outcomes(tenant_id, catalogue), episodes, now)
        silence = self.compiled(rule).reads_silence
        subject = Subject("rule", rule.name, fingerprint, since, reads_silence=silence)
        entries, missed = judging.judge(
            [one for one in episodes if one.rule == rule.name], since, reads_silence=subject.reads_silence
        )
        return Told(subject, judging.horizon, judging.span(since), entries, missed)
