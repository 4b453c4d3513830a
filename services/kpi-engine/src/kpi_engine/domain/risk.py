"""What judges the renewals of a tenant's accounts now: the score, or a hazard model that beat it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import msgspec

from common.catalogue.cel import Root
from common.catalogue.models import Catalogue
from common.risk.base_rates import BaseRates
from common.risk.features import FEATURES
from common.risk.hazard import judge
from common.risk.past import months_between
from common.risk.renewals import Renewal, ahead
from common.risk.score import Reason, Risk, Score, Signals, held
from common.risk.store import InForce
from common.tracking.reads import of_condition
from common.tracking.verdicts import Broken
from kpi_engine.domain.buckets import LocalTime


@dataclass(frozen=True, slots=True)
class Before:
    """What was told of an account last, on a local day: the reasons that were known, or held, and cost something."""

    method: str
    due_at: datetime
    day: date
    reasons: Mapping[str, Reason]


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

    def risk(
        self,
        renewals: Sequence[Renewal],
        root: Root,
        segment: str | None,
        signals: Signals,
        before: Before | None,
        now: datetime,
    ) -> Risk | None:
        """Of losing the renewal that must be decided first; None where none is open."""
        first = ahead(renewals)
        if first is None:
            return None
        if self.model is None:
            risk = self.score.judge(root, segment, self.rates, signals, self.stale.reasons)
        else:
            figures = {name: value for name, value in root["a"].items() if name not in self.stale.figures}
            months = months_between(self.local.day_at(now), self.local.day_at(first.due_at))
            risk = judge(self.model.model, self.model.version, figures, months, self.rates.of(segment))
        risk = msgspec.structs.replace(risk, due_at=first.due_at)
        if before is None or (before.method, before.due_at) != (risk.method, risk.due_at):
            return risk
        return held(risk, before.reasons, before.day)
