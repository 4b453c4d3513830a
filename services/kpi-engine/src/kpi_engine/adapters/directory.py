"""Names to numbers: tenants, accounts and people, remembered in bounded memory."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from common.catalogue import store
from common.catalogue.models import Catalogue
from kpi_engine.ports.connection import Connection

Key = TypeVar("Key", bound=Hashable)
REMEMBERED_ACCOUNTS = 100_000
REMEMBERED_PEOPLE = 150_000


class _Memory(Generic[Key]):
    """A bounded map; the oldest entries go first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[Key, int] = OrderedDict()

    def get(self, key: Key) -> int | None:
        return self._held.get(key)

    def put(self, key: Key, value: int) -> None:
        self._held[key] = value
        if len(self._held) > self._limit:
            self._held.popitem(last=False)

    def clear(self) -> None:
        self._held.clear()


class Directory:
    """Resolves names inside the batch's transaction. After a rollback call `clear`: what it learned may not exist."""

    def __init__(self) -> None:
        self._accounts: _Memory[tuple[int, str]] = _Memory(REMEMBERED_ACCOUNTS)
        self._people: _Memory[tuple[int, str]] = _Memory(REMEMBERED_PEOPLE)
        self._tenants: dict[str, int] = {}
        self._catalogues: dict[int, Catalogue] = {}
        self._versions: dict[int, int] = {}

    def clear(self) -> None:
        self._accounts.clear()
        self._people.clear()
        self._tenants.clear()

    def tenant(self, connection: Connection, slug: str) -> int | None:
        """Return a tenant's id, or None when there is no such tenant."""
        known = self._tenants.get(slug)
        if known is None:
            row = connection.execute("select id from control.tenant where slug = %s", (slug,)).fetchone()
            if row is None:
                return None
            known = self._tenants[slug] = int(row[0])
        return known

    def catalogue(self, connection: Connection, tenant_id: int) -> Catalogue | None:
        """Return the definitions in force, or None before the first `bellwether apply`."""
        known = self._catalogues.get(tenant_id)
        if known is None:
            known = store.current(connection, tenant_id)
            if known is not None:
                self._catalogues[tenant_id] = known
        return known

    def refresh_definitions(self, connection: Connection) -> list[tuple[int, int]]:
        """Look for new definition versions; returns (tenant, version) of those that are in force from now on."""
        rows = connection.execute(
            "select tenant_id, max(version) from control.definition group by 1"
        ).fetchall()
        changed = [(int(t), int(v)) for t, v in rows if self._versions.get(t) != v]
        for tenant_id, version in changed:
            self._versions[tenant_id] = version
            self._catalogues.pop(tenant_id, None)
        return changed

    def activated(
        self, connection: Connection, tenant_id: int, version: int, partition: int, offset: int
    ) -> None:
        """Note from which offset on a partition is read under a definition version."""
        connection.execute(
            """insert into engine.definition_activation (tenant_id, version, partition, from_offset)
               values (%s, %s, %s, %s) on conflict do nothing""",
            (tenant_id, version, partition, offset),
        )

    def homes(self, connection: Connection, account_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Return account -> (tenant, partition)."""
        rows = connection.execute(
            "select id, tenant_id, partition from engine.account where id = any(%s)", (list(account_ids),)
        )
        return {int(a): (int(t), int(p)) for a, t, p in rows}

    def accounts(
        self, connection: Connection, tenant_id: int, names: Sequence[str], partitions: Sequence[int]
    ) -> list[int]:
        """Return the ids of these accounts, new ones created. An empty name is the tenant itself: 0."""
        get = self._accounts.get
        out = [get((tenant_id, name)) if name else 0 for name in names]
        missing = {names[i]: partitions[i] for i, found in enumerate(out) if found is None}
        if missing:
            self._learn_accounts(connection, tenant_id, missing)
            out = [found if found is not None else get((tenant_id, names[i])) for i, found in enumerate(out)]
        return [_known(found) for found in out]

    def people(
        self, connection: Connection, tenant_id: int, account_ids: Sequence[int], names: Sequence[str | None]
    ) -> list[int]:
        """Return the ids of these people at their accounts, new ones created; 0 where nobody is named."""
        get = self._people.get
        out = [get((a, n)) if n else 0 for a, n in zip(account_ids, names, strict=True)]
        missing = {(account_ids[i], names[i] or "") for i, found in enumerate(out) if found is None}
        if missing:
            self._learn_people(connection, tenant_id, missing)
            out = [f if f is not None else get((account_ids[i], names[i] or "")) for i, f in enumerate(out)]
        return [_known(found) for found in out]

    def internal_people(self, connection: Connection, tenant_id: int) -> set[int]:
        """Return everyone marked as internal, who counts nowhere but in `events`."""
        rows = connection.execute(
            "select id from engine.person where tenant_id = %s and is_internal", (tenant_id,)
        )
        return {int(row[0]) for row in rows}

    def _learn_accounts(self, connection: Connection, tenant_id: int, missing: dict[str, int]) -> None:
        names = sorted(missing)
        rows = connection.execute(
            """with wanted as (select * from unnest(%s::text[], %s::int[]) as w(name, partition)),
                    made as (insert into engine.account (tenant_id, name, partition)
                             select %s, w.name, w.partition from wanted w
                             where not exists (select from engine.account a where a.tenant_id = %s and a.name = w.name)
                             on conflict do nothing returning id, name)
               select id, name from made
               union all
               select a.id, a.name from engine.account a join wanted w on a.tenant_id = %s and a.name = w.name""",
            (names, [missing[name] for name in names], tenant_id, tenant_id, tenant_id),
        )
        for account_id, name in rows:
            self._accounts.put((tenant_id, name), int(account_id))

    def _learn_people(
        self, connection: Connection, tenant_id: int, missing: Iterable[tuple[int, str]]
    ) -> None:
        pairs = sorted(missing)
        rows = connection.execute(
            """with wanted as (select * from unnest(%s::bigint[], %s::text[]) as w(account_id, name)),
                    made as (insert into engine.person (tenant_id, account_id, name)
                             select %s, w.account_id, w.name from wanted w
                             where not exists (select from engine.person p
                                               where p.account_id = w.account_id and p.name = w.name)
                             on conflict do nothing returning id, account_id, name)
               select id, account_id, name from made
               union all
               select p.id, p.account_id, p.name from engine.person p
               join wanted w on p.account_id = w.account_id and p.name = w.name""",
            ([a for a, _ in pairs], [n for _, n in pairs], tenant_id),
        )
        for person_id, account_id, name in rows:
            self._people.put((int(account_id), name), int(person_id))


def _known(found: int | None) -> int:
    assert found is not None, "a name that was just created is not there"
    return found
