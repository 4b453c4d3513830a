"""What judges the renewals of a tenant's accounts now: the score, or a hazard model that beat it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import msgspec

from common.catalogue.cel import Root
from common.catalogue.models import Catalogue
from common.risk.base_rates import BaseRates
from common.risk.features import FEATURES
from common.risk.hazard import judge
from common.risk.past import months_between
from common.risk.renewals import Renewal, ahead, facing
from common.risk.score import Reason, Risk, Score, Signals, held
from common.risk.store import InForce
from common.tracking.reads import of_condition
from common.tracking.verdicts import Broken
from kpi_engine.domain.buckets import LocalTime


@dataclass(frozen=True, slots=True)
class Before:
    """What was told of a renewal last, on a local day: the reasons that were known, or held, and cost something."""

    method: str
    day: date
    reasons: Mapping[str, Reason]


Told = Mapping[tuple[str, datetime], Before]
"""By subscription and due date."""


@dataclass(frozen=True, slots=True)
class Stale:
    """What rests on events that do not arrive now: reasons of the score, and figures that a model reads."""

    reasons: frozenset[str] = frozenset()
    figures: frozenset[str] = frozenset()


def stale(catalogue: Catalogue, broken: Sequence[Broken]) -> Stale:
    if not broken:
        return Stale()
    reasons = (
        one.name
        for one in catalogue.risk.values()
        if of_condition(catalogue, one.value, one.when).is_hit(broken)
    )
    figures = (one.figure for one in FEATURES if of_condition(catalogue, f"a.{one.figure}").is_hit(broken))
    return Stale(frozenset(reasons), frozenset(figures))


@dataclass(frozen=True, slots=True)
class Judges:
    score: Score
    model: InForce | None
    rates: BaseRates
    stale: Stale
    local: LocalTime

    def risks(
        self,
        renewals: Sequence[Renewal],
        root: Root,
        segment: str | None,
        signals: Signals,
        before: Told,
        now: datetime,
    ) -> list[Risk]:
        """Of losing each open renewal, that first which must be decided first."""
        waiting = ahead(renewals, now)
        if not waiting:
            return []
        today = self.local.day_at(now)
        judge_one = self._by_model(root, segment, today) or self._by_score(
            renewals, root, segment, signals, today
        )
        return [self._told(one, judge_one(one), before) for one in waiting]

    def _by_score(
        self,
        renewals: Sequence[Renewal],
        root: Root,
        segment: str | None,
        signals: Signals,
        today: date,
    ) -> Callable[[Renewal], Risk]:
        evidence = self.score.evidence(root, signals, self.stale.reasons)

        def of(one: Renewal) -> Risk:
            known = facing(one, renewals, today, self.local.day_at)
            return self.score.judge(evidence, segment, self.rates, known)

        return of

    def _by_model(self, root: Root, segment: str | None, today: date) -> Callable[[Renewal], Risk] | None:
        kept = self.model
        if kept is None:
            return None
        figures = {name: value for name, value in root["a"].items() if name not in self.stale.figures}

        def of(one: Renewal) -> Risk:
            months = months_between(today, self.local.day_at(one.due_at))
            return judge(kept.model, kept.version, figures, months, self.rates.of(segment))

        return of

    @staticmethod
    def _told(one: Renewal, judged: Risk, before: Told) -> Risk:
        risk = msgspec.structs.replace(judged, due_at=one.due_at, subscription=one.subscription)
        was = before.get((one.subscription, one.due_at))
        if was is None or was.method != risk.method:
            return risk
        return held(risk, was.reasons, was.day)
