"""The rows of a file beside the accounts that are known: staged in the database, so that order and size don't matter."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby, islice
from typing import Any, Final, LiteralString

from bellwether.imports.accounts import IS_CONTACT, Known, Said
from bellwether.imports.journal import Connection
from bellwether.imports.report import Line
from common.control.log import erasure_key, person_hash

# A row costs little; fewer round trips cost less.
_STAGED_AT_ONCE: Final = 2_000
# Rows of one account are read together.
_MOST_ROWS_OF_AN_ACCOUNT: Final = 1_000
_CREATE: Final[LiteralString] = """
create temporary table staged (
  account text collate "C" not null, line int not null, traits jsonb, people jsonb, primary key (account, line)
) on commit drop
"""
# traits null: a row that was refused; its account isn't missing in the file, and not everything of it was read.
_COPY: Final[LiteralString] = "copy staged (account, line, traits, people) from stdin"
_STAGED: Final[LiteralString] = """
select account, line, traits, people, unread from (
  select *, min(line) filter (where traits is null) over (partition by account) as unread from staged) as row
where traits is not null order by account, line
"""
# Families are followed over ten levels, so longer circles do no harm. Where nothing is said of an account, what is known holds.
_DOUBTS: Final[LiteralString] = """
create temporary table doubt on commit drop as
with recursive said as (
  select distinct on (account) account, traits ->> 'parent' as parent from staged
  where traits is not null order by account, line
), told as (
  select distinct on (t.account_id) a.account, t.value #>> '{}' as parent
  from published.trait t join published.account a on a.tenant_id = t.tenant_id and a.account_id = t.account_id
  where t.tenant_id = %(tenant)s and t.person_id = 0 and t.name = 'parent'
  order by t.account_id, t.at desc, t.source collate "C" desc, t.event_id collate "C" desc
), up as (
  select account, parent from said
  union all
  select account, parent from told where not exists (select from said s where s.account = told.account)
), walk as (
  select account, parent as at, 1 as level from said where parent is not null
  union all
  select w.account, u.parent, w.level + 1 from walk w join up u on u.account = w.at
  where w.at <> w.account and u.parent is not null and w.level < 10
)
select s.account, case
  when s.parent = s.account then 'the account is its own parent'
  when c.account is not null then 'its parents lead back to the account itself'
  else 'the parent is no account that is known or in the file' end as reason
from said s
left join (select distinct account from walk where at = account) c on c.account = s.account
left join (select distinct account from staged) o on o.account = s.parent
left join published.account a on a.tenant_id = %(tenant)s and a.account = s.parent
where c.account is not null or (s.parent is not null and o.account is null and a.account is null)
"""
_DOUBTED: Final[LiteralString] = "select account, reason from doubt where account = any(%s)"
# Accounts that stand for a person without a company are no customers of anybody's list.
_MISSING: Final[LiteralString] = """
select a.account from published.account a
where a.tenant_id = %(tenant)s and a.account not like 'user:%%'
  and not exists (select from staged s where s.account = a.account)
  and not exists (
    select from (
      select distinct on (t.account_id) t.account_id, t.value from published.trait t
      where t.tenant_id = %(tenant)s and t.person_id = 0 and t.name = 'closed'
      order by t.account_id, t.at desc, t.source collate "C" desc, t.event_id collate "C" desc) last
    where last.account_id = a.account_id and last.value = 'true'::jsonb)
order by a.account collate "C"
"""
# Of accounts that have just been loaded the statistics know nothing for a minute or two: a join of all of them, planned as one of a few,
# asks for each anew among all others, which takes hours for a hundred thousand. Other joins take seconds whatever is known.
_OF_ALL: Final[LiteralString] = "set local enable_nestloop = off"
_OF_SOME: Final[LiteralString] = "set local enable_nestloop = on"
_ACCOUNTS: Final[LiteralString] = (
    "select account, account_id from published.account where tenant_id = %(tenant)s and account = any(%(accounts)s)"
)
_PEOPLE: Final[LiteralString] = """
select p.account_id, p.person_id, p.person from published.person p
where p.tenant_id = %(tenant)s and p.account_id = any(%(ids)s) and (
  p.person = any(%(people)s) or exists (
    select from published.trait t where t.account_id = p.account_id and t.person_id = p.person_id and t.name = %(mark)s))
