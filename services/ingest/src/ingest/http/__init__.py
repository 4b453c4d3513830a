"""The doors: events, Segment, the live view."""
