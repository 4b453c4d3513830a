"""Accounts about which nothing needs to be written: their rules' inputs are as they were when no rule fired.

Most changes leave the inputs of the rules alone; recognising them costs microseconds where a transaction costs milliseconds.
"""

from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime

from alerts.ports.records import Account, Definitions

MAX_REMEMBERED = 200_000


class CalmAccounts:
    """Bounded memory of one replica. It must forget an account whenever another replica may have decided about it."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[Hashable, datetime]] = OrderedDict()

    def is_calm(self, account: Account, definitions: Definitions, now: datetime) -> bool:
        known = self._known.get(account.account_id)
        return known is not None and now < known[1] and known[0] == _fingerprint(account, definitions)

    def add(self, account: Account, definitions: Definitions, until: datetime) -> None:
        self._known[account.account_id] = (_fingerprint(account, definitions), until)
        self._known.move_to_end(account.account_id)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)

    def discard(self, account_id: int) -> None:
        self._known.pop(account_id, None)

    def forget_all(self) -> None:
        self._known.clear()


def _fingerprint(account: Account, definitions: Definitions) -> Hashable:
    figures = account.figures
    inputs = tuple(str(figures.get(name)) for rule in definitions.rules.values() for name in rule.inputs)
    return (definitions.version, inputs, hash(repr(account.traits)))
