"""Routes of the alerts service."""
