"""A seeded, simulated customer base: a year of history up to now, then live events. Pure: nothing here reads a clock or the net."""