"""
_TRAITS: Final[LiteralString] = """
select distinct on (account_id, person_id, name) account_id, person_id, name, value, at from published.trait
where tenant_id = %(tenant)s and account_id = any(%(ids)s) and person_id = any(%(people)s)
order by account_id, person_id, name, at desc, source collate "C" desc, event_id collate "C" desc
"""
_ERASED: Final[LiteralString] = (
    "select person_hash from control.control_log where tenant_id = %s and kind = 'erasure'"
)
Told = dict[str, tuple[Any, datetime]]


class Staging:
    """Lives as long as the transaction it was made in."""

    def __init__(self, conn: Connection, tenant_id: int) -> None:
        self._conn, self._tenant_id = conn, tenant_id
        self._weighed = False
        conn.execute(_CREATE)

    def add(self, rows: Sequence[Said], refused: Mapping[int, str]) -> None:
        """`refused`: accounts of rows that can't be used, by line."""
        with self._conn.cursor() as cursor, cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row((row.account, row.line, json.dumps(row.traits), json.dumps(row.people)))
            for line, account in refused.items():
                copy.write_row((account, line, None, None))

    def accounts(self) -> Iterator[tuple[list[Said], Line | None]]:
        """The rows of each account in their order, and a line when there are too many of them."""
        with self._conn.cursor("staged_rows") as cursor:
            cursor.itersize = _STAGED_AT_ONCE
            cursor.execute(_STAGED)
            for _, group in groupby(cursor, key=lambda row: row[0]):
                yield self._rows_of(group)

    @staticmethod
    def _rows_of(group: Iterator[Any]) -> tuple[list[Said], Line | None]:
        some = [
            Said(line, account, traits, people, unread)
            for account, line, traits, people, unread in islice(group, _MOST_ROWS_OF_AN_ACCOUNT)
        ]
        beyond = next(group, None)
        if beyond is None:
            return some, None
        more = 1 + sum(1 for _ in group)
        reason = f"it has {more} more rows than the {_MOST_ROWS_OF_AN_ACCOUNT} that are read of one account"
        first = replace(some[0], unread=some[0].unread or beyond[1])
        return [first, *some[1:]], Line("refused", beyond[1], first.account, reason=reason)

    def weigh_parents(self) -> None:
        """To be called once, when every row is staged; then `doubts` tells."""
        self._conn.execute("analyze staged")  # nothing does so by itself for a temporary table
        self._conn.execute(_OF_ALL)
        self._conn.execute(_DOUBTS, {"tenant": self._tenant_id})
        self._conn.execute(_OF_SOME)
        self._weighed = True

    def doubts(self, said: Sequence[Said]) -> dict[str, str]:
        """What is strange about the parents of these accounts, by account; nothing before they were weighed."""
        if not self._weighed:
            return {}
        return dict(self._conn.execute(_DOUBTED, ([row.account for row in said],)).fetchall())

    def missing(self) -> Iterator[list[Line]]:
        """Known accounts that no row names, in batches."""
        with self._conn.cursor("missing_accounts") as cursor:
            cursor.itersize = _STAGED_AT_ONCE
            self._conn.execute(_OF_ALL)
            cursor.execute(_MISSING, {"tenant": self._tenant_id})
            self._conn.execute(_OF_SOME)
            while rows := cursor.fetchmany(_STAGED_AT_ONCE):
                yield [Line("missing", subject=row[0]) for row in rows]

    def is_erased(self) -> Callable[[str], bool]:
        """Tells by the hashes that are kept of them, never by their names."""
        rows = self._conn.execute(_ERASED, (self._tenant_id,)).fetchall()
        erased = frozenset(bytes(row[0]) for row in rows)
        key = erasure_key(self._conn)
        return lambda person: bool(erased) and person_hash(key, self._tenant_id, person) in erased

    def known(self, said: Sequence[Said]) -> dict[str, Known]:
        """What is known of these accounts: their traits, and those of people that are named or were marked as contacts."""
        params: dict[str, Any] = {
            "tenant": self._tenant_id,
            "accounts": [row.account for row in said],
            "mark": IS_CONTACT,
        }
        ids = dict(self._conn.execute(_ACCOUNTS, params).fetchall())
        params |= {"ids": list(ids.values()), "people": sorted({name for row in said for name in row.people})}
        people: dict[int, dict[int, str]] = defaultdict(dict)
        for account_id, person_id, person in self._conn.execute(_PEOPLE, params):
            people[account_id][person_id] = person
        params["people"] = [0, *(person_id for found in people.values() for person_id in found)]
        traits: dict[tuple[int, int], Told] = defaultdict(dict)
        for account_id, person_id, name, value, at in self._conn.execute(_TRAITS, params):
            traits[account_id, person_id][name] = value, at
        return {
            account: Known(
                exists=True,
                traits=traits[account_id, 0],
                people={
                    name: traits[account_id, person_id] for person_id, name in people[account_id].items()
                },
            )
            for account, account_id in ids.items()
        }
