"""What a transaction changed of how many answers to surveys there are. Told as revisions."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from common.figures.answered import KINDS
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.buckets import LocalTime
from kpi_engine.domain.facts import SurveyAnswer


class Scored(NamedTuple):
    """What is counted: answers of one local day, kind, survey and score."""

    day: int
    kind: str
    survey: str
    score: Decimal


@dataclass(slots=True)
class AnswersMoved:
    """`changes`: how many more there are by people who count. `accounts`: whose they are, by day and kind.

    `added`: answers that were stored for the first time, by kind; `known`: kinds of which others were stored before.
    """

    changes: Counter[Scored] = field(default_factory=Counter)
    accounts: dict[tuple[int, str], set[int]] = field(default_factory=dict)
    added: Counter[str] = field(default_factory=Counter)
    known: set[str] = field(default_factory=set)

    def told(
        self,
        batch: TenantBatch,
        answers: Sequence[SurveyAnswer],
        internal: npt.NDArray[np.bool_],
        local: LocalTime,
        *,
        everything: bool,
    ) -> None:
        """Answers are stored: keep those that arrived on a later local day than they were given on. `internal`: whose don't count."""
        of_figures = [answer for answer in answers if answer.kind in KINDS]
        if not of_figures:
            return
        at = np.fromiter((answer.index for answer in of_figures), np.int64, len(of_figures))
        days = local.days(batch.event_at_us[at])
        kept = np.ones(len(at), np.bool_) if everything else days < local.days(batch.ingested_at_us[at])
        for i in np.flatnonzero(kept).tolist():
            answer = of_figures[i]
            self.added[answer.kind] += 1
            if not internal[answer.index]:
                self.move(_scored(int(days[i]), answer), int(batch.account_ids[answer.index]), 1)

    def taken_out(self, batch: TenantBatch, answers: Iterable[SurveyAnswer], local: LocalTime) -> None:
        """Stored answers go, under the marks of the batch."""
        for answer in answers:
            if answer.kind in KINDS:
                self.known.add(answer.kind)
                if not batch.internal[answer.index]:
                    day = int(local.days(batch.event_at_us[answer.index : answer.index + 1])[0])
                    self.move(_scored(day, answer), int(batch.account_ids[answer.index]), -1)

    def flipped(self, scored: Scored, account_id: int, sign: int) -> None:
        """A stored answer counts from now on, or no more."""
        if scored.kind in KINDS:
            self.known.add(scored.kind)
            self.move(scored, account_id, sign)

    def move(self, scored: Scored, account_id: int, sign: int) -> None:
        self.changes[scored] += sign
        self.accounts.setdefault((scored.day, scored.kind), set()).add(account_id)

    def merge(self, other: "AnswersMoved") -> None:
        self.changes.update(other.changes)
        for key, accounts in other.accounts.items():
            self.accounts.setdefault(key, set()).update(accounts)
        self.added.update(other.added)
        self.known |= other.known

    @property
    def first_day(self) -> int | None:
        """The first local day of which a number changed; None where none did."""
        return min((scored.day for scored, change in self.changes.items() if change), default=None)


def _scored(day: int, answer: SurveyAnswer) -> Scored:
    return Scored(day, answer.kind, answer.survey, answer.score)
