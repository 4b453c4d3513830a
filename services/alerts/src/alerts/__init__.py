"""Warns the people who look after an account, once, in time."""
