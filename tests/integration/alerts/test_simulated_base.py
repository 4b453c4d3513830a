"""The rules of the pack over a simulated base whose reasons are known (benchmarks/bases): detection that breaks shows here."""

from itertools import islice

import pytest
from benchmarks.bases import base, plan
from benchmarks.bases.judging import Warned, judged
from benchmarks.bases.loading import counted, load
from benchmarks.bases.plan import Cause
from benchmarks.bases.replaying import Replays, replays, warned

from common.catalogue import loading

SEED = 7
# Of each character so many, none of them large.
CAST = {Cause.SILENT: 5, Cause.LOUD: 4, Cause.CLOSES: 2, Cause.STEADY: 3, Cause.TWO_PEOPLE: 2}


def small_base() -> base.Base:
    some = [one for one in plan.accounts(SEED, 600) if one.people <= 12 and not one.has_integration]
    cast = [
        one
        for cause, count in CAST.items()
        for one in islice(
            (a for a in some if a.cause is cause and (a.people > 3 or cause is Cause.TWO_PEOPLE)), count
        )
    ]
    assert len(cast) == sum(CAST.values())
    return base.of(SEED, cast)


@pytest.fixture
def simulated() -> base.Base:
    return small_base()


def test_a_base_is_the_same_from_the_same_seed(simulated: base.Base) -> None:
    assert small_base().lines == simulated.lines


def test_leavers_are_foretold_and_nobody_is_silent_because_of_an_outage(
    postgres_url: str, simulated: base.Base
) -> None:
    catalogue = loading.load(loading.base_pack())
    load(postgres_url, catalogue, ((line.account, line.body) for line in simulated.lines))
    expected = dict.fromkeys(simulated.accounts, 0)
    for line in simulated.lines:
        expected[line.account] += 1
    assert counted(postgres_url) == expected
    with replays(postgres_url, catalogue) as of:
        complaints, use = (judged(simulated, _warned(of, name)) for name in ("complaints_rose", "usage_fell"))
        silent = _warned(of, "account_silent")
    assert complaints.caught[Cause.LOUD] >= 2
    assert complaints.false.total() == 0
    assert use.caught[Cause.SILENT] >= 3
    # Outages of days are no silence of anybody's, nor is a quiet fortnight where more than two people come.
    in_error = {
        one.account
        for one in silent
        if judged(simulated, [one]).false.total() and simulated.accounts[one.account].people > 2
    }
    assert {simulated.accounts[name].cause for name in in_error} <= {Cause.CLOSES}


def _warned(of: Replays, rule: str) -> list[Warned]:
    return warned(of.of(of.catalogue.rules[rule]))
