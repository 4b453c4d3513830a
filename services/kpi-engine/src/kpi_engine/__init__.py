"""Keeps every figure exact, every event counted once."""
