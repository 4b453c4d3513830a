"""From the event that crosses a rule to its signal, and to the webhook that tells a person, over a hundred accounts, one after another.

The answer is right when each of them was told of exactly once, and none of the accounts that stay just below the rule; signals alike.
"""

import json
import tempfile
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from benchmarks.driving import Watch, fresh_stack, memory, percentile
from benchmarks.options import Options
from benchmarks.results import Aim, Result
from tests.acceptance.stack import Stack
from tests.acceptance.tenants import apply_overlay
from tests.acceptance.webhooks import WebhookReceiver

AIM_SECONDS, SIGNAL_AIM_SECONDS = 2.0, 1.0
LOOK_SECONDS = 0.02
GAP_SECONDS = 0.15
TOLD_SECONDS = 30
BELOW, CROSSING = 2, 3  # complaints in a week: one more than `BELOW` fires the rule


def run(options: Options) -> Result:
    accounts = 30 if options.quick else 100
    result = Result(
        "alert path", f"{accounts} accounts cross, {accounts} stay just below, one every {GAP_SECONDS} s"
    )
    with fresh_stack() as stack, WebhookReceiver() as receiver, tempfile.TemporaryDirectory() as overlay:
        files = {"receivers.yaml": receiver.overlay(), "alerting.yaml": "page: null\nstorm: null\n"}
        apply_overlay(stack, "default", files, Path(overlay))
        _cross(stack, "warm-up")
        _wait(lambda: bool(receiver.about("warm-up")))
        for number in range(accounts):
            stack.client.post(
                [_complaint(f"{kind}-{number}") for kind in ("cross", "below") for _ in range(BELOW)]
            )
        stack.wait_applied()
        watch = Watch(stack)
        watch.start()
        signals = Signals(stack.database_url)
        accepted = _crossings(stack, accounts)
        _wait(lambda: all(receiver.about(f"cross-{n}") for n in range(accounts)))
        _wait(lambda: len(signals.seen) > accounts)
        signals.stop()
        costs = watch.stop()
        result.wrong = _compare(receiver, accounts) + signals.wrong(accounts)
        if not result.wrong:
            _summarise(result, receiver, signals, accepted)
            result.figures["MB"] = memory(costs)
    return result


class Signals:
    """When each account's signal `complaints_rose` was first seen to know of the crossing; looked at every `LOOK_SECONDS`, which the times hold."""

    QUERY = """
        select a.account from published.account_state s join published.account a on a.account_id = s.account_id
        where (s.signals #>> '{complaints_rose,value}')::int >= 3
    """

    def __init__(self, url: str) -> None:
        self.seen: dict[str, float] = {}
        self._url, self._end = url, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def wrong(self, accounts: int) -> list[str]:
        silent = [n for n in range(accounts) if f"cross-{n}" not in self.seen]
        falsely = [n for n in range(accounts) if f"below-{n}" in self.seen]
        return [f"{len(silent)} signals did not move"] * bool(silent) + [
            f"{len(falsely)} signals moved that should not"
        ] * bool(falsely)

    def _look(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._end.wait(LOOK_SECONDS):
                on = connection.execute(self.QUERY).fetchall()
                at = time.monotonic()
                for (account,) in on:
                    self.seen.setdefault(account, at)


def _crossings(stack: Stack, accounts: int) -> list[float]:
    """When the crossing event of each account was accepted, on a schedule that waits for nobody."""
    accepted: list[float] = []
    began = time.monotonic()
    for number in range(accounts):
        time.sleep(max(0.0, began + number * GAP_SECONDS - time.monotonic()))
        stack.client.post([_complaint(f"cross-{number}")])
        accepted.append(time.monotonic())
    return accepted


def _cross(stack: Stack, account: str) -> None:
    stack.client.post([_complaint(account) for _ in range(CROSSING)])


def _complaint(account: str) -> dict[str, object]:
    event_id = uuid.uuid4().hex
    return {
        "specversion": "1.0", "id": event_id, "source": "/support", "type": "complaint.filed", "subject": account,
        "time": datetime.now(UTC).isoformat(), "data": {"complaint": event_id, "user": "ann", "severity": "high"},
    }  # fmt: skip


def _compare(receiver: WebhookReceiver, accounts: int) -> list[str]:
    told = {n: {delivery.id for delivery in receiver.about(f"cross-{n}")} for n in range(accounts)}
    silent = [n for n, ids in told.items() if not ids]
    often = [n for n, ids in told.items() if len(ids) > 1]
    falsely = [n for n in range(accounts) if receiver.about(f"below-{n}")]
    return (
        [f"{len(silent)} accounts were never told of"] * bool(silent)
        + [f"{len(often)} accounts were told of under several notification ids"] * bool(often)
        + [f"{len(falsely)} accounts below the rule were told of"] * bool(falsely)
        + [f"{len(receiver.unsigned)} webhooks were not signed rightly"] * bool(receiver.unsigned)
    )


def _summarise(result: Result, receiver: WebhookReceiver, signals: Signals, accepted: list[float]) -> None:
    three = _spread([receiver.about(f"cross-{n}")[0].at - at for n, at in enumerate(accepted)])
    of_signals = _spread([signals.seen[f"cross-{n}"] - at for n, at in enumerate(accepted)])
    result.aims.append(Aim("p99 s, accepted to signal", SIGNAL_AIM_SECONDS, of_signals[1], at_least=False))
    result.figures["accepted to signal, s (p50, p99, max)"] = of_signals
    result.aims.append(Aim("p99 s, accepted to received", AIM_SECONDS, three[1], at_least=False))
    result.figures["accepted to received, s (p50, p99, max)"] = three
    result.figures["example"] = json.dumps(receiver.about("cross-0")[0].body)[:300]


def _spread(took: list[float]) -> list[float]:
    return [round(percentile(took, share), 3) for share in (0.5, 0.99, 1.0)]


def _wait(condition: object) -> None:
    deadline = time.monotonic() + TOLD_SECONDS
    assert callable(condition)
    while time.monotonic() < deadline and not condition():
        time.sleep(0.02)
