"""What a session of ours is, whatever defaults the server, the database or the role were given."""

from typing import Final

# For libpq's `options`. Instants and intervals are read in one notation only, doubles are to come whole, and transactions are written for
# this isolation.
OPTIONS: Final = (
    "-c timezone=UTC -c datestyle=ISO,MDY -c intervalstyle=postgres -c extra_float_digits=1 -c standard_conforming_strings=on "
    r"-c default_transaction_isolation=read\ committed"
)
# For work that has to be done, however long it takes: limits that were set for questions of people would end it again and again.
UNHURRIED: Final = (
    f"{OPTIONS} -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"
)
