"""What a transaction revised of how many answers there are: by local day, kind of survey, survey and score, as figures count them.

An answer late on a day that had none is told too: figures of answers are of longer buckets. Where no answer of the kind was known
before, nothing is: what a tenant begins with revises nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from common.figures.answered import KINDS, part_of, row_of
from kpi_engine.adapters.revising import Revised, Revising
from kpi_engine.domain.answers_moved import AnswersMoved, Scored
from kpi_engine.domain.buckets import day_of_number

MEASURE_OF = {kind: -1 - number for number, kind in enumerate(KINDS)}
"""Answers are no measure: numbers below 0 stand for them, by kind. The view published.revision names them."""

# How many answers of each score there are on some days now, by people who count: one stretch of the index a day.
_ON_DAYS = """
select w.n - 1, a.survey, a.score, count(*)
from unnest(%(kinds)s::text[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[]) with ordinality as w(kind, first, last, n)
cross join lateral (
  select survey, score, person_id from engine.answer
  where tenant_id = %(tenant_id)s and kind = w.kind and answered_at >= w.first and answered_at < w.last offset 0
) as a
where not coalesce((select p.is_internal from engine.person p where p.id = a.person_id), false)
group by 1, 2, 3
"""
_MORE_THAN = """
select count(*) > %(added)s from (
  select from engine.answer where tenant_id = %(tenant_id)s and kind = %(kind)s limit %(added)s + 1) as stored
"""


@dataclass(frozen=True, slots=True)
class AnswerRevisions(Revising):
    def found(self, answers: AnswersMoved) -> Iterator[Revised]:
        open_from = {kind: self.open_from(row_of(kind)) for kind in KINDS}
        told = sorted(
            scored
            for scored, change in answers.changes.items()
            if change and (self.everything or scored.day < open_from[scored.kind])
        )
        if not told:
            return
        afters = self._afters(told)
        known = {kind: self._known(kind, answers) for kind in {scored.kind for scored in told}}
        for scored, after in zip(told, afters, strict=True):
            yield Revised(
                MEASURE_OF[scored.kind],
                part_of(scored.survey, scored.score),
                scored.day,
                scored.day + 1,
                Decimal(after - answers.changes[scored]),
                Decimal(after),
                scored.day < open_from[scored.kind] and known[scored.kind],
                frozenset(answers.accounts[scored.day, scored.kind]),
            )

    def _known(self, kind: str, answers: AnswersMoved) -> bool:
        """Whether an answer of the kind was stored before."""
        if kind in answers.known:
            return True
        parameters = {"tenant_id": self.tenant_id, "kind": kind, "added": answers.added[kind]}
        row = self.conn.execute(_MORE_THAN, parameters).fetchone()
        return bool(row and row[0])

    def _afters(self, told: Sequence[Scored]) -> list[int]:
        days = sorted({(scored.kind, scored.day) for scored in told})
        parameters = {
            "tenant_id": self.tenant_id,
            "kinds": [kind for kind, _ in days],
            "firsts": [self.local.start_of(day_of_number(day)) for _, day in days],
            "lasts": [self.local.start_of(day_of_number(day + 1)) for _, day in days],
        }
        counts: dict[Scored, int] = {}
        for at, survey, score, count in self.conn.execute(_ON_DAYS, parameters):
            kind, day = days[at]
            counts[Scored(day, kind, survey, score)] = count
        return [counts.get(scored, 0) for scored in told]
