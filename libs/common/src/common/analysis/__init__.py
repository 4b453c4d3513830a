"""What figures don't say by themselves: why one changed, who moved it, and whether a driver moves it. Pure; no I/O."""
