"""Waiting for something to become true, with a deadline instead of a guess."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_POLL_SECONDS = 0.02


def wait_until(
    condition: Callable[[], T], timeout_seconds: float = 10.0, message: str = "the condition"
) -> T:
    """Returns the first true value of `condition`. AssertionError with `message` and the last value at the deadline."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_seconds:g} s for {message}; last seen: {value!r}")
        time.sleep(_POLL_SECONDS)
