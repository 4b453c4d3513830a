"""The rules of the pack over a simulated base whose reasons are known (benchmarks/bases): detection that breaks shows here."""

from collections.abc import Mapping
from itertools import islice

import pytest
from benchmarks.bases import base, plan
from benchmarks.bases.baseline import Sweep
from benchmarks.bases.bench import not_as_kept
from benchmarks.bases.judging import cases, judged
from benchmarks.bases.plan import Cause
from benchmarks.bases.remembering import remembered
from benchmarks.bases.replaying import over, warned

from common.catalogue import loading

SEED = 7
RULES = ("complaints_rose", "use_fell", "leaving_steps", "account_silent")
# Of each character so many, none of them large.
CAST = {
    Cause.SILENT: 6, Cause.LOUD: 4, Cause.SAVED_QUIET: 3, Cause.CLOSES: 2, Cause.SCHOOL: 2, Cause.STEADY: 5, Cause.TWO_PEOPLE: 2,
}  # fmt: skip


def small_base(cast: Mapping[Cause, int], *, people: range) -> base.Base:
    some = [one for one in plan.accounts(SEED, 600) if one.people in people or one.cause is Cause.TWO_PEOPLE]
    chosen = [
        one for cause, count in cast.items() for one in islice((a for a in some if a.cause is cause), count)
    ]
    assert len(chosen) == sum(cast.values())
    return base.of(SEED, chosen)


@pytest.fixture(scope="module")
def simulated() -> base.Base:
    return small_base(CAST, people=range(4, 13))


def test_a_base_is_the_same_from_the_same_seed(simulated: base.Base) -> None:
    assert small_base(CAST, people=range(4, 13)).lines == simulated.lines


def test_what_is_judged_is_the_past_that_the_product_keeps(postgres_url: str) -> None:
    few = small_base({Cause.LOUD: 1, Cause.SILENT: 1, Cause.TWO_PEOPLE: 1}, people=range(2, 4))
    assert not_as_kept(postgres_url, few, loading.load(loading.base_pack())) == []


def test_leavers_are_foretold_and_few_others_are(simulated: base.Base) -> None:
    catalogue = loading.load(loading.base_pack())
    replays = over(remembered(simulated, catalogue, ()), catalogue)
    warnings = {name: warned(replays.of(catalogue.rules[name])) for name in RULES}
    complaints, use = (judged(simulated, warnings[name]) for name in ("complaints_rose", "use_fell"))
    assert complaints.caught[Cause.LOUD] >= 2
    assert use.caught[Cause.SILENT] >= 3
    # Silence of outages, of schools in summer and of companies that close is foretold by nobody's leaving.
    told = judged(simulated, cases(warnings.values()))
    assert told.recall.right >= 6
    assert told.false.total() <= 4
    days, beside = Sweep.of([simulated]).as_precise_as(told.precision.value or 0)
    assert told.recall.right > beside.recall.right, f"no login for {days} days catches as many"
