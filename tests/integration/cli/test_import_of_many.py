"""An import of accounts that have just been loaded, of which the database has no statistics yet."""

import psycopg
import pytest

from bellwether.imports.accounts import Said
from bellwether.imports.directory import Staging

MANY = 20_000
# How long joins take that ask for each of so many anew among all others is minutes, of others tenths of a second.
LIMIT = "set statement_timeout = '20s'"
ACCOUNTS = """
insert into engine.account (tenant_id, name, partition) select %(tenant)s, 'a' || i, 0 from generate_series(1, %(count)s) i
"""
# A tree of ten below each, and every third account was closed once, every ninth is.
TRAITS = """
insert into engine.trait (tenant_id, account_id, person_id, name, at, source, event_id, value)
select tenant_id, id, 0, made.name, now() - made.ago, 's', made.name, made.value
from engine.account cross join lateral (
  values ('parent', interval '1 day', to_jsonb('a' || substr(account.name, 2)::int / 10)),
    ('closed', interval '2 days', to_jsonb(substr(account.name, 2)::int %% 3 = 0)),
    ('closed', interval '1 day', to_jsonb(substr(account.name, 2)::int %% 9 = 0))) made (name, ago, value)
where tenant_id = %(tenant)s
on conflict do nothing
"""


def load(conn: psycopg.Connection[tuple[object, ...]], tenant: int, count: int) -> None:
    for statement in (ACCOUNTS, TRAITS):
        conn.execute(statement, {"tenant": tenant, "count": count})


@pytest.mark.parametrize("named", [MANY, 10])
def test_an_import_does_not_wait_for_statistics(postgres_url: str, named: int) -> None:
    """The database took a hundred thousand new accounts for one, and a sync that came right after their load for hours to tell who is missing."""
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        for table in ("account", "trait"):
            conn.execute(f"alter table engine.{table} set (autovacuum_enabled = false)")
        load(conn, 1, 100)
        conn.execute("analyze engine.account, engine.trait")
        load(conn, 2, MANY)
    with psycopg.connect(postgres_url) as conn:
        conn.execute(LIMIT)
        staging = Staging(conn, 2)
        said = [
            Said(line, f"a{line}", {"parent": f"a{line // 10 or line}"}, {}, None)
            for line in range(1, named + 1)
        ]
        staging.add(said, {})
        staging.weigh_parents()
        assert staging.doubts(said) == {f"a{line}": "the account is its own parent" for line in range(1, 10)}
        missing = {line.subject for lines in staging.missing() for line in lines}
        assert missing == {f"a{number}" for number in range(named + 1, MANY + 1) if number % 9}
