"""The product's own record of a replay against the truth: whom it says it foretold, and whom not."""

from collections import defaultdict
from datetime import timedelta

from benchmarks.bases.base import Base
from benchmarks.bases.plan import at
from benchmarks.bases.replaying import HORIZON, warned

from alerts.domain.accuracy import Verdict
from alerts.use_cases.backtest import Replayed

DAY = timedelta(days=1)


def disagreements(base: Base, replayed: Replayed) -> list[str]:
    """Of a rule that silence is no judge of there is nothing to compare.

    The replay names days, not instants: a leaver with a warning surely within the horizon before notice must be caught, one that is caught
    must have had a warning that may have been.
    """
    days: dict[str, list[int]] = defaultdict(list)
    for one in warned(replayed):
        days[one.account].append(one.start)
    caught = {one.account for one in replayed.warned if one.verdict is Verdict.CAUGHT}
    missed = {one.account for one in replayed.missed}
    wrong = []
    for name, account in base.accounts.items():
        if not (account.leaves and account.danger):
            wrong += [f"{name} is said to have left"] * (name in caught | missed)
            continue
        told = at(account.danger.notice, 11)
        fired = [at(day, 0) for day in days[name]]
        surely = any(told - HORIZON <= one and one + DAY < told for one in fired)
        perhaps = any(told - HORIZON <= one + DAY and one < told for one in fired)
        wrong += [f"{name} was foretold, and is not said to be"] * (surely and name not in caught)
        wrong += [f"{name} was not foretold, and is said to be"] * (name in caught and not perhaps)
        wrong += [f"{name} is neither caught nor missed"] * (name not in caught | missed)
    return wrong
