"""PostgreSQL and the other services behind the ports."""
