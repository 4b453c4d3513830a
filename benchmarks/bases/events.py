"""Events of a base as lines of CloudEvents, with their instants, in order."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
from benchmarks.bases import voice
from benchmarks.bases.activity import FEATURES, People, people
from benchmarks.bases.calendar import FIRST_DAY, UTC_OFFSET_HOURS
from benchmarks.bases.money import contract
from benchmarks.bases.outages import Outage
from benchmarks.bases.plan import Account, at

DAY_SECONDS: Final = 86_400
MORNING_HOUR: Final = 8
_LOGIN = '{"specversion":"1.0","id":"%s","source":"%s","type":"%s","subject":"%s","time":"%s","data":{"user":"%s"}}'
_USE = '{"specversion":"1.0","id":"%s","source":"%s","type":"feature.used","subject":"%s","time":"%s","data":{"user":"%s","feature":"%s"}}'
_RUN = '{"specversion":"1.0","id":"%s","source":"%s","type":"feature.used","subject":"%s","time":"%s","data":{"feature":"sync"}}'
INTEGRATION_SOURCE: Final = "/integration"


class Line(NamedTuple):
    """`second` counts from FIRST_DAY's midnight (UTC)."""

    second: int
    account: str
    body: bytes


@dataclass(frozen=True)
class Told:
    """What an account's history holds, in any order, and on which days somebody logged in, as it was recorded."""

    account: Account
    lines: list[Line]
    login_days: np.ndarray[Any, np.dtype[np.int64]]


def told(account: Account, seed: int, outages: tuple[Outage, ...]) -> Told:
    rng = np.random.default_rng([seed, 2, account.number])
    staff = people(account, rng)
    lines = [*_uses(account, staff, rng, outages), *_runs(account)]
    facts = [*contract(account, rng), *voice.of(account, staff, rng)]
    lines += [_fact(account, n, when, kind, data) for n, (when, kind, data) in enumerate(facts)]
    seen = np.asarray(staff.there.any(axis=0), np.bool_)
    for outage in outages:
        if outage.hits("user.logged_in", account.source):
            seen[outage.first : outage.end] = False
    return Told(account, lines, np.flatnonzero(seen))


def _uses(
    account: Account, staff: People, rng: np.random.Generator, outages: tuple[Outage, ...]
) -> Iterator[Line]:
    """Within eight hours of a working day of the account's zone; a feature some minutes after the login."""
    persons, days = np.nonzero(staff.there)
    opens = (9 - UTC_OFFSET_HOURS[account.country]) * 3600
    seconds = days * DAY_SECONDS + np.clip(opens, 0, 16 * 3600) + rng.integers(0, 7 * 3600, len(days))
    used = staff.features[persons, days]
    name, source = account.name, account.source
    for n, (person, day, second, feature) in enumerate(
        zip(persons.tolist(), days.tolist(), seconds.tolist(), used.tolist(), strict=True)
    ):
        user = f"u{person}"
        kind = _recorded("user.logged_in", source, day, outages)
        if kind:
            body = _LOGIN % (f"{name}-l{n}", source, kind, name, _time(second), user)
            yield Line(second, name, body.encode())
        if feature >= 0 and _recorded("feature.used", source, day, outages):
            body = _USE % (f"{name}-f{n}", source, name, _time(second + 300), user, FEATURES[feature])
            yield Line(second + 300, name, body.encode())


def _recorded(kind: str, source: str, day: int, outages: tuple[Outage, ...]) -> str | None:
    """The type under which it is recorded; None when nothing is."""
    for outage in outages:
        if outage.first <= day < outage.end and outage.hits(kind, source):
            return outage.renamed_to
    return kind


def _runs(account: Account) -> Iterator[Line]:
    """What an integration does every night, with nobody named."""
    if account.has_integration:
        for day in range(max(account.joins, 0) + 20, account.gone):
            second = day * DAY_SECONDS + 7200
            body = _RUN % (f"{account.name}-r{day}", INTEGRATION_SOURCE, account.name, _time(second))
            yield Line(second, account.name, body.encode())


def _fact(account: Account, number: int, when: datetime, kind: str, data: Mapping[str, Any]) -> Line:
    second = int((when - at(0, 0)).total_seconds())
    body = {
        "specversion": "1.0", "id": f"{account.name}-{number}", "source": "/crm", "type": kind, "subject": account.name,
        "time": _time(second), "data": data,
    }  # fmt: skip
    return Line(second, account.name, json.dumps(body, separators=(",", ":")).encode())


_DATES = [(FIRST_DAY + timedelta(days=n)).isoformat() for n in range(1000)]


def _time(second: int) -> str:
    day, rest = divmod(second, DAY_SECONDS)
    return f"{_DATES[day]}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}Z"
