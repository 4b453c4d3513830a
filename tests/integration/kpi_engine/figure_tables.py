"""All tables of figures of a database, by names instead of numbers, so that two states can be compared cell for cell."""

from typing import Any

import psycopg

TABLES = (
    "measure_hour",
    "measure_day",
    "total_hour",
    "total_day",
    "presence",
    "answer",
    "subscription_change",
    "mrr_change",
    "trait",
    "step",
    "first_step",
    "last_value",
    "account_seen",
)


def figure_tables(connection: psycopg.Connection[Any], tenant_id: int | None = None) -> dict[str, set[str]]:
    """Rows as text, of one tenant or all; cells that are 0 are left out, because nothing is the same as 0."""
    return {table: _rows(connection, table, tenant_id) for table in TABLES}


def _rows(connection: psycopg.Connection[Any], table: str, tenant_id: int | None) -> set[str]:
    columns = {
        name
        for (name,) in connection.execute(
            "select column_name from information_schema.columns where table_schema = 'engine' and table_name = %s", (table,)
        )
    }  # fmt: skip
    names = ["''"]
    joins = []
    if "account_id" in columns:
        names.append("coalesce(a.name, '')")
        joins.append("left join engine.account a on a.id = t.account_id")
    if "person_id" in columns:
        names.append("coalesce(p.name, t.person_id::text)")
        joins.append("left join engine.person p on p.id = t.person_id")
    if "measure_id" in columns:
        names.append("m.name")
        joins.append("join engine.measure m on m.id = t.measure_id")
    where = "where %s::int in (0, t.tenant_id)" + (
        " and t.value <> 0" if table.startswith(("measure", "total")) else ""
    )
    named = " || '|' || ".join(names)
    row = f"(to_jsonb(t) - 'tenant_id' - 'account_id' - 'person_id' - 'measure_id')::text || '|' || {named}"
    statement = f"select {row} from engine.{table} t {' '.join(joins)} {where}"
    return {row for (row,) in connection.execute(statement.encode(), (tenant_id or 0,))}
