"""Ten thousand accounts crossing at once, more while workers are killed at random, more than people are told of one by one, and a database restored
from before.

The answer is right when every account was told of or is counted in a storm's summary, a repeat came under the id that was there before, what is new
under another, and every signature was right.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.driving import Watch, percentile
from benchmarks.options import Options
from benchmarks.results import Aim, Result
from tests.acceptance.conftest import free_base
from tests.acceptance.stack import Stack
from tests.acceptance.tenants import apply_overlay
from tests.acceptance.webhooks import WebhookReceiver

from common.local.ports import free_ports
from common.testing import wait_until

BELOW, BATCH = 2, 500
# Everybody is told by then, a killed worker's leases of 25 s included.
TOLD_SECONDS = 600
AIM_DRAINED_SECONDS = 120.0
# The summary of the last stage's storm comes when it has been over for a minute.
CAP, CAPPED = 50, 400
KILLS_EVERY_SECONDS = 1.0
SEED = 20260302


def run(options: Options) -> Result:
    accounts = 300 if options.quick else 10_000
    kills = 5 if options.quick else 12
    result = Result(
        "storm", f"{accounts:,} accounts cross at once; {kills} kills of three workers; a restore from before"
    )
    with WebhookReceiver() as receiver, tempfile.TemporaryDirectory(prefix="bellwether-storm-") as directory:
        data, base = Path(directory) / "data", free_base(28_000)
        with _running(data, base) as stack:
            overlay = Path(directory) / "overlay"
            files = {"receivers.yaml": receiver.overlay(), "alerting.yaml": CAPPED_AT}
            apply_overlay(stack, "default", files, overlay)
            _capped(result, stack, receiver)
            apply_overlay(stack, "default", {"alerting.yaml": TOLD_ONE_BY_ONE}, overlay)
            _storm(result, stack, receiver, accounts)
            _killed(result, stack, receiver, max(accounts // 5, 100), kills)
        # With its owner: PostgreSQL may run as somebody else.
        subprocess.run(["cp", "-a", data / "postgres", Path(directory) / "before"], check=True)
        with _running(data, base) as stack:
            _forgotten(stack, receiver, result)
        shutil.rmtree(data / "postgres")
        shutil.move(Path(directory) / "before", data / "postgres")
        with _running(data, base) as stack:
            _restored(stack, receiver, result)
        result.wrong += _wrong(receiver)
    return result


@contextmanager
def _running(data: Path, base: int) -> Iterator[Stack]:
    stack = Stack.start(data, base)
    try:
        yield stack
    finally:
        stack.stop()


def _capped(result: Result, stack: Stack, receiver: WebhookReceiver) -> None:
    """More cross than people are told of one by one: who was not told is counted when the storm is over."""
    names = [f"capped-{number}" for number in range(CAPPED)]
    _complain(stack, [name for name in names for _ in range(BELOW + 1)])

    def ends() -> list[dict[str, Any]]:
        summaries = [one.body["data"] for one in receiver.deliveries if one.body["type"] == "storm.summary"]
        return [data for data in summaries if data["state"] == "over"]

    wait_until(lambda: bool(ends()), TOLD_SECONDS, "the storm to be over")
    told, summed = len(_first_told(receiver).keys() & set(names)), sum(data["cases"] for data in ends())
    result.figures["cap: accounts, told one by one, counted in the summary"] = [CAPPED, told, summed]
    if told + summed != CAPPED:
        result.wrong.append(f"of {CAPPED} accounts {told} were told of and {summed} counted in the summary")


def _storm(result: Result, stack: Stack, receiver: WebhookReceiver, accounts: int) -> None:
    """All of them stand just below the rule; then each gets the complaint that crosses it, as fast as they are accepted."""
    names = [f"storm-{number}" for number in range(accounts)]
    _complain(stack, [name for name in names for _ in range(BELOW)])
    stack.wait_applied(TOLD_SECONDS)
    watch = Watch(stack)
    watch.start()
    before = watch.peaks_mb().get("alerts", 0)
    began = time.monotonic()
    accepted = _complain(stack, names)
    sent = time.monotonic()
    _all_told(receiver, names)
    costs = watch.stop()
    first = _first_told(receiver)
    took = [first[name] - at for name, at in accepted.items()]
    drained = round(max(first[name] for name in names) - began, 1)
    result.aims.append(Aim("storm: s until the last was told", AIM_DRAINED_SECONDS, drained, at_least=False))
    result.figures |= {
        "storm: accepted to received, s (p50, p99, max)": [
            round(percentile(took, share), 2) for share in (0.5, 0.99, 1.0)
        ],
        "storm: s to accept": round(sent - began, 2),
        "storm: MB of alerts before, at most": [before, watch.peaks_mb()["alerts"]],
        "storm: CPU s by process": {role: cost.cpu_seconds for role, cost in costs.items()},
    }


def _killed(result: Result, stack: Stack, receiver: WebhookReceiver, accounts: int, kills: int) -> None:
    """Two more workers beside the stack's own; one of the three is killed every second while accounts cross."""
    chance, names = random.Random(SEED), [f"killed-{number}" for number in range(accounts)]
    _complain(stack, [name for name in names for _ in range(BELOW)])
    stack.wait_applied(300)
    before = len(receiver.deliveries)
    with ExitStack() as workers:
        mine = [_worker(stack, workers) for _ in range(2)]
        for part in range(kills):
            _complain(stack, names[part::kills])
            victim = chance.randrange(3)
            if victim == 2:
                stack.kill("alerts")
            else:
                mine[victim].kill()
                mine[victim] = _worker(stack, workers)
            time.sleep(KILLS_EVERY_SECONDS)
        _all_told(receiver, names)
    result.figures["kills: accounts, deliveries, of them repeats under the same id"] = [
        accounts,
        len(receiver.deliveries) - before,
        len(receiver.deliveries) - before - accounts,
    ]


