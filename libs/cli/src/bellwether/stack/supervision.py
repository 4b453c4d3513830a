"""What a supervisor decides, without doing it. Instants and durations are seconds of a monotonic clock."""

import signal
from dataclasses import dataclass, replace

FIRST_BACK_OFF_SECONDS = 0.1
MAX_BACK_OFF_SECONDS = 2.0
# Who ran this long has worked; its next end counts as the first again.
STEADY_SECONDS = 10.0


@dataclass(frozen=True)
class Life:
    """One process over all its starts. `started_at` is None while it waits for `start_at`; `failures` are quick ends in a row."""

    start_at: float
    started_at: float | None = None
    failures: int = 0

    def is_due(self, now: float) -> bool:
        return self.started_at is None and now >= self.start_at


@dataclass(frozen=True)
class Restart:
    """What to do about an end: when the next start is due, and how to tell people."""

    life: Life
    delay_seconds: float
    reason: str


def first_life(now: float) -> Life:
    return Life(start_at=now)


def after_start(life: Life, now: float) -> Life:
    return replace(life, started_at=now)


def after_end(life: Life, returncode: int, now: float) -> Restart:
    """A process of the stack is meant to run for ever, so every end, even with code 0, leads to another start."""
    was_steady = life.started_at is not None and now - life.started_at >= STEADY_SECONDS
    failures = 1 if was_steady else life.failures + 1
    delay = back_off_seconds(failures)
    return Restart(Life(start_at=now + delay, failures=failures), delay, describe_end(returncode))


def back_off_seconds(failures: int) -> float:
    """Doubles with each quick end, and is never more than MAX_BACK_OFF_SECONDS."""
    # The exponent is bounded because a process may fail for months, and 2.0 ** 1100 overflows.
    return min(MAX_BACK_OFF_SECONDS, FIRST_BACK_OFF_SECONDS * 2.0 ** min(failures - 1, 10))


def describe_end(returncode: int) -> str:
    if returncode >= 0:
        return f"ended with code {returncode}"
    try:
        return f"was killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was killed by signal {-returncode}"
