"""What a transaction revised of recurring revenue: figures before and after, read from what is stored.

A day's figure is told where some revenue was known before: what a tenant begins with revises nothing. The price follows what came
late, but for one pass over the tenant's MRR of a currency.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import numpy as np

from common.figures.formulas import MRR
from kpi_engine.adapters.revising import Revised, Revising
from kpi_engine.domain.buckets import day_of_number
from kpi_engine.domain.facts_moved import FactsMoved, Worth
from kpi_engine.domain.revisions import complete_before

# How much of the currency acts before each of some ascending instants: one pass, however many there are.
_WORTHS = """
select width_bucket(at, %(ends)s::timestamptz[]), sum(delta) from engine.mrr_change
where tenant_id = %(tenant_id)s and currency = %(currency)s group by 1
"""
_EARNED_ELSE = """
select exists (select from engine.mrr_change where tenant_id = %(tenant_id)s and account_id <> all(%(payers)s))
"""


@dataclass(frozen=True, slots=True)
class RevenueRevisions(Revising):
    def found(self, facts: FactsMoved) -> Iterator[Revised]:
        open_from = self.open_from(MRR)
        today = complete_before(self.local, self.as_of_us, timedelta(0))
        by_currency: dict[str, list[Worth]] = defaultdict(list)
        for its in facts.worths(self.local, today):
            if self.everything or its.day < open_from:
                by_currency[its.currency].append(its)
        payers = self._payers(facts) if by_currency else frozenset()
        known = bool(by_currency) and (facts.earned or self._earned_else(facts))
        for currency, worths in by_currency.items():
            for its, after in zip(worths, self._worths(currency, worths), strict=True):
                before = after - its.change
                complete = its.day < open_from and known
                yield Revised(0, currency, its.day, its.until, before, after, complete, payers)

    def _payers(self, facts: FactsMoved) -> frozenset[int]:
        """Whose revenue moved on days that may be told."""
        open_from = self.open_from(MRR)
        days = self.local.days(np.fromiter(facts.payers.values(), np.int64, len(facts.payers))).tolist()
        by_day = zip(facts.payers, days, strict=True)
        return frozenset(account for account, day in by_day if self.everything or day < open_from)

    def _earned_else(self, facts: FactsMoved) -> bool:
        parameters = {"tenant_id": self.tenant_id, "payers": list(facts.payers)}
        row = self.conn.execute(_EARNED_ELSE, parameters).fetchone()
        return bool(row and row[0])

    def _worths(self, currency: str, worths: Sequence[Worth]) -> Iterator[Decimal]:
        """MRR just before the end of the first day of each stretch; these are in order."""
        ends = [self.local.start_of(day_of_number(its.day + 1)) for its in worths]
        parameters = {"tenant_id": self.tenant_id, "currency": currency, "ends": ends}
        by_end: dict[int, Decimal] = dict(self.conn.execute(_WORTHS, parameters).fetchall())
        total = Decimal(0)
        for end in range(len(ends)):
            total += by_end.get(end, Decimal(0))
            yield total
