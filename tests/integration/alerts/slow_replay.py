"""The three rules of the base pack over a list of events, day by day, in plain words and slowly. Nothing of the product is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median

from tests.integration.alerts.past_stage import ACCOUNTS, DAY, START
from tests.integration.kpi_engine.figures_stage import Ev

Arrivals = Sequence[tuple[datetime, Ev]]
Episode = tuple[str, date, date | None]
PASSIVE = ("account.", "subscription.", "survey.", "user.updated")
RECOVERY = {"account_silent": 0.0, "complaints_rose": 3600.0, "usage_fell": 86_400.0}


@dataclass(frozen=True)
class Known:
    """What had come by the end of a day, as (day, user, type) of each account."""

    today: int
    of: dict[str, list[tuple[int, str | None, str]]]

    def user_days(self, account: str, first: int, last: int) -> int:
        return len(
            {
                (d, u)
                for d, u, k in self.of[account]
                if u and not passive(k) and first <= self.today - d <= last
            }
        )

    def complaints(self, account: str, first: int, last: int) -> int:
        return sum(
            1 for d, _, k in self.of[account] if k == "complaint.filed" and first <= self.today - d <= last
        )

    def is_closed(self, account: str) -> bool:
        lives = [k for _, _, k in self.of[account] if k in ("account.created", "account.closed")]
        return lives[-1:] == ["account.closed"]

    def active_days(self, account: str) -> list[int]:
        return sorted({d for d, _, k in self.of[account] if not passive(k)})


def passive(kind: str) -> bool:
    return kind.startswith(PASSIVE) and kind != "survey.responded"


def holds(rule: str, known: Known, account: str) -> bool | None:
    """None: too little is known. No rule applies to who is closed."""
    if known.is_closed(account):
        return False
    if rule == "complaints_rose":
        week = known.complaints(account, 0, 6)
        return week >= 3 and week >= 3 * known.complaints(account, 7, 90) / 12 + 1
    if rule == "account_silent":
        days = known.active_days(account)
        recent = [day for day in days if known.today - day < 180]
        if len(recent) < 2:
            return None
        gap = median(b - a for a, b in pairwise(recent))
        silent = known.today - days[-1]
        pays = not (account == "gone" and known.today >= 60)
        return silent > 14 and silent > 3 * gap and (pays or silent <= 28 or silent <= 3 * gap + 14)
    return _fell(known, account)


def _fell(known: Known, account: str) -> bool | None:
    own = _trend([account], known)
    segment = ACCOUNTS[account]
    peers = [a for a, s in ACCOUNTS.items() if s == segment and known.user_days(a, 29, 56)]
    others = None if segment is None else _trend(peers, known)
    if own is None or others is None:
        return None
    return own <= -0.3 and own - others <= -0.15


def _trend(accounts: list[str], known: Known) -> float | None:
    recent = sum(known.user_days(account, 1, 28) for account in accounts)
    base = sum(known.user_days(account, 29, 56) for account in accounts)
    return None if base < 8 else recent / base - 1


def episodes(rule: str, arrivals: Arrivals, days: int) -> list[Episode]:
    knowns = []
    for today in range(days):
        of: dict[str, list[tuple[int, str | None, str]]] = {account: [] for account in ACCOUNTS}
        for at, event in arrivals:
            if at < START + (today + 1) * DAY:
                of[event.account].append(((event.at - START).days, event.user, event.type))
        knowns.append(Known(today, of))
    return [one for account in ACCOUNTS for one in _of_account(rule, account, knowns)]


def _of_account(rule: str, account: str, knowns: list[Known]) -> list[Episode]:
    found: list[Episode] = []
    fired: int | None = None
    well_since: int | None = None
    for known in knowns:
        day = known.today
        if fired is not None and well_since is not None and (day - well_since) * 86_400 > RECOVERY[rule]:
            # It was over in between two days' ends, or at the one before.
            over = START + (well_since + 1) * DAY + timedelta(seconds=RECOVERY[rule])
            found.append((account, _date(fired), (over - timedelta(microseconds=1)).date()))
            fired = well_since = None
        it_does = holds(rule, known, account)
        if fired is None:
            fired = day if it_does else None
            continue
        if it_does is False:
            well_since = day if well_since is None else well_since
            if (day - well_since) * 86_400 >= RECOVERY[rule]:
                found.append((account, _date(fired), _date(day)))
                fired = well_since = None
        else:
            well_since = None
    return [*found, *([(account, _date(fired), None)] if fired is not None else [])]


def _date(day: int) -> date:
    return (START + day * DAY).date()
