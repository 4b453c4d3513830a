"""How well the product's rules foretell what is known to become of simulated customers, beside "no login for 30 days" at equal precision."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from benchmarks import definitions
from benchmarks.bases import judging, tracking
from benchmarks.bases.agreeing import disagreements
from benchmarks.bases.base import Base, build
from benchmarks.bases.baseline import USUAL_DAYS, Sweep
from benchmarks.bases.calendar import DAYS, JUDGED_FROM
from benchmarks.bases.databases import databases
from benchmarks.bases.events import DAY_SECONDS
from benchmarks.bases.judging import Share, Tally
from benchmarks.bases.loading import counted, load, risk_by_day
from benchmarks.bases.plan import at
from benchmarks.bases.replaying import replays, warned
from benchmarks.options import Options
from benchmarks.results import Aim, Result

from alerts.adapters.definitions import compile_rule
from common.catalogue.models import Catalogue
from common.errors import Rejected

FIRST_SEED = 1
ALL = "all rules, as cases"
FAULTS = frozenset({"an event type missing", "a source missing", "an event renamed"})
RISKS = tuple(percent / 100 for percent in range(5, 100, 5))


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
    faults: Sequence[tracking.Spell]
    risk: Mapping[str, Sequence[float | None]]
    """Each account's risk of not renewing, by day, as it was computed at the end of the week before."""


def run(options: Options) -> Result:
    seeds, accounts = (
        options.seeds or (1 if options.quick else 3),
        options.accounts or (30 if options.quick else 100),
    )
    catalogue = definitions.whole_pack()
    with databases() as fresh:
        seen = [
            looked_at(fresh(f"base_{seed}"), build(seed, accounts), catalogue)
            for seed in range(FIRST_SEED, FIRST_SEED + seeds)
        ]
    return reported(seen)


def looked_at(url: str, base: Base, catalogue: Catalogue) -> Seen:
    """`url` is of a migrated database."""
    load(url, catalogue, ((line.account, line.body) for line in base.lines), _weeks(base))
    wrong = _differences(base, counted(url))
    faults = tracking.spells(base, catalogue)
    tracking.note(url, faults)
    warnings: dict[str, list[judging.Warned]] = {}
    unsaid: dict[str, str] = {}
    with replays(url, catalogue) as of:
        for name, rule in catalogue.rules.items():
            if rule.queue != "risk":
                continue
            try:
                replayed = of.of(rule)
            except Rejected as rejected:
                unsaid[name] = rejected.message
                continue
            warnings[name] = tracking.heeded(warned(replayed), rule, catalogue, faults)
            if not compile_rule(rule, catalogue.signals).reads_silence:
                wrong += [f"{name}: {what}" for what in disagreements(base, replayed)]
    shadows = frozenset(name for name, rule in catalogue.rules.items() if rule.mode == "shadow")
    return Seen(base, warnings, wrong, shadows, unsaid, faults, risk_by_day(url))


def _weeks(base: Base) -> list[tuple[int, datetime]]:
    """The ends of the judged weeks, with the events before them."""
    seconds = [line.second for line in base.lines]
    days = range(JUDGED_FROM, DAYS, 7)
    return [(bisect_left(seconds, day * DAY_SECONDS), at(day, 0)) for day in days]


def _differences(base: Base, found: Mapping[str, int]) -> list[str]:
    expected: dict[str, int] = dict.fromkeys(base.accounts, 0)
    for line in base.lines:
        expected[line.account] += 1
    differing = [name for name in expected if expected[name] != found.get(name, 0)]
    return [f"base {base.seed}: events of {len(differing)} accounts differ, such as {differing[:2]}"] * bool(
        differing
    )


def reported(seen: Sequence[Seen]) -> Result:
    bases = [one.base for one in seen]
    sweep = Sweep.of(bases)
    tallies = {name: _pooled(seen, name) for name in seen[0].warnings}
    tallies[ALL] = Tally()
    for one in seen:
        telling = [its for name, its in one.warnings.items() if name not in one.shadows]
        tallies[ALL].add(judging.judged(one.base, judging.cases(telling)))
    usual = sweep.tallies[USUAL_DAYS]
    threshold, risk = _risk(seen, usual.precision.value or 0)
    tallies[f"risk of not renewing, from {threshold:.0%} on"] = risk
    result = Result(
        "bases",
        f"{len(bases)} bases of {len(bases[0].accounts)} accounts, {sum(len(base.lines) for base in bases):,} events",
        wrong=[wrong for one in seen for wrong in one.wrong],
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


def _risk(seen: Sequence[Seen], precision: float) -> tuple[float, Tally]:
    """At the threshold that catches most while it is right at least as often as the usual baseline; else where it is right most often."""
    found: dict[float, Tally] = {}
    for threshold in RISKS:
        tally = found[threshold] = Tally()
        for one in seen:
            tally.add(judging.judged(one.base, judging.crossings(one.risk, threshold)))
    enough = {at: t for at, t in found.items() if (t.precision.value or 0) >= precision}
    if enough:
        return max(enough.items(), key=lambda one: one[1].recall.right)
    return max(found.items(), key=lambda one: one[1].precision.value or 0)


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
