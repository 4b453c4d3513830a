"""How well the product's rules foretell what is known to become of simulated customers, beside "no login for 30 days" at equal precision."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import definitions
from benchmarks.bases import judging, tracking
from benchmarks.bases.agreeing import disagreements
from benchmarks.bases.base import Base, build
from benchmarks.bases.baseline import USUAL_DAYS, Sweep
from benchmarks.bases.databases import databases
from benchmarks.bases.judging import Share, Tally
from benchmarks.bases.loading import counted, load
from benchmarks.bases.remembering import differences, remembered
from benchmarks.bases.replaying import kept, over, warned
from benchmarks.options import Options
from benchmarks.results import Aim, Result

from alerts.adapters.definitions import compile_rule
from alerts.domain.account_days import RECORDED
from common.catalogue.models import Catalogue
from common.errors import Rejected

# Rules and thresholds were chosen on others (101 and above).
FIRST_SEED = 1
# So many accounts go through the engine too, and must leave the past there that the lines of the others are taken to leave.
CHECKED_ACCOUNTS = 15
ALL = "live rules, as cases"
FAULTS = frozenset({"an event type missing", "a source missing", "an event renamed"})


@dataclass(frozen=True)
class Seen:
    """What one base showed: warnings of each rule that watches for risk, and what was wrong."""

    base: Base
    warnings: Mapping[str, Sequence[judging.Warned]]
    wrong: Sequence[str]
    shadows: frozenset[str]
    """Rules that watch and open no case."""
    unsaid: Mapping[str, str]
    """Rules that a replay can't say anything of, and why."""


def run(options: Options) -> Result:
    seeds, accounts = (
        options.seeds or (1 if options.quick else 5),
        options.accounts or (30 if options.quick else 200),
    )
    catalogue = definitions.whole_pack()
    with databases() as fresh:
        checked = build(FIRST_SEED, CHECKED_ACCOUNTS)
        wrong = not_as_kept(fresh("checked"), checked, catalogue, tracking.spells(checked, catalogue))
    seen = [looked_at(build(seed, accounts), catalogue) for seed in range(FIRST_SEED, FIRST_SEED + seeds)]
    return reported(seen, wrong)


def not_as_kept(
    url: str, base: Base, catalogue: Catalogue, faults: Sequence[tracking.Spell] = ()
) -> list[str]:
    """Where the past that the engine keeps of a base differs from what its lines say. `url` is of a migrated database."""
    load(url, catalogue, ((line.account, line.body) for line in base.lines))
    expected = Counter(line.account for line in base.lines)
    found = counted(url)
    differing = [name for name in expected if expected[name] != found.get(name, 0)]
    wrong = [f"events of {len(differing)} accounts differ, such as {differing[:2]}"] * bool(differing)
    tracking.note(url, faults)
    return wrong + differences(remembered(base, catalogue, faults), kept(url, catalogue))


def looked_at(base: Base, catalogue: Catalogue) -> Seen:
    faults = tracking.spells(base, catalogue)
    replays = over(remembered(base, catalogue, faults), catalogue)
    warnings: dict[str, list[judging.Warned]] = {}
    wrong: list[str] = []
    unsaid: dict[str, str] = {}
    for name, rule in catalogue.rules.items():
        if rule.queue != "risk":
            continue
        compiled = compile_rule(rule, catalogue.signals)
        if not RECORDED.isdisjoint(compiled.inputs):
            unsaid[name] = "rests on what the engine keeps from day to day, which lines alone don't tell"
            continue
        try:
            replayed = replays.of(rule)
        except Rejected as rejected:
            unsaid[name] = rejected.message
            continue
        warnings[name] = tracking.heeded(warned(replayed), rule, catalogue, faults)
        if not compiled.reads_silence:
            wrong += [f"{name}: {what}" for what in disagreements(base, replayed)]
    shadows = frozenset(name for name, rule in catalogue.rules.items() if rule.mode == "shadow")
    return Seen(base, warnings, wrong, shadows, unsaid)


def reported(seen: Sequence[Seen], wrong: Sequence[str]) -> Result:
    bases = [one.base for one in seen]
    sweep = Sweep.of(bases)
    tallies = {name: _pooled(seen, name) for name in seen[0].warnings}
    tallies[ALL] = Tally()
    for one in seen:
        telling = [its for name, its in one.warnings.items() if name not in one.shadows]
        tallies[ALL].add(judging.judged(one.base, judging.cases(telling)))
    usual = sweep.tallies[USUAL_DAYS]
    result = Result(
        "bases",
        f"{len(bases)} bases of {len(bases[0].accounts)} accounts, {sum(len(base.lines) for base in bases):,} events",
        wrong=[*wrong, *(what for one in seen for what in one.wrong)],
    )
    result.figures[f"no login for {USUAL_DAYS} days"] = said(usual)
    for name, tally in tallies.items():
        result.figures[name] = said(tally)
        _beside(result, name, tally, sweep)
    _beside(result, f"{ALL}, tracking faults left out", tallies[ALL].without(FAULTS), sweep.without(FAULTS))
    result.figures["not replayed"] = dict(seen[0].unsaid)
    _aims(result, tallies[ALL], sweep)
    return result


def _beside(result: Result, name: str, tally: Tally, sweep: Sweep) -> None:
    """The baseline at equal precision, where there is enough to speak of one."""
    if tally.precision.of >= judging.LEAST_VERDICTS and tally.precision.value is not None:
        days, beside = sweep.as_precise_as(tally.precision.value)
        result.figures[f"{name}: no login for {days} days"] = said(beside)


def _pooled(seen: Sequence[Seen], name: str) -> Tally:
    found = Tally()
    for one in seen:
        found.add(judging.judged(one.base, one.warnings[name]))
    return found


def _aims(result: Result, ours: Tally, sweep: Sweep) -> None:
    _, beside = sweep.as_precise_as(ours.precision.value or 0)
    result.aims += [
        Aim("share of dangers caught, beside no login at equal precision", beside.recall.value or 0, ours.recall.value or 0, at_least=True),
        Aim("median days before notice, the same", beside.median_days or 0, ours.median_days or 0, at_least=True),
    ]  # fmt: skip


def said(tally: Tally) -> dict[str, Any]:
    return {
        "caught": tally.recall.right, "missed": tally.recall.of - tally.recall.right, "false": tally.false.total(),
        "precision": _share(tally.precision), "recall": _share(tally.recall), "caught 30 days ahead": _share(tally.early),
        "days before notice": tally.median_days, "warnings per 100 accounts and week": round(tally.load, 2),
        "caught of": {str(cause): f"{tally.caught[cause]} of {tally.caught[cause] + tally.missed[cause]}" for cause in sorted(tally.caught | tally.missed)},
        "false because of": {str(name): count for name, count in sorted(tally.false.items())},
    }  # fmt: skip


def _share(share: Share) -> list[float] | None:
    """With its interval; None where there is nothing to divide by."""
    low, high = share.interval
    return None if share.value is None else [round(share.value, 3), round(low, 3), round(high, 3)]
