"""What ingest does: accept, publish, replay."""
