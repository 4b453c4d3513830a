"""What ingest needs of the world besides the log: the live view and the declared types."""
