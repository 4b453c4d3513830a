"""What everybody has: a warning when nobody of an account has logged in for N days; and N chosen so that it is right as often as another.

Equal precision: among all N from 1 to 150 those are looked at whose precision over all bases together is at least that of the rule it stands
beside; of these the one that catches most dangers, then the one with more days before notice. That is the best that this warning can do at
the price of no more false alarms per right one. Where no N is as precise, the most precise one is taken, which favours the baseline in recall.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.bases.base import Base
from benchmarks.bases.calendar import DAYS
from benchmarks.bases.judging import LEAST_VERDICTS, Tally, Warned, judged

USUAL_DAYS = 30
LONGEST_DAYS = 150


def warned(base: Base, silent_days: int) -> list[Warned]:
    """At the end of the day on which the last login is so many days ago; until the next login, or until the account is gone."""
    found = []
    for name, days in base.login_days.items():
        gone = min(base.accounts[name].gone, DAYS)
        following = [*days[1:].tolist(), gone]
        for last, back in zip(days.tolist(), following, strict=True):
            if last + silent_days < back:
                found.append(Warned(name, last + silent_days, back))
    return found


@dataclass(frozen=True)
class Sweep:
    """The baseline at every threshold, over all bases together."""

    tallies: Mapping[int, Tally]

    @staticmethod
    def of(bases: Sequence[Base]) -> "Sweep":
        found = {days: Tally() for days in range(1, LONGEST_DAYS + 1)}
        for base in bases:
            for days, tally in found.items():
                tally.add(judged(base, warned(base, days)))
        return Sweep(found)

    def without(self, circumstances: Collection[str]) -> "Sweep":
        return Sweep({days: tally.without(circumstances) for days, tally in self.tallies.items()})

    def as_precise_as(self, precision: float) -> tuple[int, Tally]:
        known = {days: t for days, t in self.tallies.items() if t.precision.of >= LEAST_VERDICTS}
        enough = {days: t for days, t in known.items() if (t.precision.value or 0) >= precision}
        if enough:
            return max(enough.items(), key=lambda one: (one[1].recall.right, one[1].median_days or 0))
        return max(known.items(), key=lambda one: one[1].precision.value or 0)
