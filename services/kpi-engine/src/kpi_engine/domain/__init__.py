"""Rules and arithmetic: no I/O, no clock."""
