"""What every Bellwether service shares: contracts, streams, database, HTTP and figures."""
