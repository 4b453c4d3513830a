"""Results of a peer in PostgreSQL: a row per account and hour, a row per account and day, in one statement each."""

from collections.abc import Mapping, Sequence

import psycopg

TABLES = """
create table result_hour (account text, hour bigint, events bigint not null, total bigint not null,
                          primary key (account, hour)) with (fillfactor = 80);
create table result_day (account text, day bigint, people bigint not null, primary key (account, day)) with (fillfactor = 80);
create table result_person (account text, day bigint, person text, primary key (account, day, person));
create table read_until (partition int primary key, next_offset bigint not null);
create table written (writer text primary key, at timestamptz not null);
"""

SET_HOURS = """insert into result_hour select * from unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
on conflict (account, hour) do update set events = excluded.events, total = excluded.total"""
ADD_HOURS = """insert into result_hour as r select * from unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
on conflict (account, hour) do update set events = r.events + excluded.events, total = r.total + excluded.total"""
SET_DAYS = """insert into result_day select * from unnest(%s::text[], %s::bigint[], %s::bigint[])
on conflict (account, day) do update set people = excluded.people"""
ADD_PEOPLE = """with new as (insert into result_person select * from unnest(%s::text[], %s::bigint[], %s::text[])
                on conflict do nothing returning account, day)
insert into result_day as r select account, day, count(*) from new group by 1, 2
on conflict (account, day) do update set people = r.people + excluded.people"""
SET_OFFSETS = """insert into read_until select * from unnest(%s::int[], %s::bigint[])
on conflict (partition) do update set next_offset = excluded.next_offset"""
NOTE = """insert into written values (%s, clock_timestamp())
on conflict (writer) do update set at = excluded.at"""

Hours = Mapping[tuple[str, int], Sequence[int]]
Days = Mapping[tuple[str, int], int]


class Results:
    """One connection; every call is one transaction. Rows go in order of their key."""

    def __init__(self, url: str, writer: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._writer = writer

    def set(self, hours: Hours, days: Days) -> None:
        """Figures as they are now, in place of what they were."""
        with self._connection.transaction():
            self._connection.execute(SET_HOURS, _columns(hours))
            accounts, of, people = [], [], []
            for (account, day), number in sorted(days.items()):
                accounts.append(account)
                of.append(day)
                people.append(number)
            self._connection.execute(SET_DAYS, (accounts, of, people))
            self._connection.execute(NOTE, (self._writer,))

    def add(self, hours: Hours, people: Sequence[tuple[str, int, str]], offsets: Mapping[int, int]) -> None:
        """Figures to be added, people not seen before that day, and how far the topic is read with them."""
        with self._connection.transaction():
            self._connection.execute(ADD_HOURS, _columns(hours))
            if people:
                self._connection.execute(
                    ADD_PEOPLE, [list(column) for column in zip(*sorted(people), strict=True)]
                )
            self._connection.execute(SET_OFFSETS, (list(offsets), list(offsets.values())))
            self._connection.execute(NOTE, (self._writer,))


def _columns(hours: Hours) -> tuple[list[str], list[int], list[int], list[int]]:
    ordered = sorted(hours.items())
    return (
        [account for (account, _), _ in ordered],
        [hour for (_, hour), _ in ordered],
        [figures[0] for _, figures in ordered],
        [figures[1] for _, figures in ordered],
    )