def _worker(stack: Stack, stack_of_workers: ExitStack) -> subprocess.Popen[bytes]:
    settings = {"ALERTS_PORT": str(free_ports(1)[0]), "DATABASE_URL": stack.database_url}
    process = subprocess.Popen(
        [sys.executable, "-m", "alerts"], env={**os.environ, **settings}, stderr=subprocess.DEVNULL
    )
    stack_of_workers.callback(process.wait)
    stack_of_workers.callback(process.kill)
    return process


# Neither the money at risk nor a storm keeps anybody from being told.
TOLD_ONE_BY_ONE = "page: null\nstorm: null\n"
CAPPED_AT = f"page: null\nstorm: {{cases: {CAP}, within_minutes: 1}}\n"
FORGOTTEN = [f"forgotten-{number}" for number in range(50)]


def _forgotten(stack: Stack, receiver: WebhookReceiver, result: Result) -> None:
    """After the copy was made accounts cross and people are told; the database that knows of it is thrown away."""
    _complain(stack, [name for name in FORGOTTEN for _ in range(BELOW + 1)])
    _all_told(receiver, FORGOTTEN)
    result.figures["restore: told before"] = len(FORGOTTEN)


def _restored(stack: Stack, receiver: WebhookReceiver, result: Result) -> None:
    """The engine reads again what the copy doesn't know, and people are told again."""
    before = len(receiver.deliveries)
    _complain(stack, ["new-after"] * (BELOW + 1))

    def again() -> bool:
        return {_account(one.body) for one in receiver.deliveries[before:]} >= {*FORGOTTEN, "new-after"}

    wait_until(again, TOLD_SECONDS, "everybody to be told again")
    result.figures["restore: told again"] = (
        len({_account(one.body) for one in receiver.deliveries[before:]}) - 1
    )


def _complain(stack: Stack, accounts: Sequence[str]) -> dict[str, float]:
    """One complaint for each name given; when each account's last one was accepted."""
    accepted: dict[str, float] = {}
    for start in range(0, len(accounts), BATCH):
        part = accounts[start : start + BATCH]
        stack.client.post([_complaint(account) for account in part])
        accepted |= dict.fromkeys(part, time.monotonic())
    return accepted


def _complaint(account: str) -> dict[str, object]:
    event_id = uuid.uuid4().hex
    return {
        "specversion": "1.0", "id": event_id, "source": "/support", "type": "complaint.filed", "subject": account,
        "time": datetime.now(UTC).isoformat(), "data": {"complaint": event_id, "user": "ann", "severity": "high"},
    }  # fmt: skip


def _account(body: dict[str, object]) -> str:
    """Of a notice about a case; the others name none."""
    data = body["data"]
    assert isinstance(data, dict)
    return str(data.get("account", {}).get("id"))


def _first_told(receiver: WebhookReceiver) -> dict[str, float]:
    first: dict[str, float] = {}
    for delivery in list(receiver.deliveries):
        first.setdefault(_account(delivery.body), delivery.at)
    return first


def _all_told(receiver: WebhookReceiver, names: Sequence[str]) -> None:
    wanted = set(names)

    def told() -> bool:
        # Looking through all that came takes time that the receiver, in this process, needs.
        return len(receiver.deliveries) >= len(wanted) and wanted <= _first_told(receiver).keys()

    wait_until(told, TOLD_SECONDS, "every account to be told of")


def _wrong(receiver: WebhookReceiver) -> list[str]:
    """Each account's opening came under one id, however often; ids are of one account each."""
    ids, accounts = defaultdict(set), defaultdict(set)
    for delivery in receiver.deliveries:
        if delivery.body["type"] == "case.opened":
            ids[_account(delivery.body)].add(delivery.id)
            accounts[delivery.id].add(_account(delivery.body))
    often = [account for account, found in ids.items() if len(found) > 1]
    shared = [notice for notice, found in accounts.items() if len(found) > 1]
    return (
        [f"{len(often)} accounts were told of under several notification ids, as {often[:3]}"] * bool(often)
        + [f"{len(shared)} ids were used for several accounts"] * bool(shared)
        + [f"{len(receiver.unsigned)} webhooks were not signed rightly"] * bool(receiver.unsigned)
    )
