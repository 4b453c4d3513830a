"""The ports on PostgreSQL."""
