"""The rules of the pack over a simulated base whose reasons are known (benchmarks/bases): detection that breaks shows here."""

from itertools import islice

import pytest
from benchmarks.bases import base, plan
from benchmarks.bases.agreeing import disagreements
from benchmarks.bases.judging import judged
from benchmarks.bases.loading import counted, load
from benchmarks.bases.plan import Cause
from benchmarks.bases.replaying import replays, warned

from common.catalogue import loading

SEED = 7
RULES = ("complaints_rose", "usage_fell", "account_silent")
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
        replayed = {name: of.of(catalogue.rules[name]) for name in RULES}
    complaints, use = (
        judged(simulated, warned(replayed[name])) for name in ("complaints_rose", "usage_fell")
    )
    # The product's own record says so too, of what it may judge.
    assert disagreements(simulated, replayed["complaints_rose"]) == []
    assert complaints.caught[Cause.LOUD] >= 2
    assert complaints.false.total() == 0
    assert use.caught[Cause.SILENT] >= 3
    # Outages of days are no silence of anybody's, nor is a quiet fortnight where more than two people come.
    in_error = {
        one.account
        for one in warned(replayed["account_silent"])
        if judged(simulated, [one]).false.total() and simulated.accounts[one.account].people > 2
    }
    assert {simulated.accounts[name].cause for name in in_error} <= {Cause.CLOSES}
