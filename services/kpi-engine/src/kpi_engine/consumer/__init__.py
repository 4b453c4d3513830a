"""From the log to the use cases."""
