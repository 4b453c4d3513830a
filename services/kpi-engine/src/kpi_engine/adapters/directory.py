"""Names to numbers: tenants, accounts and people, remembered in bounded memory."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from common.catalogue import store
from common.catalogue.models import Catalogue
from kpi_engine.adapters.arrays import Int8s, Words
from kpi_engine.domain.batch import NOBODY_NEW, Pending
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.stores import People

Int64s = npt.NDArray[np.int64]
Key = TypeVar("Key", bound=Hashable)
REMEMBERED_ACCOUNTS = 100_000
REMEMBERED_PEOPLE = 120_000


class _Memory(dict[Key, int]):
    """A bounded map. Full, it forgets everything: a plain map of half the size of one that knows who came first."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def put(self, key: Key, value: int) -> None:
        if len(self) >= self._limit:
            self.clear()
        self[key] = value


class Directory:
    """Resolves names inside the batch's transaction. After a rollback call `clear`: what it learned may not exist."""

    def __init__(self) -> None:
        self._accounts: _Memory[tuple[int, str]] = _Memory(REMEMBERED_ACCOUNTS)
        self._people: _Memory[tuple[int, str | None]] = _Memory(REMEMBERED_PEOPLE)
        self._tenants: dict[str, int] = {}
        self._catalogues: dict[int, Catalogue] = {}
        self._versions: dict[int, tuple[int | None, int | None]] = {}  # in force, pending
        self._pending: dict[int, Pending] = {}

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
        """Return the definitions in force, or None before the first `bellwether apply`.

        They are those of the last refresh, so that what is in force and what is pending never overlap.
        """
        known = self._catalogues.get(tenant_id)
        if known is None:
            version, _ = self._versions.get(tenant_id, (None, None))
            version = version or store.current_version(connection, tenant_id)
            known = None if version is None else store.at_version(connection, tenant_id, version)
            if known is not None:
                self._catalogues[tenant_id] = known
        return known

    def remembered(self, slug: str) -> tuple[int, Catalogue] | None:
        """Return a tenant's id and definitions without asking the database; None where they aren't known."""
        tenant_id = self._tenants.get(slug)
        known = None if tenant_id is None else self._catalogues.get(tenant_id)
        return None if tenant_id is None or known is None else (tenant_id, known)

    def pending(self) -> Mapping[int, Pending]:
        """Return the next version of each tenant that has one which is not yet in force."""
        return self._pending

    def refresh_definitions(self, connection: Connection) -> list[tuple[int, int]]:
        """Look for new definition versions; returns (tenant, version) of those that are in force or pending from now on."""
        rows = connection.execute(
            """select tenant_id, max(version) filter (where served), min(version) filter (where not ready)
               from published.definition group by 1"""
        ).fetchall()
        found = {int(tenant): (served, pending) for tenant, served, pending in rows}
        changed = {t: versions for t, versions in found.items() if self._versions.get(t) != versions}
        news = []
        for tenant_id, (served, pending) in changed.items():
            before, _ = self._versions.get(tenant_id, (None, None))
            self._versions[tenant_id] = (served, pending)
            if served != before:
                self._catalogues.pop(tenant_id, None)
                news.append((tenant_id, int(served)))
            self._pending.pop(tenant_id, None)
            if pending is not None:
                catalogue = store.at_version(connection, tenant_id, pending)
                assert catalogue is not None
                self._pending[tenant_id] = Pending(int(pending), catalogue)
                news.append((tenant_id, int(pending)))
        return news

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
        self, connection: Connection, tenant_id: int, names: Sequence[str], partitions: Int64s
    ) -> list[int]:
        """Return the ids of these accounts, new ones created. An empty name is the tenant itself: 0."""
        found = list(map(self._accounts.get, zip(repeat(tenant_id), names)))
        if None not in found:
            return cast("list[int]", found)
        missing = [i for i, known in enumerate(found) if known is None]
        wanted = {names[i]: int(partitions[i]) for i in missing if names[i]}
        learned = self._learn_accounts(connection, tenant_id, wanted) if wanted else {}
        for i in missing:
            found[i] = learned[names[i]] if names[i] else 0
        return [known or 0 for known in found]

    def people(
        self, connection: Connection, tenant_id: int, account_ids: Sequence[int], names: Sequence[str | None]
    ) -> People:
        """Return the ids of these people at their accounts, new ones created; 0 where nobody is named."""
        found = list(map(self._people.get, zip(account_ids, names, strict=True)))
        missing = [i for i, known in enumerate(found) if known is None]
        wanted = {(account_ids[i], name) for i in missing if (name := names[i])}
        learned, new_from = self._learn_people(connection, tenant_id, wanted) if wanted else ({}, NOBODY_NEW)
        for i in missing:
            name = names[i]
            found[i] = learned[account_ids[i], name] if name else 0
        return People([known or 0 for known in found], new_from)

    def internal_people(self, connection: Connection, tenant_id: int) -> set[int]:
        """Return everyone marked as internal, who counts nowhere but in `events`."""
        rows = connection.execute(
            "select id from engine.person where tenant_id = %s and is_internal", (tenant_id,)
        )
        return {int(row[0]) for row in rows}

    def _learn_accounts(
        self, connection: Connection, tenant_id: int, missing: dict[str, int]
    ) -> dict[str, int]:
        names = sorted(missing)
        partitions = np.array([missing[name] for name in names], np.int64)
        rows = connection.execute(
            """with wanted as (select * from unnest(%s::text[], %s::int8[]) as w(name, partition)),
                    made as (insert into engine.account (tenant_id, name, partition)
                             select %s, w.name, w.partition from wanted w
                             where not exists (select from engine.account a where a.tenant_id = %s and a.name = w.name)
                             on conflict do nothing returning id, name)
               select id, name from made
               union all
               select a.id, a.name from engine.account a join wanted w on a.tenant_id = %s and a.name = w.name""",
            (Words(names), Int8s(partitions), tenant_id, tenant_id, tenant_id),
        )
        learned = {name: int(account_id) for account_id, name in rows}
        for name, account_id in learned.items():
            self._accounts.put((tenant_id, name), account_id)
        return learned

    def _learn_people(
        self, connection: Connection, tenant_id: int, missing: Iterable[tuple[int, str]]
    ) -> tuple[dict[tuple[int, str], int], int]:
        pairs = sorted(missing)
        accounts, names = zip(*pairs, strict=True)
        # Nobody else makes people of our accounts while we hold their partition.
        rows = connection.execute(
            """with wanted as materialized (
                 select w.account_id, w.name, (select p.id from engine.person p where p.account_id = w.account_id and p.name = w.name) as id
                 from unnest(%s::bigint[], %s::text[]) as w(account_id, name)
               ), made as (
                 insert into engine.person (tenant_id, account_id, name)
                 select %s, account_id, name from wanted where id is null returning id, account_id, name
               )
               select id, account_id, name, true from made
               union all
               select id, account_id, name, false from wanted where id is not null""",
            (Int8s(np.array(accounts, np.int64)), Words(names), tenant_id),
            binary=True,
        ).fetchall()
        learned = {(account_id, name): person_id for person_id, account_id, name, _ in rows}
        for key, person_id in learned.items():
            self._people.put(key, person_id)
        return learned, min((person_id for person_id, _, _, made in rows if made), default=NOBODY_NEW)
