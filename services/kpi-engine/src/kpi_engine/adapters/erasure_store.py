"""Erasing a person in one partition: wherever the name stands a token replaces it, and what is counted stays as it is."""

from collections.abc import Sequence
from typing import LiteralString

import msgspec
import numpy as np

from common.contracts.bodies import pack_bodies, unpack_bodies
from common.control.log import erasure_key, person_hash
from kpi_engine.adapters.arrays import Int8s, int8s
from kpi_engine.domain.decode import identified
from kpi_engine.domain.erasing import (
    USER_ACCOUNT,
    decoded,
    encoded,
    erased_account,
    erased_event,
    erased_labels,
    erased_trait,
    erased_value,
)
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.control import Entry

_PEOPLE = """
select p.id, p.account_id, p.name from engine.person p join engine.account a on a.id = p.account_id
where a.tenant_id = %(tenant)s and a.partition = %(partition)s
union all select id, account_id, name from engine.person where tenant_id = %(tenant)s and account_id = 0 and %(own)s
"""
_USER_ACCOUNTS = """
select id, name from engine.account where tenant_id = %(tenant)s and partition = %(partition)s and starts_with(name, %(prefix)s)
"""
# Where a refused erasure left the name, later events of it may have got the token already: two people then, who can't become one.
_RENAME_PEOPLE = """
update engine.person p set name = %(token)s || case when exists (
  select from engine.person o where o.account_id = p.account_id and o.name = %(token)s) then '-' || p.id else '' end
where id = any(%(people)s)
"""
_RENAME_ACCOUNT = """
update engine.account set name = %(name)s || case when exists (
  select from engine.account o where o.tenant_id = %(tenant)s and o.name = %(name)s) then '-' || id else '' end
where id = %(account)s
"""
# What events name, as it is stored beside them.
_NAMED: tuple[tuple[LiteralString, LiteralString], ...] = (
    ("answer", "survey"),
    ("answer", "wave"),
    ("answer", "comment"),
    ("subscription_change", "subscription"),
    ("subscription_change", "product"),
    ("subscription_change", "reason"),
    ("renewal", "subscription"),
    ("further_risk", "subscription"),
    ("step", "step"),
    ("trait", "name"),
)
_CHUNKS = """
select chunk_id, arrived_at, array_send(person_ids), array_send(account_ids), bodies from engine.raw_chunk
where tenant_id = %(tenant)s and accounts && %(accounts)s order by chunk_id for update
"""


_OTHERS_LEFT = """
select exists (
  select from engine.progress r
  left join engine.control_progress p on p.tenant_id = %(tenant)s and p.partition = r.partition
  where r.topic = %(topic)s and r.partition <> %(partition)s and coalesce(p.seq, 0) < %(seq)s
)
"""


class ErasureStore:
    """Erasures port on PostgreSQL."""

    def erase(
        self, connection: Connection, entry: Entry, topic: str, *, own: bool
    ) -> tuple[set[int], dict[str, int]]:
        return _Erasure(connection, entry, topic, erasure_key(connection), own=own).run()


