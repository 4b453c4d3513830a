"""What people decide about events that are counted: the control log, and the backfills it closes and reverts."""
