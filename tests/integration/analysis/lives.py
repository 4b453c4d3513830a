"""A customer's life as events: a subscription, and log-ins week after week until it ends."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from tests.integration.kpi_engine.figures_stage import Ev

WEEK, DAY = timedelta(days=7), timedelta(days=1)


def life(
    rng: random.Random, start: datetime, weeks: int, name: str, segment: str, usual: int, falls: int | None, leaves: int | None
) -> Iterator[Ev]:  # fmt: skip
    """Of so many weeks. `usual`: log-ins a week, which `falls` to a fifth in one of them; in the week `leaves` the subscription ends."""
    yield Ev("account.created", start - 9 * DAY, f"{name}-new", name, None, {"traits": {"segment": segment}})
    fee = {"subscription": name, "mrr": "100.00", "currency": "EUR"}
    yield Ev("subscription.started", start - 8 * DAY, f"{name}-start", name, None, fee)
    if leaves is not None:
        over = {"subscription": name}
        yield Ev("subscription.cancelled", start + leaves * WEEK + 3 * DAY, f"{name}-end", name, None, over)
    for week in range(leaves if leaves is not None else weeks):
        share = 0.2 if falls is not None and week >= falls else 1.0
        for n in range(round(usual * share * rng.uniform(0.7, 1.3))):
            at = start + week * WEEK + rng.randrange(5 * 24 * 60) * timedelta(minutes=1)
            yield Ev("user.logged_in", at, f"{name}-{week}-{n}", name, f"u{n % 5}")