class _Erasure:
    def __init__(self, connection: Connection, entry: Entry, topic: str, key: bytes, *, own: bool) -> None:
        self._connection, self._entry, self._topic, self._key = connection, entry, topic, key
        self._place = {"tenant": entry.tenant_id, "partition": entry.partition, "own": own}
        self._known: dict[str, str | None] = {}

    def token_of(self, name: str) -> str | None:
        if name not in self._known:
            same = person_hash(self._key, self._entry.tenant_id, name) == self._entry.person_hash
            self._known[name] = self._entry.token if same else None
        return self._known[name]

    def run(self) -> tuple[set[int], dict[str, int]]:
        people, accounts = self._people()
        counts = {"people": self._rename(people)}
        accounts |= self._user_accounts()
        counts["raw_events"] = self._raw_events(people, accounts)
        counts["traits"] = self._traits(people, accounts)
        counts["comments"] = self._comments(people)
        counts["steps"] = self._steps(people, accounts)
        counts["named"] = sum(self._named(table, column, accounts) for table, column in _NAMED)
        counts["kept_events"] = self._kept_events()
        if self._is_last():
            counts["rejected"] = self._of_tenant()
        return accounts - {0}, {name: count for name, count in counts.items() if count}

    def _people(self) -> tuple[list[int], set[int]]:
        people, accounts = [], set()
        with self._connection.cursor(name="people") as cursor:
            cursor.itersize = 5_000
            cursor.execute(_PEOPLE, self._place)
            for person, account, name in cursor:
                if self.token_of(name) is not None:
                    people.append(person)
                    accounts.add(account)
                elif len(self._known) > 10_000:
                    self._known.clear()
        return people, accounts

    def _rename(self, people: Sequence[int]) -> int:
        return self._connection.execute(
            _RENAME_PEOPLE, {"token": self._entry.token, "people": list(people)}
        ).rowcount

    def _user_accounts(self) -> set[int]:
        renamed = set()
        for account, name in self._connection.execute(
            _USER_ACCOUNTS, {**self._place, "prefix": USER_ACCOUNT}
        ).fetchall():
            erased = erased_account(name, self.token_of)
            if erased != name:
                self._connection.execute(_RENAME_ACCOUNT, {**self._place, "name": erased, "account": account})
                renamed.add(account)
        return renamed

    def _raw_events(self, people: Sequence[int], accounts: set[int]) -> int:
        """All events of the accounts: others may name the person too."""
        rewritten = 0
        wanted = np.array(sorted(accounts), np.int64)
        parameters = {"tenant": self._entry.tenant_id, "accounts": Int8s(wanted)}
        for chunk, arrived_at, persons, owners, packed in (
            self._connection.execute(_CHUNKS, parameters, binary=True).fetchall() if accounts else ()
        ):
            mine = np.isin(int8s(owners), wanted) | np.isin(int8s(persons), list(people))
            before = unpack_bodies(packed)
            after = [
                erased_event(body, self.token_of) if chosen else body
                for body, chosen in zip(before, mine.tolist(), strict=True)
            ]
            changed = sum(one is not other for one, other in zip(before, after, strict=True))
            if changed:
                rewritten += changed
                self._connection.execute(
                    "update engine.raw_chunk set bodies = %s where chunk_id = %s and arrived_at = %s",
                    (pack_bodies(after), chunk, arrived_at),
                )
        return rewritten

    def _traits(self, people: Sequence[int], accounts: set[int]) -> int:
        rows = self._connection.execute(
            """select account_id, person_id, name, at, source, event_id, value::text from engine.trait
               where account_id = any(%s) and (person_id = any(%s) or jsonb_typeof(value) in ('string', 'array', 'object'))""",
            (sorted(accounts), list(people)),
        ).fetchall()
        changed = 0
        for *key, text in rows:
            value = decoded(text)
            own = key[1] in people
            erased = (
                erased_trait(key[2], value, self._entry.token) if own else erased_value(value, self.token_of)
            )
            if erased != value:
                changed += self._connection.execute(
                    """update engine.trait set value = %s::jsonb where account_id = %s and person_id = %s and name = %s and at = %s
                       and source = %s and event_id = %s""",
                    (encoded(erased), *key),
                ).rowcount
        return changed

    def _comments(self, people: Sequence[int]) -> int:
        return self._connection.execute(
            "update engine.answer set comment = %s where person_id = any(%s) and comment is not null",
            (self._entry.token, list(people)),
        ).rowcount

    def _named(self, table: LiteralString, column: LiteralString, accounts: set[int]) -> int:
        wanted = sorted(accounts)
        rows = self._connection.execute(
            f"select distinct {column} from engine.{table} where tenant_id = %s and account_id = any(%s) and {column} is not null",
            (self._entry.tenant_id, wanted),
        ).fetchall()
        return sum(
            self._connection.execute(
                f"update engine.{table} set {column} = %s where tenant_id = %s and account_id = any(%s) and {column} = %s",
                (self._entry.token, self._entry.tenant_id, wanted, name),
            ).rowcount
            for (name,) in rows
            if self.token_of(name) is not None
        )

    def _steps(self, people: Sequence[int], accounts: set[int]) -> int:
        """What cases are called, of several texts together a list, and what their events say of them."""
        rows = self._connection.execute(
            """select measure_id, account_id, entity, step, at, source, event_id, person_id, labels::text from engine.step
               where tenant_id = %s and account_id = any(%s)""",
            (self._entry.tenant_id, sorted(accounts)),
        ).fetchall()
        changed = 0
        for *key, person, text in rows:
            labels = None if text is None else msgspec.json.decode(text)
            entity = self._entity(key[2])
            own = self._entry.token if person in people else None
            erased = None if labels is None else erased_labels(labels, self.token_of, own)
            if (entity, erased) != (key[2], labels):
                changed += self._connection.execute(
                    """update engine.step set entity = %s, labels = %s::jsonb where measure_id = %s and account_id = %s and entity = %s and step = %s
                       and at = %s and source = %s and event_id = %s""",
                    (entity, None if erased is None else msgspec.json.encode(erased).decode(), *key),
                ).rowcount
        return changed

    def _entity(self, entity: str) -> str:
        if entity[:1] != "[":
            return self.token_of(entity) or entity
        try:
            texts = msgspec.json.decode(entity, type=list[str | None])
        except msgspec.DecodeError:
            return self.token_of(entity) or entity
        erased = [(self.token_of(text) or text) if text else text for text in texts]
        return entity if erased == texts else msgspec.json.encode(erased).decode()

    def _kept_events(self) -> int:
        """Events that wait in backfills, and that backfills displaced."""
        connection, entry = self._connection, self._entry
        changed = self._rewrite(
            "select identity, displaced from engine.backfill_id where partition = %s and tenant_id = %s and displaced is not null",
            (entry.partition, entry.tenant_id),
            "update engine.backfill_id set displaced = %s where identity = %s and displaced is not null",
        )
        staged = connection.execute(
            """select backfill_id, "offset", ingested_at_us, bodies, entries is null from engine.staged where tenant_id = %s and partition = %s""",
            (entry.tenant_id, entry.partition),
        ).fetchall()
        for backfill, offset, stamp, packed, of_bodies in staged:
            before = unpack_bodies(bytes(packed))
            after = [erased_event(body, self.token_of) for body in before]
            if different := sum(one is not other for one, other in zip(before, after, strict=True)):
                changed += different
                # Events stay who they are: the changed bodies would tell of others.
                who = identified(entry.tenant, stamp, before).tobytes() if of_bodies else None
                connection.execute(
                    """update engine.staged set bodies = %s, entries = coalesce(%s, entries)
                       where backfill_id = %s and partition = %s and "offset" = %s and ingested_at_us = %s""",
                    (pack_bodies(after), who, backfill, entry.partition, offset, stamp),
                )
        return changed

    def _is_last(self) -> bool:
        """Whether every other partition has erased: until then they may still write the name. One after the other asks."""
        key = {"tenant": self._entry.tenant_id, "seq": self._entry.seq}
        self._connection.execute(
            "select from control.control_log where tenant_id = %(tenant)s and seq = %(seq)s for update", key
        )
        row = self._connection.execute(
            _OTHERS_LEFT, {**key, "topic": self._topic, "partition": self._entry.partition}
        ).fetchone()
        return row == (False,)

    def _of_tenant(self) -> int:
        """What is kept by tenant and not by account."""
        tenant = (self._entry.tenant_id,)
        changed = self._rewrite(
            "select id, body from engine.rejected where tenant_id = %s",
            tenant,
            "update engine.rejected set body = %s where id = %s",
        )
        changed += self._rewrite(
            "select ctid::text, convert_to(body, 'UTF8') from engine.conflict where tenant_id = %s",
            tenant,
            "update engine.conflict set body = convert_from(%s, 'UTF8') where ctid = %s::tid",
        )
        changed += self._rewrite(
            "select ctid::text, convert_to(body, 'UTF8') from engine.superseded_event where tenant_id = %s",
            tenant,
            "update engine.superseded_event set body = convert_from(%s, 'UTF8') where ctid = %s::tid",
        )
        # The one change that the control log ever sees.
        changed += self._rewrite(
            "select seq, convert_to(body, 'UTF8') from control.control_log where tenant_id = %s and body is not null",
            tenant,
            f"update control.control_log set body = convert_from(%s, 'UTF8') where seq = %s and tenant_id = {int(tenant[0])}",
        )
        return changed + self._names_of_user_accounts() + self._fates()

    def _fates(self) -> int:
        """The live view's last events name accounts."""
        changed = 0
        for seq, fates in self._connection.execute(
            "select seq, fates from engine.fate where tenant_id = %s", (self._entry.tenant_id,)
        ).fetchall():
            erased = [
                {**fate, "account": fate["account"] and erased_account(fate["account"], self.token_of)}
                for fate in fates
            ]
            if erased != fates:
                changed += self._connection.execute(
                    "update engine.fate set fates = %s::jsonb where tenant_id = %s and seq = %s",
                    (msgspec.json.encode(erased).decode(), self._entry.tenant_id, seq),
                ).rowcount
        return changed

    def _names_of_user_accounts(self) -> int:
        """Rejected events, conflicts and corrections also name the account of such events by the person."""
        changed = 0
        for table in ("engine.rejected", "engine.conflict", "control.control_log"):
            named = self._connection.execute(
                f"select distinct account from {table} where tenant_id = %s and starts_with(account, %s)",
                (self._entry.tenant_id, USER_ACCOUNT),
            ).fetchall()
            for (account,) in named:
                erased = erased_account(account, self.token_of)
                if erased != account:
                    changed += self._connection.execute(
                        f"update {table} set account = %s where tenant_id = %s and account = %s",
                        (erased, self._entry.tenant_id, account),
                    ).rowcount
        return changed

    def _rewrite(self, select: LiteralString, parameters: Sequence[object], update: str) -> int:
        changed = 0
        for key, body in self._connection.execute(select, parameters).fetchall():
            before = bytes(body)
            after = erased_event(before, self.token_of)
            if after is not before:
                changed += self._connection.execute(update.encode(), (after, key)).rowcount
        return changed
