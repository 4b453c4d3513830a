"""Sending a file of events through ingest: resumable, patient, and exact about what was refused and why."""
