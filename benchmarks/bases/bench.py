"""How well the product's rules foretell what is known to become of simulated customers, beside "no login for 30 days" at equal precision."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from benchmarks import definitions
from benchmarks.bases import judging
from benchmarks.bases.base import Base, build
from benchmarks.bases.baseline import USUAL_DAYS, Sweep
from benchmarks.bases.judging import Share, Tally
from benchmarks.bases.loading import counted, load
from benchmarks.bases.replaying import replays, warned
from benchmarks.options import Options
from benchmarks.results import Aim, Result
from psycopg import sql

from common.catalogue.models import Catalogue
from common.db.migrate import migrate
from common.local.ports import free_ports
from common.local.postgres import VOLATILE, LocalPostgres

FIRST_SEED = 1
ALL = "all rules, as cases"


@dataclass(frozen=True)
class Seen:
    """What one base showed: warnings of each rule that watches for risk, and what was wrong."""

    base: Base
    warnings: Mapping[str, Sequence[judging.Warned]]
    wrong: Sequence[str]


def run(options: Options) -> Result:
    seeds, accounts = (
        options.seeds or (1 if options.quick else 5),
        options.accounts or (100 if options.quick else 400),
    )
    catalogue = definitions.whole_pack()
    with server() as databases:
        seen = [
            looked_at(databases(f"base_{seed}"), build(seed, accounts), catalogue)
            for seed in range(FIRST_SEED, FIRST_SEED + seeds)
        ]
    return reported(seen)


@contextmanager
def server() -> Iterator[Callable[[str], str]]:
    """A PostgreSQL of our own; what it gives makes a migrated database of a name, and its address."""
    directory = Path(tempfile.mkdtemp(prefix="bellwether-bases-"))
    directory.chmod(0o755)  # the database's own account has to reach its files
    running = LocalPostgres(directory / "postgres", free_ports(1)[0], settings=VOLATILE)

    def database(name: str) -> str:
        with psycopg.connect(running.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        migrate(running.url(name))
        return running.url(name)

    try:
        running.start()
        yield database
    finally:
        running.stop()
        shutil.rmtree(directory, ignore_errors=True)


def looked_at(url: str, base: Base, catalogue: Catalogue) -> Seen:
    """`url` is of a migrated database."""
    load(url, catalogue, base)
    wrong = _differences(base, counted(url))
    warnings: dict[str, list[judging.Warned]] = {}
    with replays(url, catalogue) as of:
        for name, rule in catalogue.rules.items():
            if rule.queue == "risk":
                warnings[name] = warned(of.of(rule))
    return Seen(base, warnings, wrong)


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
        tallies[ALL].add(judging.judged(one.base, judging.cases(one.warnings.values())))
    result = Result(
        "bases",
        f"{len(bases)} bases of {len(bases[0].accounts)} accounts, {sum(len(base.lines) for base in bases):,} events",
        wrong=[wrong for one in seen for wrong in one.wrong],
    )
    result.figures[f"no login for {USUAL_DAYS} days"] = said(sweep.tallies[USUAL_DAYS])
    for name, tally in tallies.items():
        result.figures[name] = said(tally)
        if tally.precision.of >= judging.LEAST_VERDICTS and tally.precision.value is not None:
            days, beside = sweep.as_precise_as(tally.precision.value)
            result.figures[f"{name}: no login for {days} days"] = said(beside)
    _aims(result, tallies[ALL], sweep)
    return result


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
