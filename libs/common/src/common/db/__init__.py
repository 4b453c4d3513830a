"""PostgreSQL: pools, waking, migrations."""
