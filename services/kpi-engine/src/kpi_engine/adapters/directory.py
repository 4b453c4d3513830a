"""Names to numbers: tenants, accounts and people, remembered in bounded memory."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import cast

import numpy as np
import numpy.typing as npt

from common.catalogue import store
from common.catalogue.models import Catalogue
from kpi_engine.adapters.arrays import Int8s, Words, int8s
from kpi_engine.domain.batch import NOBODY_NEW, Pending
from kpi_engine.domain.known_people import KnownPeople, hashes
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.stores import People

Int64s = npt.NDArray[np.int64]
REMEMBERED_ACCOUNTS = 100_000
_UNKNOWN = -1


class _Accounts:
    """Ids of accounts by name, a tenant's beside each other. Full, it forgets everything: a plain map of half the size of one that
    knows who came first."""

    def __init__(self) -> None:
        self._tenants: dict[int, dict[str, int]] = {}
        self._count = 0

    def of(self, tenant_id: int) -> dict[str, int]:
        """Those of a tenant; an empty name is the tenant itself: 0."""
        return self._tenants.setdefault(tenant_id, {"": 0})

    def learn(self, tenant_id: int, learned: Mapping[str, int]) -> None:
        if self._count + len(learned) > REMEMBERED_ACCOUNTS:
            self.clear()
        self._count += len(learned)
        self.of(tenant_id).update(learned)

    def clear(self) -> None:
        self._tenants.clear()
        self._count = 0


class Directory:
    """Resolves names inside the batch's transaction. After a rollback call `clear`: what it learned may not exist."""

    def __init__(self) -> None:
        self._accounts = _Accounts()
        self._people = KnownPeople()
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
    ) -> Int64s:
        """Return the ids of these accounts, new ones created. An empty name is the tenant itself: 0."""
        known = self._accounts.of(tenant_id)
        found = np.fromiter(map(known.get, names, repeat(_UNKNOWN)), np.int64, len(names))
        missing = np.flatnonzero(found == _UNKNOWN).tolist()
        if missing:
            wanted = {names[i]: int(partitions[i]) for i in missing}
            learned = self._learn_accounts(connection, tenant_id, wanted)
            found[missing] = [learned[names[i]] for i in missing]
        return found

    def people(
        self, connection: Connection, tenant_id: int, account_ids: Int64s, names: Sequence[str | None]
    ) -> People:
        """Return the ids of these people at their accounts, new ones created; 0 where nobody is named."""
        found = self._people.find(_standing(tenant_id, account_ids), hashes(names))
        named = np.fromiter(map(bool, names), np.bool_, len(names))
        found[~named] = 0
        missing = np.flatnonzero((found == 0) & named).tolist()
        if not missing:
            return People(found, NOBODY_NEW)
        keys = [(int(account_ids[i]), cast("str", names[i])) for i in missing]
        learned, new_from = self._learn_people(connection, tenant_id, set(keys))
        found[missing] = [learned[key] for key in keys]
        return People(found, new_from)

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
                             on conflict do nothing returning id, name),
                    back as (update engine.account a set gone_at = null, created_at = now() from wanted w
                             where a.tenant_id = %s and a.name = w.name and a.gone_at is not null)
               select id, name from made
               union all
               select a.id, a.name from engine.account a join wanted w on a.tenant_id = %s and a.name = w.name""",
            (Words(names), Int8s(partitions), tenant_id, tenant_id, tenant_id, tenant_id),
        )
        learned = {name: int(account_id) for account_id, name in rows}
        self._accounts.learn(tenant_id, learned)
        return learned

    def _learn_people(
        self, connection: Connection, tenant_id: int, missing: Iterable[tuple[int, str]]
    ) -> tuple[dict[tuple[int, str], int], int]:
        pairs = sorted(missing)
        account_ids, names = zip(*pairs, strict=True)
        accounts = np.array(account_ids, np.int64)
        # Nobody else makes people of our accounts while we hold their partition.
        row = connection.execute(
            """with wanted as materialized (
                 select n, account_id, w.name, (select p.id from engine.person p where p.account_id = w.account_id and p.name = w.name and p.tenant_id = %s) as id
                 from unnest(%s::bigint[], %s::text[]) with ordinality as w(account_id, name, n)
               ), made as (
                 insert into engine.person (tenant_id, account_id, name)
                 select %s, account_id, name from wanted where id is null returning id, account_id, name
               )
               select array_send(array_agg(coalesce(w.id, m.id) order by w.n)), min(m.id)
               from wanted w left join made m using (account_id, name)""",
            (tenant_id, Int8s(accounts), Words(names), tenant_id),
            binary=True,
        ).fetchone()
        assert row is not None
        ids, new_from = int8s(row[0]), row[1]
        self._people.put(_standing(tenant_id, accounts), hashes(names), ids)
        return dict(zip(pairs, ids.tolist(), strict=True)), NOBODY_NEW if new_from is None else new_from


def _standing(tenant_id: int, account_ids: Int64s) -> Int64s:
    """Where people stand: the number of their account, and another one for each tenant's own, who have none."""
    return np.where(account_ids == 0, -1 - tenant_id, account_ids)
