"""Which accounts changes touched: with their figures, by name where they are too many at once, and those of which nothing is left."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from api_gateway.domain.records import AccountRow, Change
from api_gateway.ports.accounts import AccountReader

# Beyond this many accounts at once, figures are read of those only that have new ones, of so many at most.
MOST_WITH_FIGURES = 500
MOST_WITH_NEW_FIGURES = 1_000


@dataclass(frozen=True, slots=True)
class Told:
    """Accounts with their figures, the external ids of all others, and of those that are gone."""

    rows: Sequence[AccountRow] = ()
    names: Sequence[str] = ()
    gone: Sequence[str] = ()


def changed(accounts: AccountReader, tenant_id: int, changes: Iterable[Change]) -> Told:
    """Read the accounts that one tenant's changes touched, each once."""
    ids: set[int] = set()
    computed: set[int] = set()
    for change in changes:
        ids.update(change.account_ids)
        computed.update(change.computed_ids)
    whole = sorted(ids if len(ids) <= MOST_WITH_FIGURES else computed)[:MOST_WITH_NEW_FIGURES]
    rest = sorted(ids.difference(whole))
    rows = accounts.by_ids(tenant_id, whole) if whole else ()
    names = accounts.names(tenant_id, rest) if rest else ()
    # Accounts seldom go; they are looked for only where some of those named are not found.
    is_whole = len(rows) + len(names) == len(ids)
    return Told(rows, names, () if is_whole else accounts.gone(tenant_id, sorted(ids)))
