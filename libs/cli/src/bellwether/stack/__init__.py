"""The local stack: a real broker, a real database and the four services, supervised by one small process."""
