"""Whether rules cost more than people have time for: new cases a week for each who looks after accounts, against their budgets.

A case is what an account's warnings of one queue add up to: it is open while any of them lasts, and for as many healthy working days
after as cases take to close. Further warnings meanwhile are evidence, not a new case.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

DAYS_A_WEEK = 7
Closes = Callable[[int], int]
"""The last day on which a case is open whose last warning ended on a day, by their numbers."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A warning as a rule would give it, by day numbers; `end` is None while it lasts. `owner` and `model`: of the account on its first day."""

    account_id: int
    queue: str
    rule: str
    start: int
    end: int | None
    owner: str | None
    model: str


@dataclass(frozen=True, slots=True)
class Budget:
    """Of one owner's accounts of one engagement model. `per_week` and `before` are means, with and without the rules that change.

    `limit`: what the engagement model allows. `rules`: who opened the cases, by how many a week.
    """

    owner: str | None
    model: str
    limit: int | None
    per_week: float
    before: float
    busiest_week: int
    rules: Sequence[tuple[str, float]]

    @property
    def is_over(self) -> bool:
        """Accounts without an owner are nobody's work; what was too much before is no reason to refuse what adds nothing."""
        if self.owner is None or self.limit is None:
            return False
        return self.per_week > self.limit and self.per_week > self.before


def budgets(
    episodes: Sequence[Episode],
    changed: frozenset[str],
    limits: Mapping[str, int | None],
    first: int,
    days: int,
    closes: Closes,
) -> list[Budget]:
    """Over `days` days from day `first` on. Those that are over come first, then the busiest."""
    after = _opened(episodes, first, closes)
    before = Counter((one.owner, one.model) for one in _opened(_without(episodes, changed), first, closes))
    weeks = days / DAYS_A_WEEK
    found = []
    for owner, model in {(one.owner, one.model) for one in after}:
        mine = [one for one in after if (one.owner, one.model) == (owner, model)]
        by_week = Counter((one.start - first) // DAYS_A_WEEK for one in mine)
        by_rule = Counter(one.rule for one in mine)
        found.append(
            Budget(
                owner,
                model,
                limits.get(model),
                len(mine) / weeks,
                before[owner, model] / weeks,
                max(by_week.values()),
                [(rule, count / weeks) for rule, count in by_rule.most_common()],
            )
        )
    return sorted(found, key=lambda one: (not one.is_over, -one.per_week, one.owner or "", one.model))


def _without(episodes: Iterable[Episode], rules: frozenset[str]) -> list[Episode]:
    return [one for one in episodes if one.rule not in rules]


def _opened(episodes: Sequence[Episode], first: int, closes: Closes) -> list[Episode]:
    """The episodes that open a case, from day `first` on."""
    found = []
    open_until: dict[tuple[int, str], float] = {}
    for one in sorted(episodes, key=lambda one: (one.start, one.rule)):
        key = (one.account_id, one.queue)
        until = open_until.get(key, float("-inf"))
        if one.start > until and one.start >= first:
            found.append(one)
        end = float("inf") if one.end is None else closes(one.end)
        open_until[key] = max(until, end)
    return found
