"""PostgreSQL, HTTP and SMTP at the edges."""
