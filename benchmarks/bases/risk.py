"""The risk of not renewing as a warning, at every threshold: computed by the engine at the end of each judged week from what it knew then."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime

from benchmarks import definitions
from benchmarks.bases import judging
from benchmarks.bases.base import Base, build
from benchmarks.bases.baseline import USUAL_DAYS, Sweep
from benchmarks.bases.bench import FIRST_SEED, said
from benchmarks.bases.calendar import DAYS, JUDGED_FROM
from benchmarks.bases.databases import databases
from benchmarks.bases.events import DAY_SECONDS
from benchmarks.bases.judging import Tally
from benchmarks.bases.loading import load, risk_by_day
from benchmarks.bases.plan import at
from benchmarks.options import Options
from benchmarks.results import Result

from common.catalogue.models import Catalogue

THRESHOLDS = tuple(percent / 100 for percent in range(5, 100, 5))
_Risk = Mapping[str, Sequence[float | None]]


def run(options: Options) -> Result:
    seeds, accounts = options.seeds or 1, options.accounts or (30 if options.quick else 100)
    catalogue = definitions.whole_pack()
    bases = [build(seed, accounts) for seed in range(FIRST_SEED, FIRST_SEED + seeds)]
    with databases() as fresh:
        risks = [_risk_of(fresh(f"base_{base.seed}"), base, catalogue) for base in bases]
    result = Result("risk of simulated bases", f"{seeds} bases of {accounts} accounts")
    result.figures[f"no login for {USUAL_DAYS} days"] = said(Sweep.of(bases).tallies[USUAL_DAYS])
    for threshold in THRESHOLDS:
        tally = Tally()
        for base, risk in zip(bases, risks, strict=True):
            tally.add(judging.judged(base, judging.crossings(risk, threshold)))
        result.figures[f"from {threshold:.0%} on"] = said(tally)
    return result


def _risk_of(url: str, base: Base, catalogue: Catalogue) -> _Risk:
    """By account and day, as it was computed at the end of the week before."""
    load(url, catalogue, ((line.account, line.body) for line in base.lines), _weeks(base))
    return risk_by_day(url)


def _weeks(base: Base) -> list[tuple[int, datetime]]:
    """The ends of the judged weeks, with how many events came before them."""
    seconds = [line.second for line in base.lines]
    return [(bisect_left(seconds, day * DAY_SECONDS), at(day, 0)) for day in range(JUDGED_FROM, DAYS, 7)]
